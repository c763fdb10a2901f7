#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The programs of doc/examples against peers of three kinds: one that sends
# first, one that reads late, and one that is read late.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

examples=$(cd "$top" && pwd)/doc/examples
export PYTHONDONTWRITEBYTECODE=1
control=$work/3.sock

# listens NAME COMMAND: node 2 runs it for each peer; its key is in $key.
listens() {
	rm -f "$work/key"
	at 2 key new "$1" >/dev/null
	"$dhtctl" --control "$work/2.sock" listen --name "$1" --exec "$2" >"$work/key" \
	    2>"$work/listen.err" </dev/null &
	children="$children $!"
	within 20 test -s "$work/key" || fail "listen: $(cat "$work/listen.err")"
	key=$(cat "$work/key")
}

# gives WHAT FILE COMMAND...: with the big file as input, it prints FILE.
gives() {
	what=$1
	want=$2
	shift 2
	code=0
	"$@" <"$work/big" >"$work/out" 2>"$work/err" || code=$?
	[ $code -eq 0 ] || fail "$what: ended with $code: $(cat "$work/err")"
	cmp -s "$want" "$work/out" || fail "$what: another output"
}

head -c 3000000 /dev/urandom >"$work/big"
{
	echo first
	cat "$work/big"
} >"$work/first"
network_starts 3

clients=
if command -v python3 >/dev/null; then
	clients=connect.py
fi
for pair in node:connect.js socat:connect.sh; do
	command -v "${pair%:*}" >/dev/null && clients="$clients ${pair#*:}"
done
if [ -z "$clients" ]; then
	echo "skipped: no python3, node or socat on this machine"
	exit 77
fi
echo "clients: $clients"

listens speaker 'echo first; cat'
speaker=$key
listens sleeper 'sleep 2; cat'
sleeper=$key
for client in $clients; do
	for round in 1 2 3 4 5; do
		gives "$client, round $round, the peer sends first" "$work/first" \
		    timeout 60 "$examples/$client" "$control" "$speaker"
	done
	gives "$client, the peer reads late" "$work/big" \
	    timeout 60 "$examples/$client" "$control" "$sleeper"
	timeout 60 "$examples/$client" "$control" "$speaker" <"$work/big" \
	    2>"$work/err" | (sleep 2 && cat) >"$work/out"
	cmp -s "$work/first" "$work/out" || fail "$client, read late: another output"
	if timeout 60 "$examples/$client" "$control" xyz </dev/null \
	    >"$work/out" 2>"$work/err"; then
		fail "$client: a wrong key is no error"
	fi
	grep -q 'public_key' "$work/err" || fail "$client: $(cat "$work/err")"
done

command -v python3 >/dev/null || exit $verdict
at 2 announce examples >/dev/null
"$examples/lookup.py" "$control" examples >"$work/out" 2>"$work/err" ||
	fail "lookup.py: $(cat "$work/err")"
grep -qx "$(at 2 key show)" "$work/out" || fail "lookup.py finds: $(cat "$work/out")"

"$examples/serve.py" "$work/1.sock" >"$work/served" 2>"$work/serve.err" &
children="$children $!"
within 20 test -s "$work/served" || fail "serve.py: $(cat "$work/serve.err")"
key=$(cat "$work/served")
seq 1 400000 | tr '1-9' 'a-i' >"$work/big"
{
	echo hello
	tr a-z A-Z <"$work/big"
} >"$work/upper"
for round in 1 2; do
	gives "serve.py, peer $round" "$work/upper" \
	    timeout 60 "$dhtctl" --control "$control" connect "$key"
done
gives "serve.py, its peer reads late" "$work/upper" \
    timeout 60 sh -c "'$dhtctl' --control '$control' connect $key | { sleep 2; cat; }"
exit $verdict
