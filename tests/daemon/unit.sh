#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The unit is as hardened as it can be without PrivateUsers=, which would hide
# the user ids of clients; and its number of descriptors fits the limits.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
most=1.3
unit=$work/hyperdhtd.service
sed -e "s|/usr/sbin/hyperdhtd|$hyperdhtd|" -e "s|/usr/bin/dhtctl|$PWD/dhtctl|" \
    "$top/systemd/hyperdhtd.service" >"$unit"

# setting NAME: its value in the unit.
setting() {
	sed -n "s/^$1=//p" "$unit"
}

# limit NAME: its default.
limit() {
	"$PWD/dhtctl" --control "$work/node.sock" limits |
	    awk -v name="$1" '$1 == name { print $3 }'
}

test -z "$(setting PrivateUsers)" || fail "PrivateUsers= hides clients"
for name in MemoryHigh MemoryMax TasksMax; do
	test -n "$(setting $name)" || fail "$name= is not set"
done

start node
clients=256
needed=$((3 * $(limit connections) + clients + $(limit punch-pool) +
    $(limit punches-from-random) * $(limit punch-sockets) + $(limit punchers)))
test "$(setting LimitNOFILE)" -ge $needed ||
	fail "LimitNOFILE is $(setting LimitNOFILE), the limits allow $needed"
kill -TERM "$pid"
ends node "$pid" 0

if ! command -v systemd-analyze >/dev/null; then
	test $verdict -eq 0 || exit $verdict
	echo "skipped: no systemd-analyze on this machine"
	exit 77
fi
systemd-analyze verify --man=no "$unit" >"$work/verify.log" 2>&1 ||
	fail "systemd-analyze verify" verify
test ! -s "$work/verify.log" || fail "systemd-analyze verify warns" verify
level=$(systemd-analyze security --offline=yes --no-pager "$unit" |
    sed -n 's/.*exposure level for [^:]*: \([0-9.]*\) .*/\1/p')
echo "exposure level: $level"
awk -v level="$level" -v most=$most \
    'BEGIN { exit !(level != "" && level + 0 <= most) }' ||
	fail "the exposure level is $level, more than $most"
exit $verdict
