# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # verdict is the test's exit code
#
# Shared by all tests that start daemons. Everything is in a directory and
# at a loopback address of the test's own and ends with the test.

hyperdhtd=$PWD/hyperdhtd
work=$(mktemp -d) || exit 99
verdict=0
children=

# So that tests may run side by side, and use exact ports.
host=127.$(($$ / 62500 % 250 + 1)).$(($$ / 250 % 250)).$(($$ % 250 + 1))

finish() {
	for child in $children; do
		kill -KILL "$child" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
