# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# What the house tests share. Each first proves on a planted tree that its
# script finds what it should, then runs the script on the real thing.

top=$(cd "$(dirname "$0")/../.." && pwd)
planted=$(mktemp -d) || exit 99
trap 'rm -rf "$planted"' EXIT
trap 'exit 130' INT TERM
verdict=0

# plant FILE: writes standard input to FILE of the planted tree.
plant() {
	mkdir -p "$planted/$(dirname "$1")"
	cat >"$planted/$1"
}

# finds COMMAND PATTERN...: COMMAND must fail and print each pattern.
finds() {
	command=$1
	shift
	if out=$($command 2>&1); then
		echo "FAIL: not found in a planted tree: $*"
		verdict=1
	fi
	for pattern in "$@"; do
		echo "$out" | grep -q -- "$pattern" && continue
		echo "FAIL: \"$pattern\" was not found; the script said:"
		echo "$out"
		verdict=1
	done
}

# passes COMMAND: COMMAND must succeed on the planted tree.
passes() {
	out=$($1 2>&1) && return
	echo "FAIL: a clean planted tree is said to be bad:"
	echo "$out"
	verdict=1
}
