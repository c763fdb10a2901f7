#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || exit 77

structure() {
	"$top/scripts/structure.sh" "$planted"
}

# list: the violations, as a failure, so that finds can read it.
list() {
	"$top/scripts/structure.sh" --list "$planted"
	return 1
}

# members COUNT TYPE: so many lines of a struct.
members() {
	for i in $(seq "$1"); do
		echo "	$2 m$i;"
	done
}

plant src/daemon/main.c <<'X'
#define EACH(X) X(a) X(b)
#define MEMBER(n) bool n;
/* struct index { int this; }; */
struct rows {
	EACH(MEMBER)
	TAILQ_ENTRY(rows) link;
	int (*compare)(const void *a, const void *b), count[4], *p;
};
enum kind { KIND_ONE, KIND_TWO = (1, 2) };
static const char *s = "int open() {";
static int table[] = {sizeof(int)};
int
main(int argc, char *argv[])
{
	struct rows r = {.p = (int[]){1}};
	if (argc) { return wait(0); }
}
static struct rows *
find_rows(void (*f)(int), struct rows r) { return 0; }
X
{
	echo 'struct most {'
	members 6 bool
	echo '	union { int x; char y; };'
	members 24 int
	echo '};'
} | plant src/peer/most.h
plant src/peer/main.c <<'X'
struct most;
X
passes structure

plant src/udx/inside.h <<'X'
struct most { int a; };
enum shape { KIND_ROUND, KIND_FLAT };
enum mode { ECHO, QUIET };
struct catch { int a, class; };
X
{
	echo 'struct wide {'
	members 31 int
	echo '	struct { int x, y; };'
	echo '};'
	echo 'struct flags {'
	members 6 bool
	echo '	unsigned bit : 1;'
	echo '};'
	echo 'static int find(int a) { return a; }'
	echo 'int pipe(int a) { return a; }'
} | plant src/udx/most.h
for i in $(seq 13); do
	echo 'int a;' | plant "src/daemon/unit$i.c"
done
finds structure 'one-word .* 50 .*FAILS'
finds list \
    'src/udx/most.h:44: one-word function names: find()' \
    'src/udx/most.h:45: one-word function names: pipe()' \
    'src/udx/inside.h:1: tags defined twice: struct most .* src/peer/most.h:1' \
    'src/udx/inside.h:2: enum prefixes used twice: KIND_\*' \
    'src/udx/most.h:1: file names used twice: .*src/peer/most.h' \
    'src/udx/inside.h:3: names of C++ or libc: ECHO' \
    'src/udx/inside.h:4: names of C++ or libc: struct catch' \
    'src/udx/inside.h:4: names of C++ or libc: class in struct catch' \
    'src/udx/most.h:45: names of C++ or libc: pipe()' \
    'src/udx/most.h:1: structs above 32 members: struct wide: 33' \
    'src/udx/most.h:35: structs above 6 flags: struct flags: 7' \
    'src/udx/inside.h:1: headers named \*inside.h' \
    'src/daemon:1: directories with too many .c files: 14'
[ "$(list | wc -l)" -eq 13 ] || verdict=1

"$top/scripts/structure.sh" || verdict=1
exit "$verdict"
