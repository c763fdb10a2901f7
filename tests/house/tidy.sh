#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

tidy() {
	"$top/scripts/tidy.sh" "$planted"
}

# function LINES: a function of so many lines from brace to brace.
function_of() {
	printf 'void\nlong_one(void)\n{\n'
	awk -v n="$1" 'BEGIN { for (i = 2; i < n; i++) print "\ti++;" }'
	printf '}\n'
}

spdx='/* SPDX-License-Identifier: ISC */'
wide=$(printf '%0100d' 0)

plant Makefile.am <<'X'
libcore_a_SOURCES = src/base/good.c src/base/bad.c src/base/licence.c
X
{
	echo "$spdx"
	echo "/* strcpy(a, b) is banned; § and \"atoi(\" may be named. */"
	echo "static const char *s = \"system(1) \\\" gets(2)\";"
	echo "int my_system(void);"
	echo "// ${wide#0000}"
	function_of 70
} | plant src/base/good.c
passes tidy

{
	echo "$spdx"
	echo "int unused; "
	printf '\t\t%s\n' "// ${wide#000000000000000000}"
	echo "/* TO""DO: later */"
	echo "	s = strcpy(a, b);"
	echo "	/* so */ n = atoi (s);"
	echo "	double d;"
	function_of 71
} | plant src/base/bad.c
echo "int a;" | plant src/base/licence.c
echo "$spdx" | plant src/base/forgotten.c
echo "echo" | plant scripts/bare.sh
finds tidy \
    'src/base/bad.c:2: white space at the end' \
    'src/base/bad.c:3: longer than 100 columns' \
    'src/base/bad.c:4: a note of unfinished work' \
    'src/base/bad.c:5: banned call: strcpy' \
    'src/base/bad.c:6: banned call: atoi' \
    'src/base/bad.c:7: floating point in the core' \
    'src/base/bad.c:80: a function of 71 lines' \
    'src/base/licence.c:1: line 1 is not the SPDX line' \
    'Makefile.am:1: src/base/forgotten.c is not named' \
    'scripts/bare.sh:1: no SPDX line'

"$top/scripts/tidy.sh" || verdict=1
exit "$verdict"
