#!/bin/sh
# SPDX-License-Identifier: ISC
#
# coverage.sh TREE: lines covered by the tests, file by file and in all, from
# the counts that a build with --coverage left in TREE.
set -eu

cd "$1"
find src -name '*.gcno' -exec gcov -n {} + 2>/dev/null | awk '
/^File / {
	file = $2
	gsub(/\047/, "", file)
	sub(/.*\/src\//, "src/", file)
	next
}
/^Lines executed:/ && file ~ /^src\// {
	split($0, part, /[:% ]+/)
	seen = part[3] * part[5] / 100
	if (!(file in lines) || seen > covered[file]) {
		lines[file] = part[5]
		covered[file] = seen
	}
	file = ""
}
END {
	for (file in lines) {
		printf "%5.1f %% of %4d  %s\n", 100 * covered[file] / \
		    lines[file], lines[file], file | "sort -k5"
		all += lines[file]
		hit += covered[file]
	}
	close("sort -k5")
	if (all == 0)
		exit 1
	printf "%5.1f %% of %4d  in all\n", 100 * hit / all, all
}'
