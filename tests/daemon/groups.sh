#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A group that is created while the daemon runs takes effect with a reload, and
# a refusal names the groups that do not exist. Needs root: the test has a mount
# namespace with a group file of its own.

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null ||
    ! unshare -m true 2>/dev/null; then
	echo "skipped: needs root, setpriv and a mount namespace"
	exit 77
fi
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m "$0"

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

grep -v '^hyperdhtd-' /etc/group >"$work/without"
cat "$work/without" >"$work/group"
mount --bind "$work/group" /etc/group || exit 99
chmod 755 "$work"
cp "$PWD/dhtctl" "$work/dhtctl"
chmod 755 "$work/dhtctl"

# as GID CODE TEXT COMMAND...: dhtctl of another user in that group.
as() {
	gid=$1
	want=$2
	text=$3
	shift 3
	code=0
	setpriv --reuid=65534 --regid="$gid" --clear-groups "$work/dhtctl" \
	    --control "$work/node.sock" "$@" >"$work/output.log" 2>&1 || code=$?
	test $code -eq "$want" || fail "$*: $code instead of $want" output
	logs output "$text" || fail "$*: not logged: $text" output
}

reload() {
	"$work/dhtctl" --control "$work/node.sock" reload || fail "reload" node
	test "$(stat -c %a "$work/node.sock")" = "$1" ||
		fail "the mode of the socket is not $1" node
}

: >"$work/empty.conf"
start node --config="$work/empty.conf"
as 4241 4 "create the groups" status
echo 'hyperdhtd-read:x:4241:' >>"$work/group"
as 4241 4 "create the groups" status
reload 666
as 4241 0 "public_key" status
as 4241 4 "hyperdhtd-user: create with systemd-sysusers or groupadd -r" \
    announce topic
as 4242 4 "not on this machine: hyperdhtd-user hyperdhtd-admin: create" status
echo 'hyperdhtd-user:x:4242:' >>"$work/group"
reload 666
as 4242 0 "public_key" status
as 4241 4 "members of the group hyperdhtd-user may call it" announce topic
logs output "create" && fail "an existing group is to be created" output
cat "$work/without" >"$work/group"
reload 660
as 4242 4 "create the groups" status
kill -TERM "$pid"
ends node "$pid" 0
exit $verdict
