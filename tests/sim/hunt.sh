#!/bin/sh
# SPDX-License-Identifier: ISC
#
# hunt.sh SIM SECONDS: runs fresh seeds of all scenarios until the time is up. A
# failed run is reduced, in nodes and in time, for as long as it still
# fails; prints the command that remains. SEED sets the first seed.
set -u

sim=$1
seconds=$2
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
end=$(($(date +%s) + seconds))
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
runs=0

# fails NAME SEED NODES MINUTES: returns whether the run fails, crashes or
# hangs.
fails() {
	runs=$((runs + 1))
	! timeout 900 "$sim" --quiet --scenario "$1" --seed "$2" --nodes "$3" \
	    --minutes "$4" >"$log" 2>&1
}

# shrink NAME SEED NODES LEAST MINUTES
shrink() {
	nodes=$3
	minutes=$5
	cp "$log" "$log.smallest"
	while [ $((nodes * 2 / 3)) -ge "$4" ] &&
	    fails "$1" "$2" $((nodes * 2 / 3)) "$minutes"; do
		nodes=$((nodes * 2 / 3))
		cp "$log" "$log.smallest"
	done
	while [ $((minutes / 2)) -ge 1 ] &&
	    fails "$1" "$2" "$nodes" $((minutes / 2)); do
		minutes=$((minutes / 2))
		cp "$log" "$log.smallest"
	done
	cat "$log.smallest"
	rm -f "$log.smallest"
	echo "smallest: SEED=$2" "$sim --scenario $1 --seed $2" \
	    "--nodes $nodes --minutes $minutes"
}

# Reads lines of --list: NAME nodes N, at least L; minutes M: ...
list=$("$sim" --list | tr -d ',;:' | awk '{ print $1, $3, $6, $8 }')
while :; do
	while read -r name nodes least minutes; do
		if [ "$(date +%s)" -ge "$end" ]; then
			echo "hunt: $runs runs, none failed; last seed $seed"
			exit 0
		fi
		if fails "$name" "$seed" "$nodes" "$minutes"; then
			shrink "$name" "$seed" "$nodes" "$least" "$minutes"
			exit 1
		fi
	done <<-EOF
	$list
	EOF
	seed=$((seed + 1))
done
