#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2317 # functions are called by name
#
# A node whose socket has become useless heals itself: a firewall drops what its
# client socket sends, and only that; after a minute it opens another one. A
# stream that works meanwhile keeps its socket. Runs in a network namespace of
# its own.

if [ -z "${OWN_NETWORK:-}" ]; then
	if ! unshare --map-root-user --net nft add table ip probe \
	    >/dev/null 2>&1; then
		echo "skipped: no network namespace, or no nftables"
		exit 77
	fi
	OWN_NETWORK=1 exec unshare --map-root-user --net "$0"
fi

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dhtctl=$PWD/dhtctl
ip link set lo up

# port_of NAME FIELD: the port of an address in the status of the daemon.
port_of() {
	ask "$1" status | sed -n "s/^$2	.*://p"
}

# carries LINE: the stream returns what is written to it.
carries() {
	echo "$1" >&3
	within 5 grep -qx "$1" "$work/got"
}

# Nobody reaches the server ports of two nodes, so that they send from others.
nft -f - <<-END || fail "no firewall"
	table ip firewall {
		chain in {
			type filter hook input priority 0;
			udp dport { 4002, 4003 } ct state new drop
		}
	}
END
start hub --port=4001 --role=bootstrap --public-address="$host"
start member --port=4002 --bootstrap="$host:4001"
within 8 is member online || fail "does not join" member
start caller --port=4003 --bootstrap="$host:4001"
start callee --port=4004 --bootstrap="$host:4001"
within 8 is caller online || fail "does not join" caller
within 8 is callee online || fail "does not join" callee

# A stream between two of them.
"$dhtctl" --control "$work/callee.sock" listen --exec cat >"$work/key" 2>&1 &
children="$children $!"
within 5 grep -q . "$work/key" || fail "does not listen" callee
key=$(ask callee status | sed -n "s/^public_key	//p")
mkfifo "$work/pipe"
"$dhtctl" --control "$work/caller.sock" connect "$key" \
    <"$work/pipe" >"$work/got" 2>"$work/err" &
children="$children $!"
exec 3>"$work/pipe"
carries before || fail "no stream: $(cat "$work/err")" caller
# Shows all the time that it works, however slow the machine is.
(while sleep 5; do echo beat; done) >&3 &
children="$children $!"
stream=$(ask callee connections | sed -n "s/.*$host:\([0-9]*\).*/\1/p")

ask member status | grep -qx "firewalled	yes" ||
    fail "is not behind a firewall" member
before=$(port_of member client_address)
server=$(port_of member server_address)
kept=$(port_of caller client_address)
nft -f - <<-END || fail "no filter"
	table ip filter {
		chain out {
			type filter hook output priority 0;
			udp sport $before drop
			udp sport $kept udp dport 4001 drop
		}
	}
END
within 20 is member offline || fail "does not see that it is cut off" member
within 20 is caller offline || fail "does not see that it is cut off" caller
for second in 5 10 15 20 25 30 35 40 45; do
	sleep 5
	carries "after $second" || fail "the stream is lost" caller
done
logs member "opened again" && fail "opens its sockets too soon" member
within 40 is member online || fail "does not heal" member
logs member "opened again" || fail "does not say what it has done" member
[ "$(port_of member client_address)" != "$before" ] ||
    fail "has the same port" member
[ "$(port_of member server_address)" = "$server" ] ||
    fail "the server's port has changed" member

within 30 logs caller "opened again" || fail "does not try to heal" caller
# The dial may have opened from the socket of either port.
[ "$stream" != "$kept" ] ||
    [ "$(port_of caller client_address)" = "$kept" ] ||
    fail "has replaced a socket that works" caller
for second in 1 5 10; do
	sleep "$second"
	carries "healed $second" || fail "the stream is lost" caller
done
exec 3>&-
exit $verdict
