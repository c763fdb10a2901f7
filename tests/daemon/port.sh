#!/bin/sh
# SPDX-License-Identifier: ISC
#
# An exact port is taken or the daemon fails loudly; auto finds another
# (pitfall L4).

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

start first --port=4001
launch second --port=4001
ends second "$pid" 69
logs second "port 4001 is in use" || fail "the port is not named" second
launch third --port=4001 --role=bootstrap --public-address="$host"
ends third "$pid" 69

# taken PORT: true if a daemon beside this test uses it at all addresses.
taken() {
	awk -v port="$(printf '%04X' "$1")" '
	    { split($2, at, ":") }
	    at[2] == port && at[1] ~ /^0+$/ { found = 1 }
	    END { exit !found }' /proc/net/udp /proc/net/udp6 2>/dev/null
}

for i in 49737 49738 49739 49740 49741; do
	taken $i && continue
	start auto$i
	logs auto$i "listening at $host:$i" || fail "not at $i" auto$i
done
start other
logs other "listening at $host:4974" && fail "a taken port" other
exit $verdict
