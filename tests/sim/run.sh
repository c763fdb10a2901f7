#!/bin/sh
# SPDX-License-Identifier: ISC
#
# run.sh SIM [SEED...]: runs every scenario at its own size, under each seed.
set -u

sim=$1
shift
verdict=0

for seed in "${@:-1}"; do
	for name in $("$sim" --list | awk '{ print $1 }'); do
		"$sim" --quiet --scenario "$name" --seed "$seed" || verdict=1
	done
done
exit "$verdict"
