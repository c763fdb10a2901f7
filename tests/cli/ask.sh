#!/bin/sh
# SPDX-License-Identifier: ISC
#
# listen --ask: each peer waits until a person on the terminal has admitted it.
# A terminal is made with Python.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if ! command -v python3 >/dev/null; then
	echo "python3 is missing"
	exit 77
fi
network_starts 3

# asks NAME ANSWER OPTION...: listens with the daemon 2 on a terminal on which
# that answer is typed after each question. The key is in $key, what the
# terminal showed in NAME.tty, and the exit code of the listener in NAME.code.
asks() {
	name=$1
	answer=$2
	shift 2
	python3 "$(dirname "$0")/terminal.py" "$work/$name.tty" "$answer" \
	    "$dhtctl" --control "$work/2.sock" listen --ask "$@" \
	    </dev/null >"$work/$name.out" 2>"$work/$name.err" &
	pid=$!
	children="$children $pid"
	within 20 grep -Eqx '[a-z0-9]{52}' "$work/$name.out" ||
	    fail "listen --ask: $(cat "$work/$name.err" "$work/$name.tty")"
	key=$(grep -Ex '[a-z0-9]{52}' "$work/$name.out")
}

# ---- without a terminal ----

setsid sh -c '"$@" </dev/null >"$0.out" 2>"$0.err"; echo $? >"$0.code"' \
    "$work/none" "$dhtctl" --control "$work/2.sock" listen --ask
[ "$(cat "$work/none.code")" -eq 2 ] ||
    fail "listen --ask without a terminal: $(cat "$work/none.code")"
grep -q 'needs a terminal' "$work/none.err" || fail "$(cat "$work/none.err")"

# ---- admitted ----

asks yes y --exec cat
[ "$(echo hello | at 3 connect "$key")" = hello ] || fail "y does not admit"
peer=$(at 3 key show)
grep -q "$peer at $host:[0-9]* wants to connect" "$work/yes.tty" ||
    fail "not asked: $(cat "$work/yes.tty")"
[ "$(echo again | at 1 connect "$key")" = again ] || fail "no second peer"
[ "$(grep -c 'wants to connect' "$work/yes.tty")" -eq 2 ] ||
    fail "not asked twice: $(cat "$work/yes.tty")"
kill -TERM "$pid"
wait "$pid"

# ---- refused, within the handshake ----

is_silent() {
	[ -z "$(at 2 listeners)" ]
}
within 5 is_silent || fail "the listener outlives its client"
asks no n --exec cat
ends 4 '' at 3 connect "$key"
grep -q 'wants to connect' "$work/no.tty" || fail "not asked"
[ -z "$(at 2 connections)" ] || fail "refused, and connected"
kill -TERM "$pid"
wait "$pid"

# ---- once ----

within 5 is_silent || fail "the listener outlives its client"
asks once yes --once --exec cat
[ "$(echo one | at 3 connect "$key")" = one ] || fail "--once: no answer"
wait "$pid"
code=$?
[ $code -eq 0 ] || fail "listen --ask --once ended with $code"
within 5 is_silent || fail "the listener outlives --once"

exit "$verdict"
