#!/bin/sh
# SPDX-License-Identifier: ISC
#
# expose and forward: a program reaches a service by the key of its machine, each
# side may end first, the loss of one side resets the other, only allowed keys
# come in, and everything is there again after a restart.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || {
	echo "skipped: python3 is not installed"
	exit 77
}
tab=$(printf '\t')
peer=$(dirname "$0")/tunnel_peer.py

# serves NAME [PATH]: its process is in $pid, its address in $address.
serves() {
	name=$1
	shift
	python3 "$peer" serve "$@" >"$work/$name" 2>"$work/$name.err" &
	pid=$!
	children="$children $pid"
	within 10 test -s "$work/$name" || fail "$name: $(cat "$work/$name.err")"
	address=$(cat "$work/$name")
}

# asks ADDRESS WANTED: sends "a" and expects the service's answer, or the exit
# code WANTED if it is a number.
asks() {
	code=0
	got=$(echo a | python3 "$peer" ask "$1" 20) || code=$?
	case $2 in
	[0-9]) [ $code -eq "$2" ] || fail "$1: $code instead of $2: $got" ;;
	*) [ "$got" = "$2" ] || fail "$1: $code, '$got' instead of '$2'" ;;
	esac
}

answered() {
	[ "$(echo a | python3 "$peer" ask "$1" 5)" = "$answer" ]
}

# restarts NUMBER PROCESS
restarts() {
	kill -TERM "$2"
	wait "$2" || fail "node $1 ended with $?"
	node_starts "$1" --role persistent --port auto --bootstrap "$host:$port"
	within 20 knows "$1" 2 || fail "node $1 does not come back"
}

answer=$(printf 'hello\na\nend')
network_starts 1
for number in 2 3; do
	node_starts $number --role persistent --port auto --bootstrap "$host:$port"
	eval "pid$number=$pid"
done
for number in 2 3; do
	within 20 knows $number 2 || fail "node $number does not know the others"
done

# ---- mistakes ----

ends 2 'give --allow KEY' at 2 expose web 80
ends 2 'give --allow KEY' at 2 expose web 80 --public --allow "$(at 3 key show)"
for bad in 65536 example.org:80 127.0.0.1 ::1 [::1] relative/path '' 22x 1:2:3; do
	ends 2 'expected a port' at 2 expose web "$bad" --public
done
ends 1 'no address that a service' at 2 expose web 0 --public
ends 1 'no address that a service' at 2 expose web 0.0.0.0:80 --public
ends 1 'small letters' at 2 expose We/b 80 --public
ends 1 'is not exposed' at 2 unexpose web
ends 1 'is not forwarded' at 3 unforward 81

# ---- a service for one peer ----

serves tcp
service=$pid
key=$(at 2 expose web "$address" --allow "$(at 3 key show)") || fail "expose: $?"
[ "$key" = "$(at 2 key show web)" ] || fail "not the key of that name: $key"
ends 1 'exposed already' at 2 expose web 81 --public
ends 1 'cannot listen at' at 3 forward "$address" "$key"
local=$(at 3 forward 0 "$key") || fail "forward: $?"
within 10 answered "$local" || fail "no answer through $local"
head -c 5000000 /dev/urandom >"$work/big"
python3 "$peer" ask "$local" <"$work/big" >"$work/got" || fail "5 MB: $?"
{
	echo hello
	cat "$work/big"
	echo end
} | cmp -s - "$work/got" || fail "5 MB came back as something else"
asked=
for i in $(seq 20); do
	python3 "$peer" ask "$local" <"$work/big" >"$work/got.$i" &
	asked="$asked $!"
done
for one in $asked; do
	wait "$one" || fail "one of 20 ended with $?"
done
for i in $(seq 20); do
	cmp -s "$work/got" "$work/got.$i" || fail "number $i of 20 differs"
done
prints "^exposed${tab}web${tab}$address" at 2 tunnels
prints "^forwarded${tab}-${tab}$local" at 3 tunnels

# A peer that is not on the list gets nothing.
closed=$(at 1 forward 0 "$key") || fail "forward: $?"
asks "$closed" 3

# A UNIX socket at both ends, and the key of another name.
serves unix "$work/service"
key2=$(at 2 expose files "$work/service" --public) || fail "expose: $?"
at 1 key new caller >"$work/none" || fail "key new: $?"
[ "$(at 1 forward "$work/local" "$key2" --name caller)" = "$work/local" ] ||
    fail "forward to a UNIX socket"
within 10 answered "$work/local" || fail "no answer through UNIX sockets"

# ---- restarts ----

restarts 3 "$pid3"
within 20 answered "$local" || fail "no answer after a restart of the caller"
# With a connection open, which its peer ends while the daemon stops.
sleep 2 | python3 "$peer" ask "$local" >"$work/none" 2>&1 &
children="$children $!"
sleep 0.5
restarts 2 "$pid2"
within 30 answered "$local" || fail "no answer after a restart of the service"

# ---- ends ----

# A service that refuses: the peer is reset, at once.
kill "$service"
wait "$service" 2>/dev/null
asks "$local" 3
at 2 unexpose web || fail "unexpose: $?"
at 2 tunnels | grep -q "${tab}web${tab}" && fail "web is still exposed"
asks "$local" 3
at 3 unforward "$local" || fail "unforward: $?"
asks "$local" 4

exit $verdict
