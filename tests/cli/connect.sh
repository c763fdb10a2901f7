#!/bin/sh
# SPDX-License-Identifier: ISC
#
# listen and connect between daemons: bytes come through whole, each side may
# end first, many peers are served at once, and every way to fail has its own
# exit code and sentence.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 3
tab=$(printf '\t')
asked=

# listens NAME OPTION...: in the background, with the daemon 2; its key is in
# $key and its process in $pid. What the stream brings is in the file NAME.
listens() {
	name=$1
	shift
	rm -f "$work/$name"
	mkfifo "$work/$name.in"
	"$dhtctl" --control "$work/2.sock" listen "$@" <"$work/$name.in" >"$work/$name" \
	    2>"$work/$name.err" &
	pid=$!
	children="$children $pid"
	exec 9>"$work/$name.in"
	rm "$work/$name.in"
	within 20 has_key || fail "listen $*: $(cat "$work/$name.err")"
	key=$(key_said)
}

key_said() {
	grep -hEx '[a-z0-9]{52}' "$work/$name" "$work/$name.err"
}

has_key() {
	[ -n "$(key_said)" ]
}

# ends_well PID WHAT
ends_well() {
	code=0
	wait "$1" || code=$?
	[ $code -eq 0 ] || fail "$2 ended with $code"
}

# ---- one connection, joined with standard input and output ----

listens once --once
echo "$key" | grep -Eqx '[a-z0-9]{52}' || fail "no key but: $key"
[ "$key" = "$(at 2 key show)" ] || fail "not the node's own key: $key"
echo answer >&9
exec 9>&-
[ "$(echo question | at 3 connect "$key")" = answer ] || fail "no answer"
ends_well "$pid" 'listen --once'
[ "$(cat "$work/once")" = question ] || fail "no question"

# Either end may be first to end, and more than all buffers hold comes through.
head -c 5000000 /dev/urandom >"$work/big"
listens first --once
exec 9>&-
at 3 connect "$key" <"$work/big" >"$work/none" || fail "connect: $?"
ends_well "$pid" 'listen'
cmp -s "$work/first" "$work/big" || fail "5 MB came through as something else"
[ ! -s "$work/none" ] || fail "bytes out of nowhere"
listens second --once
cat "$work/big" >&9 &
exec 9>&-
at 3 connect "$key" </dev/null >"$work/got" || fail "connect: $?"
ends_well "$pid" 'listen'
cmp -s "$work/got" "$work/big" || fail "5 MB came back as something else"

# ---- a command for each connection ----

listens echo --exec 'echo "$DHTCTL_PEER"; cat'
peer=$(at 3 key show)
for i in 1 2 3 4 5 6 7 8; do
	echo "number $i" | at 3 connect "$key" >"$work/echo.$i" &
	asked="$asked $!"
done
for i in $asked; do
	ends_well "$i" "one of eight"
done
for i in 1 2 3 4 5 6 7 8; do
	[ "$(cat "$work/echo.$i")" = "$peer
number $i" ] || fail "number $i got $(cat "$work/echo.$i")"
done
at 3 connect "$key" <"$work/big" | tail -n +2 | cmp -s - "$work/big" ||
    fail "5 MB were not echoed"
prints "^$key${tab}[1-9]" at 2 listeners

# Checks what is reported of a connection while it is open.
mkfifo "$work/slow"
at 3 connect "$key" <"$work/slow" >"$work/seen" &
slow=$!
children="$children $slow"
exec 8>"$work/slow"
echo hold >&8
within 10 grep -q hold "$work/seen" || fail "no echo"
prints "^$key${tab}[a-z]+$tab$host:[0-9]+${tab}[0-9]+$tab" at 3 connections
prints "^$peer$tab" at 2 connections
prints '^\{"connections":\[\{"conn":' at 2 connections --json
exec 8>&-
ends_well $slow "the slow one"
prints 'open: ' at 3 explain "$key"
prints '^\{"attempts":\[' at 3 explain --json
kill -INT "$pid"
code=0
wait "$pid" || code=$?
[ $code -eq 130 ] || fail "listen was interrupted with $code"
is_silent() {
	[ -z "$(at 2 listeners)" ]
}
within 5 is_silent || fail "the listener outlives its client"

# ---- limits of a listener ----

# One connection of each key: the second one of node 3 is refused within the
# handshake, node 1 gets in.
listens few --exec cat --max-per-peer 1
mkfifo "$work/held"
at 3 connect "$key" <"$work/held" >"$work/few.out" &
held=$!
children="$children $held"
exec 8>"$work/held"
echo held >&8
within 10 grep -q held "$work/few.out" || fail "--max-per-peer: no echo"
ends 1 'half a minute' at 3 connect "$key"
[ "$(echo other | at 1 connect "$key")" = other ] ||
    fail "--max-per-peer: another key is not admitted"
echo still >&8
within 10 grep -q still "$work/few.out" || fail "--max-per-peer: no echo"
exec 8>&-
ends_well $held "the one that was held"
[ "$(echo again | at 3 connect "$key")" = again ] ||
    fail "--max-per-peer: the slot is not free again"
kill -INT "$pid"
wait "$pid"

# A connection on which nothing moves ends, and the daemon says why.
listens brief --once --idle 1
mkfifo "$work/idle"
at 3 connect "$key" <"$work/idle" 2>"$work/idle.err" &
held=$!
children="$children $held"
exec 8>"$work/idle"
code=0
wait "$pid" || code=$?
[ $code -eq 10 ] || fail "listen --idle: $code: $(cat "$work/brief.err")"
grep -q 'no data moved' "$work/brief.err" ||
    fail "listen --idle: $(cat "$work/brief.err")"
code=0
wait $held || code=$?
[ $code -eq 10 ] || fail "connect to listen --idle: $code"
exec 8>&- 9>&-

# The limit of all listeners: full is full, also for another key.
node_starts 5 --role persistent --port auto --bootstrap "$host:$port" \
    --listener-connections 1
within 20 knows 5 3 || fail "node 5 does not know the others"
"$dhtctl" --control "$work/5.sock" listen --exec cat >"$work/full" \
    2>"$work/full.err" &
pid=$!
children="$children $pid"
within 20 grep -Eqx '[a-z0-9]{52}' "$work/full" || fail "node 5 does not listen"
key=$(cat "$work/full")
mkfifo "$work/one"
at 3 connect "$key" <"$work/one" >"$work/one.out" &
held=$!
children="$children $held"
exec 8>"$work/one"
echo one >&8
within 10 grep -q one "$work/one.out" || fail "a full listener: no echo"
ends 1 'half a minute' at 1 connect "$key"
exec 8>&-
ends_well $held "the one of a full listener"
[ "$(echo two | at 1 connect "$key")" = two ] || fail "it stays full"
kill -INT "$pid"
wait "$pid"

# ---- keys ----

named=$(at 2 key new web) || fail "key new web"
prints "^web$tab$named\$" at 2 key
prints "^-$tab$(at 2 key show)\$" at 2 key list
prints "^$named\$" at 2 key show web
ends 1 'you have a key named web already' at 2 key new web
ends 1 'you have no key named mail' at 2 key show mail
ends 1 'small letters' at 2 key new ../key
ends 1 'you have no key named mail' at 2 listen --name mail
listens web --once --name web --allow "$peer"
[ "$key" = "$named" ] || fail "--name web listens as $key"
exec 9>&-
echo hello | at 3 connect "$key" || fail "the allowed key: $?"
ends_well "$pid" 'listen --allow'
listens file --once --key "$work/seed"
grep -q 'created a new key' "$work/file.err" || fail "a key was made silently"
[ "$(stat -c %a "$work/seed")" = 600 ] || fail "the key file is open"
made=$key
exec 9>&-
at 3 connect "$key" </dev/null || fail "connect to a key of a file: $?"
ends_well "$pid" 'listen --key'
listens file --once --key "$work/seed"
[ "$key" = "$made" ] || fail "the key of the file has changed"
exec 9>&-
at 3 connect "$key" </dev/null || fail "connect again: $?"
ends_well "$pid" 'listen --key'
chmod 644 "$work/seed"
ends 1 'other users can read' at 2 listen --key "$work/seed"
echo x >"$work/seed"
ends 1 'not one line of 64 hex digits' at 2 listen --key "$work/seed"

# ---- each failure has its own message ----

nobody=$(at 1 key new nobody)
# y = 2 lies on no point of the curve.
no_point=0200000000000000000000000000000000000000000000000000000000000000
ends 6 'no node knows this key' at 3 connect "$nobody"
prints 'failed: nothing was found' at 3 explain "$nobody"
prints 'is it complete' at 3 explain "$nobody"
ends 1 'no recent attempts' at 3 explain "$(at 1 key show)"
ends 2 'expected a public key' at 3 connect "${nobody}o"
# A key may be dialed with itself; here it does not listen.
ends 6 'no node knows this key' at 3 connect "$(at 3 key show)"
ends 2 'not a valid public key' at 3 connect "$no_point"
listens shut --once --allow "$nobody"
ends 9 'does not admit your key' at 3 connect --timeout 20 "$key"
kill -INT "$pid"
wait "$pid"

# A node that is alone gets no answers.
node_starts 4 --role persistent --port auto --bootstrap "$host:1"
within 10 at 4 status || fail "node 4 did not start"
ends 7 'is this machine online' at 4 connect "$nobody"
ends 7 'no node of the network' at 4 lookup tea
ends 7 'no node of the network' at 4 find-peer "$nobody"
ends 7 'no node of the network' at 4 get "$(printf '%064d' 0)"
ends 7 'no node of the network' at 4 put value

# fails_as CODE REASON TEXT: checks the message for a reason of the daemon.
fails_as() {
	reason='"data":{"err_name":"'$2'","err_text":"t"}'
	printf '%s\n%s\n' \
	    '{"jsonrpc":"2.0","method":"hello","params":{"protocol":1}}' \
	    '{"id":1,"error":{"code":-32000,"message":"m",'"$reason"'}}' \
	    >"$work/input"
	"$pretend" "$work/other.sock" <"$work/input" &
	children="$children $!"
	within 5 test -S "$work/other.sock" || fail "no pretender"
	ends "$1" "$3" "$dhtctl" --control "$work/other.sock" connect "$nobody"
	wait $!
}

fails_as 1 limit 'connect: m'
fails_as 1 peer-busy 'half a minute'
fails_as 4 peer-refused 'does not admit your key'
fails_as 5 timeout 'longer'
fails_as 6 not-found 'is it complete'
fails_as 7 unreachable 'online'
fails_as 8 peer-version 'needs an update'
fails_as 9 no-answer 'does not admit'
fails_as 10 reset 'lost'
fails_as 11 no-path 'firewalls'
fails_as 11 nat-random 'reached from outside'

# The daemon of the peer is stopped: that is no regular end.
listens lost
at 3 connect "$key" </dev/zero >/dev/null 2>"$work/lost.out" &
asked=$!
children="$children $asked"
is_open() {
	at 3 connections | grep -q "$key"
}
within 10 is_open || fail "no connection"
at 2 stop || fail "stop: $?"
code=0
wait $asked || code=$?
[ $code -eq 10 ] || fail "lost with $code: $(cat "$work/lost.out")"
grep -q 'connection was lost' "$work/lost.out" || fail "the loss is not told"
exec 9>&-
exit $verdict
