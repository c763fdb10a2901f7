#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mutants.sh BUILD: checks that the simulator detects broken rules. Each patch
# in mutants/ breaks one in a copy of one source file; links the simulator with
# it, and the scenario that the patch names must report a failure. The same
# scenario passes without the patch. Uses CC, CFLAGS and LIBS.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
cc=${CC:-cc}
flags=${CFLAGS:--std=c11 -D_DEFAULT_SOURCE -O2}
libs=${LIBS:--lsodium}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
verdict=0

report() {
	echo "$1: $2"
	test "$1" = ok || verdict=1
}

# simulate SIM NAME ARGUMENT...: writes its output to $work/out.
simulate() {
	"$1" --quiet --scenario "$2" $3 >"$work/out" 2>&1
}

mutate() {
	name=$(basename "$1" .patch)
	scenario=$(sed -n 's/^Scenario: //p' "$1" | cut -d' ' -f1)
	options=$(sed -n 's/^Scenario: [^ ]* *//p' "$1")
	file=$(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$1")

	rm -rf "$work/src"
	cp -r "$here/../../src" "$work/src"
	if ! patch -s -d "$work" -p1 <"$1" >"$work/out" 2>&1; then
		report FAIL "$name: the patch does not apply: $(cat "$work/out")"
		return
	fi
	# Its own object comes first, so the one in the library stays out.
	# shellcheck disable=SC2086
	if ! $cc $flags -I"$work/src" -c "$work/$file" -o "$work/mutant.o" ||
	    ! $cc $flags -o "$work/sim" "$work/mutant.o" "$build/libsim.a" "$build/libworld.a" \
		"$build/libcore.a" $libs; then
		report FAIL "$name: it does not compile"
		return
	fi
	if ! simulate "$build/hyperdht-sim" "$scenario" "$options"; then
		report FAIL "$name: $scenario fails without it: $(cat "$work/out")"
	elif simulate "$work/sim" "$scenario" "$options"; then
		report FAIL "$name: $scenario does not detect it"
	elif ! grep -q "^FAILED $scenario at" "$work/out"; then
		report FAIL "$name: $scenario ends otherwise: $(cat "$work/out")"
	else
		report ok "$name: $(sed -n 's/^FAILED //p' "$work/out" | head -n 1)"
	fi
}

for patch in "$here"/mutants/*.patch; do
	mutate "$patch"
done
exit "$verdict"
