# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # verdict is the test's exit code
#
# Shared by the tests of dhtctl.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dhtctl=$PWD/dhtctl
pretend=$PWD/tests/cli/pretend
top=${srcdir:-$(dirname "$0")/../..}
port=4000

fail() {
	echo "FAIL: $*"
	verdict=1
}

# node_starts NUMBER OPTION...
node_starts() {
	number=$1
	shift
	"$hyperdhtd" --config "$work/empty.conf" --host "$host" \
	    --state-dir "$work/state$number" --control "$work/$number.sock" \
	    "$@" 2>"$work/$number.log" &
	pid=$!
	children="$children $pid"
}

# network_starts NUMBER: so many nodes that know each other; $first is the
# process of number 1.
network_starts() {
	: >"$work/empty.conf"
	node_starts 1 --role bootstrap --port $port --public-address "$host"
	first=$pid
	within 10 at 1 status || fail "node 1 did not start"
	for number in $(seq 2 "$1"); do
		node_starts "$number" --role persistent --port auto \
		    --bootstrap "$host:$port"
	done
	for number in $(seq 1 "$1"); do
		within 20 knows "$number" $(($1 - 1)) ||
		    fail "node $number does not know the others"
	done
}

knows() {
	at "$1" status | grep -q '^ephemeral.no' &&
	    [ "$(at "$1" nodes | wc -l)" -ge "$2" ]
}

# at NUMBER COMMAND...
at() {
	socket=$work/$1.sock
	shift
	"$dhtctl" --control "$socket" "$@"
}

# within SECONDS COMMAND...
within() {
	tries=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# ends CODE TEXT COMMAND...: it must exit with that code and print the text on
# standard error, and nothing on standard output unless it succeeds.
ends() {
	want=$1
	text=$2
	shift 2
	code=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
	[ $code -eq "$want" ] || fail "'$*': $code instead of $want:" \
	    "$(cat "$work/err")"
	[ -z "$text" ] || grep -q -- "$text" "$work/err" ||
	    fail "'$*': not said: $text:" \
	    "$(cat "$work/err")"
	[ "$want" -eq 0 ] || [ ! -s "$work/out" ] ||
	    fail "'$*': it failed and printed: $(cat "$work/out")"
}

# prints PATTERN COMMAND...: it must succeed and print a line like that.
prints() {
	pattern=$1
	shift
	if ! "$@" >"$work/out" 2>"$work/err" </dev/null; then
		fail "'$*': $(cat "$work/err")"
	elif ! grep -Eq -- "$pattern" "$work/out"; then
		fail "'$*': no line is like $pattern: $(cat "$work/out")"
	fi
}
