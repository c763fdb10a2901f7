#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a user announces, stores or listens with belongs to that user and is
# signed with a key of its own: others can see it, and only its owner and admins
# can change it, also after a restart of the daemon. Needs root: the test has a
# mount namespace with a group file of its own.

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null ||
    ! unshare -m true 2>/dev/null; then
	echo "skipped: needs root, setpriv and a mount namespace"
	exit 77
fi
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m "$0"

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

tab=$(printf '\t')
grep -v '^hyperdhtd-' /etc/group >"$work/group"
echo 'hyperdhtd-user:x:4242:' >>"$work/group"
echo 'hyperdhtd-admin:x:4243:' >>"$work/group"
mount --bind "$work/group" /etc/group || exit 99
chmod 755 "$work"
cp "$dhtctl" "$work/dhtctl"
chmod 755 "$work/dhtctl"
second=$work/2.sock

# as UID GID COMMAND...: dhtctl of that user in that group.
as() {
	uid=$1
	gid=$2
	shift 2
	setpriv --reuid="$uid" --regid="$gid" --clear-groups "$work/dhtctl" \
	    --control "$second" "$@"
}
alice() { as 1001 4242 "$@"; }
bob() { as 1002 4242 "$@"; }
admin() { as 1003 4243 "$@"; }
root() { at 2 "$@"; }

# owns OWNER KEY: node 2 announces the key under tea for that owner.
owns() {
	root announcements | cut -f 2,3 | grep -qx "$2$tab$1" ||
	    fail "$1 does not announce $2: $(root announcements)"
}

network_starts 2
node=$(root key show)

# ---- announcements ----

prints "^public_key$tab$node" root announce tea
owns daemon "$node"
ends 4 'not yours' alice unannounce tea
alice announce tea >"$work/out" || fail "alice cannot announce"
alices=$(sed -n "s/^public_key$tab//p" "$work/out")
[ -n "$alices" ] && [ "$alices" != "$node" ] || fail "alice announces $alices"
owns 1001 "$alices"
[ "$(alice key list | sed -n "s/^default$tab//p")" = "$alices" ] ||
    fail "the key of alice is not listed: $(alice key list)"
[ "$(alice key show --json | sed 's/.*"own_key": *"\([^"]*\)".*/\1/')" = "$alices" ] ||
    fail "key show does not print the key: $(alice key show --json)"
ends 4 'not yours: it belongs to' bob unannounce tea
prints "^$alices$tab" at 1 lookup tea
prints "^$node$tab" at 1 lookup tea

# ---- values ----

bobs=$(bob put --mutable one) || fail "bob cannot put"
[ "$bobs" != "$node" ] || fail "bob writes with the key of the node"
[ "$(bob put --mutable two)" = "$bobs" ] || fail "bob has another key now"
[ "$(at 1 get --mutable "$bobs")" = two ] || fail "the value was not replaced"
[ "$(admin put --mutable three)" = "$node" ] ||
    fail "an admin does not use the key of the node"

# ---- listeners ----

setpriv --reuid=1001 --regid=4242 --clear-groups "$work/dhtctl" \
    --control "$second" listen --exec cat >"$work/key" 2>"$work/key.err" &
listening=$!
children="$children $listening"
within 20 test -s "$work/key" || fail "no listener: $(cat "$work/key.err")"
[ "$(cat "$work/key")" = "$alices" ] || fail "alice listens with another key"
root listeners --json | grep -q '"owner": *"1001"' ||
    fail "no owner: $(root listeners --json)"
# Its relays replace those in the record.
relays_are_listed() {
	at 1 lookup tea --ndjson | grep "$alices" | grep -q "\"relays\":\[\"$host:"
}
within 20 relays_are_listed || fail "no relays: $(at 1 lookup tea --ndjson)"
ends 1 'in use' alice key remove default
kill $listening
wait $listening 2>/dev/null

# ---- after a restart ----

root stop || fail "stop"
"$hyperdhtd" --config "$work/empty.conf" --host "$host" \
    --state-dir "$work/state2" --control "$second" --role persistent \
    --port auto --bootstrap "$host:$port" 2>"$work/2.log" &
children="$children $!"
within 20 knows 2 1 || fail "node 2 does not start again"
two_announced() { [ "$(root announcements | wc -l)" -eq 2 ]; }
within 20 two_announced || fail "not announced again: $(root announcements)"
owns 1001 "$alices"
owns daemon "$node"
ends 4 'not yours' bob unannounce tea
prints "^public_key$tab$alices" alice unannounce tea
bob announce tea >/dev/null || fail "bob cannot announce"
# An admin withdraws what is the operator's or its own first, then the others.
admin unannounce tea >/dev/null || fail "an admin cannot withdraw"
admin unannounce tea >/dev/null || fail "an admin cannot withdraw again"
[ -z "$(root announcements)" ] || fail "left: $(root announcements)"
alice key remove default || fail "a key that is not in use cannot be removed"
exit $verdict
