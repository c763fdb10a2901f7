#!/bin/sh
# SPDX-License-Identifier: ISC
#
# fuzz.sh SECONDS SEEDS PROGRAM...: runs each libFuzzer program for so long.
#
# What a run finds new is kept beside the program, in PROGRAM.found; it starts
# from there and from the seeds in SEEDS/name of the program. An input that
# crashes a program is left as PROGRAM.crash-*, and is replayed by giving it to
# the program as argument.
set -u

seconds=$1
seeds=$2
shift 2
failed=0
child=
trap '[ -z "$child" ] || kill "$child"; exit 130' INT TERM

for program in "$@"; do
	name=$(basename "$program")
	mkdir -p "$program.found" || exit 1
	set -- "$program.found"
	[ -d "$seeds/$name" ] && set -- "$@" "$seeds/$name"
	"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
	    -artifact_prefix="$program." -verbosity=0 \
	    -print_final_stats=1 "$@" >"$program.log" 2>&1 &
	child=$!
	if wait $child; then
		echo "PASS: $name, $(awk '/number_of_executed_units/ {
			print $2 }' "$program.log") inputs"
	else
		echo "FAIL: $name"
		tail -n 40 "$program.log"
		failed=1
	fi
	child=
done
exit $failed
