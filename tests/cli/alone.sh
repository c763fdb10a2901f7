#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The first node of a network serves itself: what it puts and announces is found
# by itself at once, and by nodes that join later.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

tab=$(printf '\t')
network_starts 1
prints 'alone' at 1 status
hash=$(at 1 put hello) || fail "put"
[ "$(at 1 get "$hash")" = hello ] || fail "get"
key=$(at 1 put --mutable one) || fail "put --mutable"
[ "$(at 1 put --mutable two)" = "$key" ] || fail "put --mutable again"
[ "$(at 1 get --mutable "$key")" = two ] || fail "get --mutable"
ends 1 'later sequence number' at 1 put --mutable --seq 0 less
prints "^stored${tab}1" at 1 announce tea
prints "^$key$tab" at 1 lookup tea
at 1 announce coffee >/dev/null || fail "announce"
at 1 unannounce coffee >/dev/null || fail "unannounce"
ends 1 'nothing was found' at 1 lookup coffee
ends 1 'nothing was found' at 1 get "$(printf '%064d' 0)"

number=2
node_starts 2 --role persistent --port auto --bootstrap "$host:$port"
within 20 knows 2 1 || fail "node 2 does not join"
[ "$(at 2 get "$hash")" = hello ] || fail "get at node 2"
[ "$(at 2 get --mutable "$key")" = two ] || fail "get --mutable at node 2"
prints "^$key$tab" at 2 lookup tea
[ "$(at 1 put --mutable three)" = "$key" ] || fail "put --mutable in a network"
[ "$(at 2 get --mutable "$key")" = three ] || fail "the old value is returned"
[ "$(at 1 get --mutable "$key")" = three ] || fail "the old value is kept"
exit $verdict
