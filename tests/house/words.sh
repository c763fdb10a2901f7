#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || exit 77

words() {
	"$top/scripts/words.sh" --tree "$planted"
}

# list: the lines that offend, as a failure, so that finds can read it.
list() {
	"$top/scripts/words.sh" --list --tree "$planted"
	return 1
}

# subject TEXT: an empty commit in the planted tree.
subject() {
	git -C "$planted" -c user.name=n -c user.email=e commit -q \
	    --allow-empty -m "$1"
}

# prose WORDS: so many words without a verb.
prose() {
	echo "/*"
	seq "$1" | sed 's/.*/ * packet/'
	echo " */"
}

# Names of functions and members are not prose.
plant src/base/good.c <<'X'
/* Returns the length. Sends nothing, frees the buffer that tells() filled. */
int who = 1; /* Adds the_one_who_said and closes x.says. */
X
plant doc/good.md <<'X'
Prints the state of each node of the network, and for how long it has had it.
X
plant tests/vectors/someone.h <<'X'
/* Who said so? Somebody told nobody whose packet was heard. */
X
passes words

plant src/base/bad.c <<'X'
/*
 * Whoever told the peer is not heard any more, and nobody
 * says so. */
int a; // that somebody's packet
const char *s = "who calls", *t = "whom";
X
plant doc/dhtctl.1 <<'X'
Find those whose keys are known, and who says so.
X
plant tests/run.sh <<'X'
#!/bin/sh
# Anyone else is told.
X
finds words 'comments, who .*FAILS' 'comments, told .*FAILS' \
    'user texts, who .*FAILS'
finds list \
    'src/base/bad.c:2: Whoever, nobody: ' \
    'src/base/bad.c:2: told, heard: ' \
    'src/base/bad.c:3: says: ' \
    "src/base/bad.c:4: somebody's: " \
    'src/base/bad.c:5: who: who calls' \
    'doc/dhtctl.1:1: whose, who: ' \
    'tests/run.sh:2: Anyone: '
[ "$(list | wc -l)" -eq 8 ] || verdict=1

rm "$planted/src/base/bad.c" "$planted/doc/dhtctl.1" "$planted/tests/run.sh"
prose 1000 | plant src/base/prose.h
finds words 'comments, verbs .*FAILS'
rm "$planted/src/base/prose.h"
words | grep -q 'commits .*skipped' || verdict=1
if command -v git >/dev/null && git init -q "$planted" 2>/dev/null; then
	subject 'begin, badly'
	WORDS_BASE=$(git -C "$planted" rev-parse HEAD)
	export WORDS_BASE
	subject 'udx, peer: give loss recovery its own struct'
	subject 'tests/sim: add a scenario'
	passes words
	subject 'udx: a stream that moves'
	subject 'Fix the build'
	subject 'udx: fix the build.'
	finds words 'not "module: imperative": udx: a stream that moves' \
	    'imperative": Fix the build' 'imperative": udx: fix the build\.' \
	    'commits  *3\.00 .*FAILS'
	unset WORDS_BASE
fi

"$top/scripts/words.sh" || verdict=1
exit "$verdict"
