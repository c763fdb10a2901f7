#!/bin/sh
# SPDX-License-Identifier: ISC
#
# core-purity.sh [LIBRARY]: checks that the core calls only the functions listed
# in core-purity.allow and has no variable that can change. LIBRARY is libcore.a
# of the current directory unless given. Prints each breach as member: why.
# Exits with 77 if the build is instrumented, because it then calls others.
set -u

lib=${1:-libcore.a}
allow=$(dirname "$0")/core-purity.allow
nm=${NM:-nm}
objdump=${OBJDUMP:-objdump}
export LC_ALL=C

if [ ! -f "$lib" ]; then
	echo "core-purity: no $lib here" >&2
	exit 2
fi
symbols=$("$nm" -A -P "$lib") || exit 2
table=$("$objdump" -t "$lib") || exit 2

if echo "$symbols" | grep -qE ' __(asan|ubsan|gcov|sanitizer)_'; then
	echo "core-purity: skipped, $lib is instrumented"
	exit 77
fi

# Undefined and neither defined in another member nor on the list.
calls() {
	echo "$symbols" | awk -v allow="$allow" '
	BEGIN {
		while ((getline line < allow) > 0) {
			sub(/#.*/, "", line)
			n = split(line, word, /[ \t]+/)
			for (i = 1; i <= n; i++) ok[word[i]] = 1
		}
	}
	$3 == "U" { undefined[$2] = undefined[$2] " " $1; next }
	$3 ~ /^[A-Z]$/ { ok[$2] = 1 }
	END {
		for (name in undefined)
			if (!(name in ok) && name !~ /^__[a-z]+_chk$/)
				print undefined[name] " may not call " name
	}' | sort
}

# Objects in sections that stay writable once the program is loaded.
variables() {
	echo "$table" | awk -F '\t' '
	/file format/ { sub(/:.*/, ""); member = $0; next }
	NF == 2 {
		n = split($1, left, / +/)
		section = left[n]
		split($2, right, / +/)
		if (right[1] ~ /^0*$/ || section ~ /^\.data\.rel\.ro/)
			next
		if (section ~ /^(\.(data|bss|tdata|tbss)(\.|$)|\*COM\*)/)
			print member ": keeps a variable, " right[2] " in " section
	}'
}

breaches=$(calls; variables)
[ -z "$breaches" ] && exit 0
echo "$breaches"
echo "core-purity: $(echo "$breaches" | wc -l) breaches" >&2
exit 1
