#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The simulator within make check: runs every scenario once on a small network,
# and checks that the same seed gives the same run.
set -u

sim=${SIM:-./hyperdht-sim}
verdict=0

scenario() {
	"$sim" --quiet --scenario "$@" || verdict=1
}

scenario join --nodes 60 --minutes 1
scenario steady --nodes 40
scenario loss --nodes 60 --minutes 5 --amount 500
scenario churn --nodes 60 --minutes 30
scenario partition --nodes 50
scenario sleep --nodes 40 --minutes 60
scenario bootgone --nodes 40
scenario slow --nodes 60 --minutes 5
scenario natdrift --nodes 30
scenario reach --nodes 40 --minutes 6
scenario connect --nodes 40 --minutes 2 --amount 60 --loss 3 --full 10
scenario cross --nodes 30 --amount 40
scenario crowd --nodes 30 --amount 100
scenario drift --nodes 30 --amount 5
scenario mend --nodes 30 --minutes 60
scenario greedy --nodes 30 --amount 200
scenario handshakes --nodes 30 --amount 12000
scenario handshakeflood --nodes 30
scenario hangups --nodes 30
scenario relayflood --nodes 30
scenario slowflood --nodes 30
scenario punchflood --nodes 30
scenario lan --nodes 30
scenario punch --nodes 40 --amount 4
scenario punchgrid --nodes 40 --amount 2
scenario punchstates --nodes 30 --amount 2
scenario onelost --amount 7
scenario sequential --nodes 30 --amount 10
scenario relaydies --nodes 30 --amount 12
scenario relayfound --nodes 30 --amount 2
scenario relaylies --nodes 60 --minutes 2 --amount 60
scenario relaysgone --nodes 40 --amount 6
scenario restart --nodes 40 --minutes 3 --amount 80
scenario resent --nodes 30 --minutes 1 --amount 40
scenario streams --nodes 5 --amount 100
scenario streamcut --nodes 4
scenario streammove --nodes 4
scenario streamsleep --nodes 4
scenario streamcrowd --nodes 20
scenario lifetime --nodes 40 --minutes 5
scenario liars --nodes 60 --minutes 5
scenario replay --nodes 30 --minutes 2
scenario exhaust --nodes 25 --minutes 1
scenario reflect --nodes 10 --minutes 1
scenario flood --nodes 30 --amount 300
scenario pingflood --nodes 40 --minutes 1
scenario poison --nodes 20 --minutes 2
scenario eclipse --nodes 100 --minutes 5 --amount 50
scenario eclipse24 --nodes 100 --minutes 5 --amount 50

first=$("$sim" --quiet --scenario churn --nodes 30 --minutes 10 --seed 7)
second=$("$sim" --quiet --scenario churn --nodes 30 --minutes 10 --seed 7)
other=$("$sim" --quiet --scenario churn --nodes 30 --minutes 10 --seed 8)
if [ "$first" != "$second" ] || [ "$first" = "$other" ]; then
	echo "FAIL: a seed does not make the run:"
	printf '%s\n%s\n%s\n' "$first" "$second" "$other"
	verdict=1
fi
exit "$verdict"
