#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Every scenario refuses a network, a duration and an amount that are too small
# for it, with a message and the exit code of wrong usage.
set -u

sim=${SIM:-./hyperdht-sim}
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM
verdict=0

# refused SCENARIO OPTION VALUE
refused() {
	timeout 10 "$sim" --quiet --scenario "$1" "--$2" "$3" >"$out" 2>&1
	code=$?
	test "$code" -eq 2 && grep -q "needs --$2 of at least" "$out" && return
	echo "FAIL: $1 --$2 $3: exit $code: $(tail -n 1 "$out")"
	verdict=1
}

refused flood nodes 12
refused flood amount 0
refused lifetime minutes 0

# Reads lines of --list: NAME nodes N, at least L; minutes M: ...
list=$("$sim" --list | tr -d ',;:' | awk '{ print $1, $6 }')
while read -r name least; do
	refused "$name" nodes $((least - 1))
done <<EOF
$list
EOF
exit "$verdict"
