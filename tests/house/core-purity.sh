#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

# archive: compiles what is planted into a library of its own.
archive() {
	rm -f "$planted"/*.a
	for source in "$planted"/*.c; do
		${CC:-cc} -O1 -fPIE -c -o "${source%.c}.o" "$source" || exit 99
	done
	"${AR:-ar}" cr "$planted/core.a" "$planted"/*.o || exit 99
}

purity() {
	"$top/scripts/core-purity.sh" "$planted/core.a"
}

plant good.c <<'X'
#include <string.h>
static const char *const words[] = {"a", "b"};
int same(void) { return strcmp(words[0], words[1]); }
X
archive
passes purity

plant bad.c <<'X'
#include <stdio.h>
#include <time.h>
extern int same(void);
int counter;
static long last = 3;
long now(void) { counter++; puts("now"); return last += time(0) + same(); }
X
archive
finds purity \
    'bad.o.*may not call time' \
    'bad.o.*may not call puts' \
    'bad.o: keeps a variable, counter in .bss' \
    'bad.o: keeps a variable, last in .data'

[ "$verdict" -eq 0 ] || exit 1
"$top/scripts/core-purity.sh" libcore.a
