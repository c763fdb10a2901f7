#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The exit code is the truth: connect and listen end with 10 and one line on
# standard error if their own daemon is stopped while bytes are on their way,
# however it is stopped, and whether another one runs at its socket by then.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 2
"$dhtctl" --control "$work/2.sock" listen --exec cat >"$work/key" 2>"$work/key.err" &
pid=$!
children="$children $pid"
within 20 test -s "$work/key" || fail "no listener"
key=$(cat "$work/key")

# own_starts [again]: starts the caller's daemon, number $own_number.
own_number=2
own_starts() {
	[ "${1:-}" = again ] || own_number=$((own_number + 1))
	own_socket=$work/$own_number.sock
	node_starts $own_number --role persistent --port auto \
	    --bootstrap "$host:$port"
	own=$pid
	within 20 knows $own_number 1 || fail "the caller's daemon did not start"
}

# own_ends HOW: stops the caller's daemon.
own_ends() {
	case $1 in
	TERM | KILL) kill -s "$1" $own ;;
	stop) at $own_number stop ;;
	again)
		kill -s KILL $own
		wait $own 2>/dev/null
		own_starts again
		;;
	esac
}

# is_lost CODE WHAT: $work/err has one line that says so.
is_lost() {
	[ "$1" -eq 10 ] || fail "$2 ended with $1: $(cat "$work/err")"
	[ "$(grep -c . "$work/err")" -eq 1 ] && grep -q 'was lost' "$work/err" ||
	    fail "$2 printed: $(cat "$work/err")"
}

for how in TERM KILL stop again; do
	own_starts
	rm -f "$work/out" "$work/err"
	mkfifo "$work/in"
	"$dhtctl" --control "$own_socket" connect "$key" <"$work/in" >"$work/out" 2>"$work/err" &
	asked=$!
	children="$children $asked"
	exec 9>"$work/in"
	rm "$work/in"
	echo a >&9
	within 20 grep -qx a "$work/out" || fail "no echo"
	own_ends $how
	(echo b >&9) 2>/dev/null # it may have ended
	exec 9>&-
	code=0
	wait $asked || code=$?
	is_lost $code "connect after $how"
	[ $how = again ] || wait $own 2>/dev/null
	[ $how != again ] || own_ends KILL

	own_starts
	rm -f "$work/file" "$work/both"
	"$dhtctl" --control "$own_socket" listen --once >"$work/file" \
	    2>"$work/both" </dev/null &
	asked=$!
	children="$children $asked"
	within 20 test -s "$work/both" || fail "no key"
	mkfifo "$work/in"
	"$dhtctl" --control "$work/2.sock" connect "$(head -n 1 "$work/both")" \
	    <"$work/in" >/dev/null 2>"$work/other" &
	peer=$!
	children="$children $peer"
	exec 9>"$work/in"
	rm "$work/in"
	echo a >&9
	within 20 grep -qx a "$work/file" || fail "nothing was received: $(cat "$work/other")"
	own_ends $how
	exec 9>&-
	code=0
	wait $asked || code=$?
	tail -n +2 "$work/both" >"$work/err"
	is_lost $code "listen --once after $how"
	wait $peer
	[ $how = again ] || wait $own 2>/dev/null
	[ $how != again ] || own_ends KILL
done

# listen --once --exec ends with the exit code of the command if everything was
# delivered, whether the peer ends first or last, and with 10 if it was lost.

# serves_once COMMAND: listens with it; the peer writes what comes by way of
# descriptor 9.
serves_once() {
	rm -f "$work/both" "$work/got" "$work/from" "$work/in"
	at $own_number listen --once --exec "$1" >"$work/both" \
	    2>"$work/err" </dev/null &
	asked=$!
	children="$children $asked"
	within 20 test -s "$work/both" || fail "no key"
	mkfifo "$work/in"
	at 2 connect "$(head -n 1 "$work/both")" <"$work/in" >"$work/from" \
	    2>"$work/other" &
	peer=$!
	children="$children $peer"
	exec 9>"$work/in"
	rm "$work/in"
}

# ended_with CODE WHAT
ended_with() {
	code=0
	wait $asked || code=$?
	[ "$code" -eq "$1" ] ||
	    fail "listen --once --exec, $2: $code, not $1: $(cat "$work/err")"
}

own_starts
for status in 0 3; do
	serves_once "cat >$work/got; echo thanks; exit $status"
	echo a >&9
	exec 9>&-
	ended_with $status "the peer ends first"
	grep -qx a "$work/got" || fail "the command got nothing"
	wait $peer
	grep -qx thanks "$work/from" || fail "the peer got nothing"
done
serves_once 'head -n 1; exit 4'
echo a >&9
ended_with 4 "the command ends first"
exec 9>&-
wait $peer
grep -qx a "$work/from" || fail "the peer did not get the line back"
serves_once 'kill -KILL $$'
ended_with 137 "the command is killed"
exec 9>&-
wait $peer
serves_once "cat >$work/got; exit 3"
echo a >&9
within 20 grep -qx a "$work/got" || fail "the command got nothing"
own_ends KILL
exec 9>&-
ended_with 10 "the daemon is killed"
grep -q 'was lost' "$work/err" || fail "not reported: $(cat "$work/err")"
kill $peer # it would notice in half a minute
wait $peer

# The end of the input and of the peer, in order, is success.
own_starts
[ "$( (echo a && sleep 1 && echo b) | at $own_number connect "$key")" = "a
b" ] || fail "the echo was cut"
exit $verdict
