#!/bin/sh
# SPDX-License-Identifier: ISC
#
# State survives kill -9 and belongs to one daemon; if it cannot be
# written, an error is logged and the daemon continues.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

start hub --port=4001 --role=bootstrap --public-address="$host"

# joined NAME: true if another node has reported its address to it.
# shellcheck disable=SC2317 # called by within
joined() {
	logs "$1" "public address $host"
}

start member --port=4002 --bootstrap="$host:4001"
member=$pid
within 10 joined member || fail "does not join" member
launch rival --port=4003 --state-dir="$work/member"
ends rival "$pid" 1
logs rival "another hyperdhtd uses it" || fail "not logged why" rival

# The known nodes are kept soon after the start, not only at the end.
within 10 grep -q "^$host:4001$" "$work/member/nodes" ||
	fail "no nodes are kept" member
cp "$work/member/key" "$work/key"
kill -KILL "$member"
wait "$member" 2>/dev/null

# Has only the stored nodes to ask; more announcements than fit at once.
for i in $(seq 50); do
	printf '%064d\n' "$i"
done >"$work/member/announcements"
start member --port=4002 --bootstrap=none --operations=20 --log-level=info
within 10 joined member || fail "does not rejoin without bootstrap" member
within 10 logs member "50 announcements resumed" ||
	fail "announcements are not taken up" member
cmp -s "$work/key" "$work/member/key" || fail "another key" member
test "$(stat -c %a "$work/member/key")" = 600 || fail "the key's mode"
kill -TERM "$pid"
ends member "$pid" 0

chmod 644 "$work/member/key"
launch member --port=4002
ends member "$pid" 1
logs member "open to others" || fail "an open key is used" member

start nowhere --port=4004 --state-dir=/dev/null/state
logs nowhere "will not be saved" || fail "not logged" nowhere
kill -TERM "$pid"
ends nowhere "$pid" 0

# A directory that is there and cannot be written.
mkdir -m 500 "$work/fixed"
if test "$(id -u)" -eq 0; then
	command -v setpriv >/dev/null || exit $verdict
	chown 65534:65534 "$work/fixed"
	chmod 711 "$work"
	mkdir -m 777 "$work/open"
	setpriv --reuid 65534 --clear-groups "$hyperdhtd" --host="$host" \
	    --port=4005 --state-dir="$work/fixed" \
	    --control="$work/open/fixed.sock" 2>"$work/fixed.log" &
	pid=$!
	children="$children $pid"
	within 5 logs fixed "listening at" || fail "does not start" fixed
else
	start fixed --port=4005
fi
logs fixed "it is lost when the daemon stops" || fail "not logged" fixed
kill -TERM "$pid"
ends fixed "$pid" 0
exit $verdict
