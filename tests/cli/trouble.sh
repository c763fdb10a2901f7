#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Each failure between dhtctl and a daemon has its own exit code and a
# message that names what was tried, and leaves no operation in progress.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

hello='{"jsonrpc":"2.0","method":"hello","params":{"protocol":1}}'

# pretended CODE TEXT INPUT [hang-up]: runs `dhtctl status` against another
# program.
pretended() {
	want=$1
	text=$2
	printf '%s' "$3" >"$work/input"
	shift 3
	"$pretend" "$work/other.sock" "$@" <"$work/input" &
	children="$children $!"
	within 5 test -S "$work/other.sock" || fail "no pretender"
	ends "$want" "$text" "$dhtctl" --control "$work/other.sock" \
	    --timeout 1 status
	wait $!
}

line='
'
pretended 1 'is not hyperdhtd: it sent a line that is not JSON' "HTTP/1.1$line"
pretended 1 'is not hyperdhtd: it sent a line that is not JSON' "[1]$line"
pretended 1 'is not hyperdhtd: it sent no greeting' "{}$line"
pretended 1 'is not hyperdhtd: it sent a line of more than 65536' \
    "$(head -c 70000 /dev/zero | tr '\0' x)"
pretended 1 'is not hyperdhtd: it sent no greeting' '' hang-up
pretended 1 'speaks protocol 2 and this dhtctl 1' \
    '{"method":"hello","params":{"protocol":2}}'"$line"
pretended 1 'it sent an answer without a result' \
    '{"method":"hello","params":{"protocol":1}}'"$line"'{"id":1,"result":null}'"$line"
pretended 4 'you may not' '{"id":null,"error":{"code":-32001,"message":"you may not"}}'"$line"
pretended 5 'no answer within 1 s' ''
pretended 5 'no answer within 1 s' "$hello$line"
pretended 1 'has closed the connection' "$hello$line" hang-up
pretended 1 'has closed the connection: too slow' \
    "$hello$line"'{"method":"dropped","params":{"reason":"too slow"}}'"$line"
pretended 1 'without a text' "$hello$line"'{"id":1,"error":7}'"$line"

network_starts 1

# The other end is silent, and the wait has an end.
ends 5 'no reply was received' at 1 ping "$host:1"
ends 5 'no answer within 0 s\|no answer within 1 s' at 1 --timeout 1 \
    ping "$host:1"

# The error names the limit that was reached and the option that raises it.
node_starts 3 --role persistent --port auto --bootstrap "$host:$port" \
    --announcements 1
within 20 knows 3 1 || fail "node 3 does not know the other"
at 3 announce one >/dev/null || fail "the first announcement failed"
ends 1 'the limit "announcements" of 1 is reached: the option --announcements' \
    at 3 announce two
ends 1 'dhtctl key: there is no\|dhtctl key: you have no' at 3 key show none
at 3 stop || fail "node 3 does not stop"

# An interrupt ends the operation at the daemon, too.
"$dhtctl" --control "$work/1.sock" ping "$host:1" 2>"$work/err" &
asked=$!
children="$children $asked"
is_asked() {
	at 1 status | grep -q '^operations.[1-9]'
}
within 5 is_asked || fail "no operation is under way"
kill -INT $asked
code=0
wait $asked || code=$?
[ $code -eq 130 ] || fail "interrupted with $code"
grep -q interrupted "$work/err" || fail "the interrupt is not told"
at 1 status | grep -q '^operations.0' || fail "the operation goes on"

# So does the death of a client.
"$dhtctl" --control "$work/1.sock" ping "$host:1" 2>/dev/null &
asked=$!
within 5 is_asked || fail "no operation is under way"
kill -KILL $asked
wait $asked 2>/dev/null
is_over() {
	at 1 status | grep -q '^operations.0'
}
within 5 is_over || fail "a dead client's operation goes on"

# A page of a list goes on after any number: none ends the daemon, and a number
# that no element has ends the list or goes on behind it.
if command -v python3 >/dev/null; then
	python3 - "$work/1.sock" <<'X' || fail "a cursor ended the daemon"
import json, socket, sys

s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rw")
f.readline()
for method in "nodes", "connections", "listeners", "announcements", "explain":
    for cursor in 0, 1, 2, 40, 1 << 20, (1 << 32) - 1:
        f.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                            "params": {"cursor": cursor}}) + "\n")
        f.flush()
        if "result" not in json.loads(f.readline()):
            sys.exit(1)
X
	at 1 status >/dev/null || fail "a cursor ended the daemon"
fi

# A file that other users may not open.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work"
	stranger="setpriv --reuid 65534 --regid 65534 --clear-groups"
	$stranger test -x "$dhtctl" && ends 4 'permission denied\|may not' \
	    $stranger "$dhtctl" --control "$work/1.sock" status
	chmod 666 "$work/1.sock"
	$stranger test -x "$dhtctl" && ends 4 'you may not use this daemon' \
	    $stranger "$dhtctl" --control "$work/1.sock" status
fi

# Two daemons on one socket.
code=0
"$hyperdhtd" --config "$work/empty.conf" --host "$host" --port auto \
    --state-dir "$work/state2" --control "$work/1.sock" 2>"$work/err" ||
	code=$?
[ $code -ne 0 ] || fail "a second daemon took the socket"
grep -q 'another hyperdhtd is already running' "$work/err" ||
	fail "the second daemon said: $(cat "$work/err")"
at 1 status >/dev/null || fail "the first daemon lost its socket"

# A watcher receives events, and the end; kill -9 leaves a socket that is
# replaced.
at 1 watch >"$work/out" 2>"$work/err" &
watcher=$!
children="$children $watcher"
has_two_clients() {
	at 1 status | grep -q '^clients.2'
}
# The watcher is there; a moment more, and it has asked for what it wants.
is_watched() {
	within 5 has_two_clients && sleep 1
}
is_watched || fail "nobody watches"
kill -KILL "$first"
code=0
wait $watcher || code=$?
[ $code -eq 1 ] || fail "the watcher ended with $code"
grep -q 'has closed the connection' "$work/err" || fail "the watcher is not told"
ends 3 'no hyperdhtd is running' at 1 status
port=4001
network_starts 1
at 1 watch stopping >"$work/out" 2>"$work/err" &
watcher=$!
children="$children $watcher"
is_watched || fail "nobody watches"
kill -TERM "$first"
wait "$first" || fail "the daemon ended with $?"
wait $watcher
grep -q 'stopping$' "$work/out" || fail "the end is no event"
[ ! -e "$work/1.sock" ] || fail "the socket is left behind"
exit $verdict
