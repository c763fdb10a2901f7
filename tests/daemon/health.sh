#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2317 # functions are called by name
#
# The state of the node is true: without a network it says so, with the cause,
# and it joins within 15 s of the repair. Runs in a network and with a hosts
# file of its own: dead address, name that is not found, no route.

if [ -z "${OWN_NETWORK:-}" ]; then
	if ! unshare --map-root-user --mount --net ip link >/dev/null 2>&1; then
		echo "skipped: this user may not create a network namespace"
		exit 77
	fi
	OWN_NETWORK=1 exec unshare --map-root-user --mount --net "$0"
fi

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dhtctl=$PWD/dhtctl
ip link set lo up

# A resolver that does not exist, so that only the hosts file is of use.
cp /etc/hosts "$work/hosts"
echo "nameserver 127.0.0.1" >"$work/resolv.conf"
mount --bind "$work/hosts" /etc/hosts
mount --bind "$work/resolv.conf" /etc/resolv.conf

# call_ends CODE SECONDS NAME COMMAND...: the command ends in time, with this code.
call_ends() {
	code=$1 limit=$2
	shift 2
	began=$(date +%s)
	ask "$@" >"$work/out" 2>&1 </dev/null
	got=$?
	took=$(($(date +%s) - began))
	[ $got -eq "$code" ] ||
	    fail "$*: exit code $got instead of $code: $(cat "$work/out")"
	[ $took -le "$limit" ] || fail "$*: took $took s"
}

# ---- the only bootstrap node: dead, there, gone and back ----

start member --port=auto --bootstrap="$host:4001"
within 8 is member offline || fail "is not offline" member
logs member "offline: bootstrap $host:4001: no answer; trying again in 5 s" ||
    fail "does not say why it is offline" member
ask member status >"$work/status"
for line in "bootstrapped	no" "online	no" "degraded	no" "nodes	0" \
    "bootstrap	$host:4001 no-answer"; do
	grep -q "^$line" "$work/status" || fail "status: not $line" member
done
call_ends 7 4 member lookup tea
grep -q "bootstrap $host:4001: no answer" "$work/out" ||
    fail "lookup does not say what was tried: $(cat "$work/out")"
key=$(ask member status | sed -n "s/^public_key	//p")
call_ends 7 5 member connect "$key"
call_ends 0 4 member announce tea
grep -q "kept; takes effect when online" "$work/out" ||
    fail "announce does not say that it is kept: $(cat "$work/out")"

start hub --port=4001 --role=bootstrap --public-address="$host"
hub=$pid
within 2 is hub online || fail "a node alone is not online" hub
ask hub status | grep -qx "reason	alone" || fail "is not alone" hub
within 15 is member online || fail "does not join" member
announced() {
	ask member announcements | grep -q "	yes	"
}
within 15 announced || fail "does not announce what it has kept" member

kill -STOP "$hub"
within 15 is member offline || fail "does not see that the hub is frozen" member
kill -CONT "$hub"
within 15 is member online || fail "does not see that the hub is back" member
[ "$(grep -c ' offline: ' "$work/member.log")" -eq 2 ] ||
    fail "does not log each change once" member
grep -q 'none:0' "$work"/*.log && fail "an address is none:0" member

# ---- a name that does not resolve, and later does ----

start named --port=auto --bootstrap=hub.example.org:4001
within 8 is named offline || fail "is not offline" named
logs named "offline: bootstrap hub.example.org: name not found" ||
    fail "does not name the name" named
call_ends 7 5 named lookup tea
echo "$host hub.example.org" >>/etc/hosts
within 15 is named online || fail "does not resolve the name again" named

# ---- no route, which later appears ----

kill "$hub"
within 4 gone "$hub" || fail "does not end" hub
start far --port=auto --host=0.0.0.0 --bootstrap=192.0.2.1:4001
within 8 is far offline || fail "is not offline without a route" far
start other --port=4001 --host=0.0.0.0 --role=bootstrap \
    --public-address=192.0.2.1
ip addr add 192.0.2.1/32 dev lo
within 15 is far online || fail "does not see the route" far
exit $verdict
