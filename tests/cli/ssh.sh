#!/bin/sh
# SPDX-License-Identifier: ISC
#
# ssh to a real sshd, with `dhtctl connect` as its ProxyCommand and sshd as the
# command of `dhtctl listen`. Skipped where there is no sshd.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
sshd=$(command -v sshd) || sshd=
if [ -z "$sshd" ] || ! command -v ssh >/dev/null ||
    ! command -v ssh-keygen >/dev/null; then
	echo "skipped: no sshd or no ssh on this machine"
	exit 77
fi

# As root it wants a directory to be locked into.
if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
	mkdir -m 755 /run/sshd
	trap 'rmdir /run/sshd; finish' EXIT
fi

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/user"
cp "$work/user.pub" "$work/authorized"
cat >"$work/sshd_config" <<END
HostKey $work/host
AuthorizedKeysFile $work/authorized
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
LogLevel ERROR
END
if ! "$sshd" -t -f "$work/sshd_config" 2>"$work/err"; then
	echo "skipped: sshd will not run here: $(cat "$work/err")"
	exit 77
fi

network_starts 3
"$dhtctl" --control "$work/2.sock" listen \
    --exec "exec '$sshd' -i -f '$work/sshd_config' -E '$work/sshd.log'" \
    >"$work/key" 2>"$work/listen.err" </dev/null &
children="$children $!"
within 20 test -s "$work/key" || fail "listen: $(cat "$work/listen.err")"
key=$(cat "$work/key")

# into COMMAND...: runs it on the other machine.
into() {
	ssh -F /dev/null -i "$work/user" -o IdentitiesOnly=yes \
	    -o BatchMode=yes -o StrictHostKeyChecking=accept-new \
	    -o UserKnownHostsFile="$work/known" -o LogLevel=ERROR \
	    -o ProxyCommand="'$dhtctl' --control '$work/3.sock' connect $key" \
	    "$(id -un)@machine" "$@"
}

head -c 3000000 /dev/urandom >"$work/big"
said=$(into 'echo hello') || fail "ssh: $?: $(cat "$work/sshd.log")"
[ "$said" = hello ] || fail "the other machine said: $said"
into cat <"$work/big" >"$work/got" || fail "ssh cat: $?"
cmp -s "$work/big" "$work/got" || fail "3 MB came back as something else"
code=0
into 'exit 7' </dev/null || code=$?
[ $code -eq 7 ] || fail "the exit code 7 came as $code"
exit $verdict
