#!/bin/sh
# SPDX-License-Identifier: ISC
#
# By default only a node whose configuration sets a role relays, and logs this.
# What is left of its volume survives a restart, and a crash returns nothing.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dhtctl=$PWD/dhtctl
port=$((20000 + $$ % 20000))

# left: what is left of the volume.
left() {
	ask node relay --json | sed 's/.*"volume_left": *\([0-9]*\).*/\1/'
}

# shows TEXT: `dhtctl relay` prints this line.
shows() {
	ask node relay | grep -qx "$1" || fail "relay does not show: $1" node
}

start node --bootstrap=none
logs node "this node relays" && fail "a node without a role relays" node
shows "mode	auto"
shows "relaying	no"
kill -TERM "$pid"
ends node "$pid" 0
test ! -e "$work/node/relay-volume" || fail "stores a volume" node

# relays [OPTION...]: starts a bootstrap node.
relays() {
	start node --bootstrap=none --role=bootstrap --port=$port \
	    --public-address="$host" "$@"
}

relays --relay=off
logs node "this node relays" && fail "relays though it is off" node
kill -TERM "$pid"
ends node "$pid" 0

# Enough that what flows in meanwhile is less than what a crash loses.
echo "30000000000 2000000000 $(date +%s)000" >"$work/node/relay-volume"
relays
logs node "for all peers, volume 30.000 GB per month; 'relay = off' turns" ||
    fail "does not log that it relays" node
shows "relaying	yes"
ask node status | grep -q "^relaying	yes; relay = off turns" ||
    fail "status does not say how to turn relaying off" node
first=$(left)
kill -TERM "$pid"
ends node "$pid" 0
test "$first" -ge 2000000000 || fail "not restored: $first" node
relays
again=$(left)
test "$again" -ge "$first" || fail "lost in a restart: $again of $first" node
test "$again" -le $((first + 2000000)) || fail "gained: $again of $first" node
kill -KILL "$pid"
within 4 gone "$pid"
relays
after=$(left)
test "$after" -lt "$again" || fail "gained in a crash: $after" node
test "$after" -ge $((again - again / 32)) || fail "lost: $after" node
kill -TERM "$pid"
ends node "$pid" 0
exit $verdict
