#!/bin/sh
# SPDX-License-Identifier: ISC
#
# One signal ends the daemon within two seconds, two at once; the service
# manager is notified (pitfall L2).

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

for signal in TERM INT; do
	start one$signal --port=4001
	kill -$signal "$pid"
	ends one$signal "$pid" 0
	test -e "$work/one$signal.sock" && fail "the control socket is left"
done

# To withdraw takes its time while the only other node does not answer.
start hub --port=4001 --role=bootstrap --public-address="$host"
hub=$pid
announcer() {
	kill -CONT "$hub"
	mkdir -m 700 "$work/$1"
	for i in 1 2 3 4 5 6 7 8; do
		printf '%064d\n' $i
	done >"$work/$1/announcements"
	start "$1" --port=4002 --bootstrap="$host:4001"
	within 5 logs "$1" "public address" || fail "does not join" "$1"
	sleep 1 # for the announcements
	kill -STOP "$hub"
}

announcer once
kill -TERM "$pid"
sleep 0.5
gone "$pid" && fail "it does not try to withdraw" once
ends once "$pid" 0
logs once leaving || fail "not logged" once

announcer twice
kill -TERM "$pid"
sleep 0.3
gone "$pid" && fail "it does not try to withdraw" twice
kill -TERM "$pid"
within 1 gone "$pid" || fail "the second signal does not end it" twice
ends twice "$pid" 0
test "$(wc -l <"$work/twice/announcements")" -eq 8 ||
	fail "the announcements are not kept" twice
kill -KILL "$hub"
exit $verdict
