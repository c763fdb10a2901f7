#!/bin/sh
# SPDX-License-Identifier: ISC
#
# join between daemons: whoever joins a topic meets the others, each once,
# however many topics they share; chat shows what peers say, and acts on none of
# it; a topic that is left is withdrawn.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 3

# chats NUMBER TOPIC...: in the background; what is written to descriptor
# NUMBER + 2 is said, what is heard is in chat NUMBER.
chats() {
	number=$1
	shift
	mkfifo "$work/in$number"
	"$dhtctl" --control "$work/$number.sock" join "$@" --chat \
	    <"$work/in$number" >"$work/chat$number" 2>"$work/err$number" 4>&- 5>&- &
	pid=$!
	children="$children $pid"
}

ends 2 'TOPIC... is missing' at 2 join
ends 2 'one of --exec and --chat' at 2 join tea --exec true --chat
ends 2 'give it alone' at 2 join tea --keep --chat
ends 2 'it does not take --idle' at 2 join tea --idle 1
ends 1 'nothing is known by that name' at 2 leave tea
ends 1 'nothing is known by that name' at 2 peers tea

# ---- chat ----

chats 2 tea milk
first=$pid
exec 4>"$work/in2"
chats 3 tea milk
second=$pid
exec 5>"$work/in3"
printf 'from two\n' >&4
printf 'from three \033[31m\342\200\256\n' >&5
within 20 grep -q 'from two' "$work/chat3" || fail "three hears nothing"
within 20 grep -q 'from three' "$work/chat2" || fail "two hears nothing"
grep -q '^[a-z0-9]\{8\}: from three <U+1B>\[31m<U+202E>$' "$work/chat2" ||
    fail "not made safe: $(cat -v "$work/chat2")"
sleep 1
[ "$(at 2 connections | wc -l)" -eq 1 ] ||
    fail "not one connection: $(at 2 connections)"
[ "$(at 2 topics | wc -l)" -eq 2 ] || fail "not two topics: $(at 2 topics)"
prints 'dialed|accepted' at 2 peers tea

# The end of the input ends the chat on both sides, also if the peer has left
# before.
exec 4>&-
within 10 grep -q 'has left' "$work/err3" || fail "two has not left"
exec 5>&-
wait "$first" || fail "the chat of two ended with $?: $(cat "$work/err2")"
wait "$second" || fail "the chat of three ended with $?: $(cat "$work/err3")"
[ -z "$(at 2 topics)" ] || fail "two has not left: $(at 2 topics)"

# ---- a command for each peer ----

"$dhtctl" --control "$work/2.sock" join coffee --server --exec cat \
    >"$work/served" 2>&1 &
children="$children $!"
within 10 grep -Eqx '[a-z0-9]{52}' "$work/served" || fail "no key"
[ "$(echo echo | at 3 join coffee --client --once 2>/dev/null)" = echo ] ||
    fail "no echo through a topic"

# ---- kept topics ----

at 3 key new other >"$work/out" || fail "no key other"
[ "$(at 3 join coffee --keep --name other | grep -c .)" -eq 1 ] ||
    fail "no key of a kept topic"
prints ' *[0-9a-f]{64}' at 3 topics
prints 'sessions.*1' at 3 leave coffee
[ -z "$(at 3 topics)" ] || fail "three has not left: $(at 3 topics)"

exit $verdict
