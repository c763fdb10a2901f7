#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Every command against a network of three nodes: what one stores and
# announces another finds, text and JSON are as promised.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 3
tab=$(printf '\t')
hex='[0-9a-f]{64}'
z32='[a-z0-9]{52}'

# ---- state ----

prints "^public_key$tab$z32\$" at 1 status
prints "^role${tab}bootstrap\$" at 1 status
prints '^\{"version":".*\}$' at 1 status --json
prints "^$host:[0-9]+$tab$hex$tab" at 1 nodes
prints '^\{"nodes":\[\{"address":' at 1 nodes --json
prints '^\{"address":' at 1 nodes --ndjson
prints "^rx_datagrams${tab}[1-9]" at 1 stats
prints "^drop.malformed${tab}0\$" at 1 stats
prints '^\{"counters":\{' at 1 stats --json
prints "^table-prefix${tab}16${tab}16$tab" at 1 limits
prints "^$z32\$" at 1 key show
prints '"methods"' at 1 describe
prints '^\{.*"name":"lookup"' at 1 describe lookup --json
prints "^address$tab$host:$port\$" at 2 ping "$host:$port"
prints "^rtt_us${tab}[0-9]+\$" at 2 ping "$host:$port"
prints "^udp${tab}(yes|no|true|false)\$" at 2 netcheck
prints "^hairpin${tab}-\$" at 2 netcheck
prints '^\{.*"translated":false,.*"lifetime_min_s":null' at 2 netcheck --json
ends 130 interrupted timeout --preserve-status -s INT 8 "$dhtctl" --control "$work/2.sock" \
    netcheck --lifetime
# Where UDP does not get through, the report is printed and the command fails.
node_starts 4 --role persistent --port auto --bootstrap "$host:1"
within 10 at 4 status || fail "node 4 did not start"
at 4 netcheck >"$work/blocked" 2>"$work/reason"
code=$?
[ "$code" -eq 7 ] || fail "netcheck without UDP ends with $code, not 7"
grep -q "^udp${tab}no\$" "$work/blocked" || fail "netcheck without UDP prints nothing"
grep -q 'UDP does not get through' "$work/reason" ||
    fail "netcheck without UDP gives no reason"
# The text output replaces dashes by words.
if [ -n "$(command -v script)" ]; then
	script -qec "$dhtctl --control $work/2.sock netcheck" /dev/null \
	    </dev/null >"$work/terminal"
	for words in 'none: this machine has the public address' \
	    'not tried: there is no NAT' 'not known, and not needed' \
	    'none since the daemon was started' 'every 3 to 5 s'; do
		grep -q "$words" "$work/terminal" ||
		    fail "a terminal does not say: $words"
	done
fi
prints "^$host:[0-9]+$tab$hex\$" at 2 find-node "$(printf '%064d' 0)"
prints '^\{"nodes":\[.*"replies":' at 2 find-node "$(printf '%064d' 0)" --json

# ---- values: the very bytes come back ----

head -c 1000 /dev/urandom >"$work/value"
hash=$(at 2 put <"$work/value") || fail "put"
echo "$hash" | grep -Eqx "$hex" || fail "put printed $hash"
at 3 get "$hash" >"$work/got" || fail "get"
cmp -s "$work/value" "$work/got" || fail "get gave other bytes"
prints '"value_b64": "aGVsbG8="|"value_b64":"aGVsbG8="' \
    at 3 get --json "$(at 2 put hello)"
key=$(at 2 key show)
[ "$(at 2 put --mutable --seq 3 three)" = "$key" ] || fail "put --mutable"
[ "$(at 3 get --mutable "$key")" = three ] || fail "get --mutable"
at 2 put --mutable --seq 4 four >/dev/null || fail "put --mutable again"
[ "$(at 3 get --mutable "$key" --seq 4)" = four ] || fail "get --seq 4"
ends 1 'nothing was found' at 3 get --mutable "$key" --seq 5
ends 1 'later sequence number' at 2 put --mutable --seq 3 less
ends 1 'another value' at 2 put --mutable --seq 4 other
[ "$(at 2 put --mutable five)" = "$key" ] || fail "put --mutable without --seq"
prints '"seq":5[,}]' at 3 get --mutable "$key" --json
at 2 key new signer >/dev/null || fail "key new"
other=$(at 2 put --mutable --name signer mine) || fail "put --name"
[ "$other" = "$(at 2 key show signer)" ] || fail "put --name printed $other"
[ "$(at 3 get --mutable "$other")" = mine ] || fail "get of a named key"
[ "$(at 3 get --mutable "$key")" = five ] || fail "put --name wrote elsewhere"
ends 2 '--mutable' at 2 put --name signer mine
ends 1 'nothing was found' at 3 get "$(printf '%064d' 0)"

# ---- keys in files of other programs ----

at 2 key remove signer || fail "key remove"
ends 1 'no key named signer' at 2 key show signer
ends 2 'needs the NAME' at 2 key remove
umask_was=$(umask)
umask 077
printf '%064d\n' 0 >"$work/hex.key"
printf 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' >"$work/z32.key"
printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA====\n' \
    >"$work/b32.key"
printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB' >"$work/bad.key"
umask "$umask_was"
filed=$(at 2 put --mutable --key "$work/hex.key" 1) || fail "a key file in hex"
for form in z32 b32; do
	[ "$(at 2 put --mutable --key "$work/$form.key" $form)" = "$filed" ] ||
	    fail "a key file in $form"
	[ "$(at 3 get --mutable "$filed")" = $form ] || fail "put in $form"
done
ends 1 'base32' at 2 put --mutable --key "$work/bad.key" 1
prints "^public_key$tab$filed" at 2 announce filed --key "$work/b32.key"
prints "^$filed$tab" at 3 lookup filed
prints "^public_key$tab$filed" at 2 unannounce filed

# ---- topics ----

prints "^stored${tab}[1-9]" at 3 announce tea-drinkers
prints "^$(at 3 key show)$tab" at 2 lookup tea-drinkers
prints "\"public_key\":\"$(at 3 key show)\"" at 2 lookup tea-drinkers --ndjson
prints '^\{"peers":\[.*"replies":' at 2 lookup tea-drinkers --json
topic=$(at 3 announcements | cut -f 1)
prints "\"relays\":\[\"$host:[0-9]+\"" at 2 lookup tea-drinkers --ndjson
prints "^$(at 3 key show)$tab" at 2 lookup "$topic"
prints "^$topic${tab}$(at 3 key show)${tab}daemon${tab}yes" at 3 announcements
ends 1 'nothing was found' at 2 lookup coffee-drinkers
prints "^topic$tab$topic\$" at 3 unannounce tea-drinkers
ends 1 'nothing was found' at 2 lookup tea-drinkers
[ -z "$(at 3 announcements)" ] || fail "still announced"
ends 1 'nothing was found' at 2 find-peer "$key"

# ---- terminals ----

# on_terminal COMMAND...: prints its output on a terminal.
on_terminal() {
	TERM=xterm script -qec "$*" /dev/null </dev/null
}

bold=$(printf '\033[1m')
if command -v script >/dev/null; then
	status="'$dhtctl' --control '$work/1.sock' status"
	on_terminal "$status" | grep -qF "$bold" || fail "no bold on a terminal"
	on_terminal "NO_COLOR=1 $status" | grep -qF "$bold" &&
	    fail "NO_COLOR is not heeded"
	on_terminal "$status" | grep -q 'public key  ' || fail "not aligned"
fi
at 1 status | grep -q "$(printf '\033')" && fail "colour where it is piped"

# ---- the daemon ----

ends 0 '' at 1 reload
prints "^$z32\$" at 1 key new
[ "$(at 1 stop --json)" = '{}' ] || fail "stop --json"
ends 3 'no hyperdhtd' at 1 status
wait "$first" || fail "the daemon ended with $?"
exit $verdict
