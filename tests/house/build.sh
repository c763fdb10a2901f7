#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A build tree that is configured with other options compiles everything again,
# one with the same options nothing, and one is used as it is if no options are
# given.

# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

scripts=$top/scripts
top=$planted
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

plant configure <<'X'
#!/bin/sh
cat >Makefile <<END
all: object
object:
	echo "compiled with $*" >object
clean:
	rm -f object
END
touch config.status
X
chmod +x "$planted/configure"

# compiled OPTIONS TEXT: what a build with these options leaves.
compiled() {
	# shellcheck disable=SC2086
	build_in "$planted/build" $1 >"$planted/log" 2>&1 || verdict=1
	grep -qx -- "compiled with -q *$2" "$planted/build/object" && return
	echo "FAIL: built with '$1', found: $(cat "$planted/build/object")"
	verdict=1
}

compiled '' ''
compiled '--enable-werror' '--enable-werror'
echo "compiled with -q kept" >"$planted/build/object"
compiled '--enable-werror' 'kept'
compiled '' 'kept'
compiled 'CC=clang --enable-werror' 'CC=clang --enable-werror'
exit $verdict
