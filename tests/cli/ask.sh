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

# ---- several at once: one question, the others are refused ----

# shows NAME PATTERN: whether the terminal shows a line like that.
shows() {
	grep -q "$2" "$work/$1.tty"
}

within 5 is_silent || fail "the listener outlives its client"
asks two "y@$work/typed" --exec cat
echo first | at 3 connect "$key" >"$work/first" 2>"$work/first.err" &
asked=$!
children="$children $asked"
within 10 shows two 'wants to connect' || fail "the first is not asked about"
ends 4 '' at 1 connect "$key"
: >"$work/typed"
wait "$asked" || fail "the first is not admitted: $(cat "$work/first.err")"
[ "$(cat "$work/first")" = first ] || fail "the first has no answer"
within 5 shows two '1 further offer was refused' ||
    fail "the second is not counted: $(cat "$work/two.tty")"
[ "$(grep -c 'wants to connect' "$work/two.tty")" -eq 1 ] ||
    fail "asked about both: $(cat "$work/two.tty")"
kill -TERM "$pid"
wait "$pid"

# ---- a question that nobody answers, and one whose offer is closed ----

within 5 is_silent || fail "the listener outlives its client"
asks idle '' --exec cat
at 3 connect "$key" </dev/null >/dev/null 2>"$work/late.err" &
asked=$!
children="$children $asked"
within 15 shows idle 'No answer in 10 s: refused' ||
    fail "the question stays open: $(cat "$work/idle.tty")"
wait "$asked" && fail "admitted without an answer"
# Nothing is asked for 2 s, so that a late answer admits nobody.
ends 4 '' at 1 connect "$key"
within 5 shows idle '1 further offer was refused' ||
    fail "no pause: $(cat "$work/idle.tty")"
at 1 connect "$key" </dev/null >/dev/null 2>&1 &
asked=$!
children="$children $asked"
is_asked_twice() {
	[ "$(grep -c 'wants to connect' "$work/idle.tty")" -eq 2 ]
}
within 10 is_asked_twice || fail "no second question"
number=$(at 2 listeners --json | sed -n 's/.*"listener": *\([0-9]*\).*/\1/p')
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"""{"jsonrpc":"2.0","id":1,"method":"unlisten",
    "params":{"listener":%s}}""".replace(b"\n", b"") % sys.argv[2].encode() + b"\n")
s.settimeout(5)
while b"\"id\":1" not in s.recv(4096):
    pass' "$work/2.sock" "$number" || fail "unlisten: no answer"
within 5 shows idle 'Withdrawn' || fail "not withdrawn: $(cat "$work/idle.tty")"
wait "$asked" && fail "connected to a listener that has ended"
kill -TERM "$pid"
wait "$pid"

# ---- offers that come faster than they are answered are read ----

# flood: prints what a daemon sends that has a listener and 8000 offers for it,
# the first without an address.
flood() {
	echo '{"jsonrpc":"2.0","method":"hello","params":{"protocol":1}}'
	printf '{"id":1,"result":{"listener":1,"public_key":"%s"}}\n' "$peer"
	seq 8000 | sed 's/.*/{"method":"offer","params":{"request":1,"conn":&,'\
'"listener":1,"public_key":"'"$peer"'","address":"127.0.0.1:9"}}/;1s/"127.*9"/null/'
	: >"$work/all"
	sleep 5
}
flood | "$pretend" "$work/other.sock" &
children="$children $!"
within 5 test -S "$work/other.sock" || fail "no pretender"
python3 "$(dirname "$0")/terminal.py" "$work/flood.tty" '' "$dhtctl" \
    --control "$work/other.sock" listen --ask --exec cat \
    </dev/null >"$work/flood.out" 2>"$work/flood.err" &
pid=$!
children="$children $pid"
within 4 test -e "$work/all" || fail "the offers are not read"
shows flood 'at an unknown address wants to connect' ||
    fail "not asked: $(cat "$work/flood.tty")"
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
