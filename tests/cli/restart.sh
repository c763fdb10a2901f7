#!/bin/sh
# SPDX-License-Identifier: ISC
#
# listen survives a restart of its daemon: it listens again on its key when the
# daemon is back, and says so.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 1

own_starts() {
	node_starts 2 --role persistent --port auto --bootstrap "$host:$port"
	own=$pid
	within 20 knows 2 1 || fail "the listener's daemon did not start"
}

# listens_again TIMES
listens_again() {
	[ "$(grep -c 'listening again on' "$work/err")" -eq "$1" ]
}

is_reached() {
	[ "$(echo hello | at 1 connect --timeout 5 "$key")" = hello ]
}

own_starts
"$dhtctl" --control "$work/2.sock" listen --exec cat >"$work/key" \
    2>"$work/err" &
listener=$!
children="$children $listener"
within 20 test -s "$work/key" || fail "no key"
key=$(cat "$work/key")
is_reached || fail "the listener is not reached"
times=0
for how in KILL TERM; do
	times=$((times + 1))
	kill -s $how $own
	wait $own 2>/dev/null
	own_starts
	within 20 listens_again $times || fail "not again: $(cat "$work/err")"
	within 40 is_reached || fail "not reached after $how"
done
grep -q 'the daemon was stopped' "$work/err" || fail "the stop is not reported"
[ "$(wc -l <"$work/key")" -eq 1 ] || fail "the key was printed again"

# An interrupt ends the wait for a daemon.
kill -s KILL $own
wait $own 2>/dev/null
sleep 1
kill -s INT $listener
code=0
wait $listener || code=$?
[ $code -eq 130 ] || fail "the interrupted listener ended with $code"

# A single connection is accepted after a restart, too.
own_starts
"$dhtctl" --control "$work/2.sock" listen --once >"$work/once" \
    2>"$work/once.err" </dev/null &
listener=$!
children="$children $listener"
within 20 test -s "$work/once.err" || fail "no key"
kill -s KILL $own
wait $own 2>/dev/null
own_starts
within 20 grep -q 'listening again on' "$work/once.err" || fail "not again: $(cat "$work/once.err")"
echo hello | at 1 connect "$key" || fail "not reached after the restart: $?"
code=0
wait $listener || code=$?
[ $code -eq 0 ] || fail "listen --once ended with $code: $(cat "$work/once.err")"
[ "$(cat "$work/once")" = hello ] || fail "nothing was received"
exit $verdict
