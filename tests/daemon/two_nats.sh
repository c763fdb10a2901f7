#!/bin/sh
# SPDX-License-Identifier: ISC
#
# netcheck distinguishes two NATs in a row from one: machine, home router,
# router of the carrier and a public host, each in a network namespace of its
# own.

if [ "$1" != --inside ]; then
	for tool in unshare ip nft; do
		if ! command -v "$tool" >/dev/null; then
			echo "$tool is missing"
			exit 77
		fi
	done
	as=
	[ "$(id -u)" -eq 0 ] || as="--user --map-root-user"
	# shellcheck disable=SC2086 # two words or none
	if ! unshare $as --net --mount --pid --fork --mount-proc sh -c '
	    mount -t tmpfs tmpfs /run && ip netns add probe &&
	    ip netns exec probe nft add table ip probe' 2>/dev/null; then
		echo "network namespaces or nftables do not work here"
		exit 77
	fi
	# shellcheck disable=SC2086
	exec unshare $as --net --mount --pid --fork --mount-proc --kill-child \
	    "$0" --inside
fi

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

mount -t tmpfs tmpfs /run
dhtctl=$PWD/dhtctl

# link A ADDRESS B ADDRESS: a cable between two namespaces.
link() {
	ip link add "$1-$3" netns "$1" type veth peer name "$3-$1" netns "$3"
	ip -n "$1" address add "$2" dev "$1-$3"
	ip -n "$3" address add "$4" dev "$3-$1"
	ip -n "$1" link set "$1-$3" up
	ip -n "$3" link set "$3-$1" up
}

# translates ROUTER DEVICE
translates() {
	ip netns exec "$1" sysctl -q -w net.ipv4.ip_forward=1
	ip netns exec "$1" nft -f - <<-END
	table ip home {
		chain out {
			type nat hook postrouting priority 100;
			oifname "$2" masquerade
		}
	}
	END
}

for space in machine home carrier public; do
	ip netns add $space
	ip -n $space link set lo up
done
link machine 192.168.1.10/24 home 192.168.1.1/24
link home 100.64.1.2/24 carrier 100.64.1.1/24
link carrier 11.2.1.2/24 public 11.2.1.1/24
ip -n machine route add default via 192.168.1.1
ip -n home route add default via 100.64.1.1
ip -n carrier route add default via 11.2.1.1
translates home home-carrier
translates carrier carrier-public

# run SPACE NAME OPTION...
run() {
	space=$1
	name=$2
	shift 2
	ip netns exec "$space" "$hyperdhtd" --state-dir="$work/$name" \
	    --control="$work/$name.sock" "$@" 2>"$work/$name.log" &
	children="$children $!"
}

checks() {
	"$dhtctl" --control "$work/$1.sock" netcheck --json >"$work/$1.json"
}

run public first --host=11.2.1.1 --port=49737 --role=bootstrap \
    --public-address=11.2.1.1
run machine inner --bootstrap=11.2.1.1:49737
run carrier outer --bootstrap=11.2.1.1:49737
within 20 logs inner "online" || fail "does not join" inner
checks inner || fail "netcheck: $(cat "$work/inner.json")" inner
grep -q '"double_nat":true,"private_routers":\["192.168.1.1","100.64.1.1"\]' \
    "$work/inner.json" || fail "not seen: $(cat "$work/inner.json")"
sleep 2 # routers limit the rate of their errors
"$dhtctl" --control "$work/inner.sock" netcheck >"$work/said"
grep -q '^double_nat.yes' "$work/said" || fail "not said: $(cat "$work/said")"

# Behind the outer router alone there is one NAT.
ip -n machine address flush dev machine-home
ip -n home route del default
run home middle --bootstrap=11.2.1.1:49737
ip -n home route add default via 100.64.1.1
within 20 checks middle || fail "netcheck" middle
grep -q '"double_nat":false,"private_routers":\["100.64.1.1"\]' \
    "$work/middle.json" || fail "one NAT: $(cat "$work/middle.json")"

exit "$verdict"
