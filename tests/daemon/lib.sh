# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # verdict is the test's exit code
#
# Shared by the tests of the built daemon.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# fail TEXT [NAME]: the test fails; what the daemon of that name has logged.
fail() {
	echo "FAIL: $1"
	test -z "$2" || sed 's/^/    /' "$work/$2.log"
	verdict=1
}

# launch NAME OPTION...: starts a daemon in the background; its id is in $pid.
launch() {
	name=$1
	shift
	"$hyperdhtd" --host="$host" --state-dir="$work/$name" \
	    --control="$work/$name.sock" "$@" 2>"$work/$name.log" &
	pid=$!
	children="$children $pid"
}

# within SECONDS COMMAND...: waits until the command succeeds.
within() {
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		test $tries -gt 0 || return 1
		sleep 0.05
	done
}

# logs NAME TEXT: returns true if the daemon's log contains the text.
logs() {
	grep -qF -- "$2" "$work/$1.log"
}

# start NAME OPTION...: launches a daemon and waits until it listens.
start() {
	launch "$@"
	within 5 logs "$1" "listening at" || fail "$1 does not start" "$1"
}

# ask NAME COMMAND...: dhtctl with the daemon of that name.
ask() {
	at=$1
	shift
	"$dhtctl" --control "$work/$at.sock" "$@"
}

# is NAME STATE: true if the state of the daemon is this one.
is() {
	ask "$1" status | grep -qx "state	$2"
}

# gone ID: true if no such process runs (a zombie does not).
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# ends NAME ID CODE: the process ends within 4 seconds, with that code.
ends() {
	if ! within 4 gone "$2"; then
		fail "$1 does not end" "$1"
		kill -KILL "$2"
	fi
	code=0
	wait "$2" || code=$?
	test $code -eq "$3" || fail "$1 ended with $code instead of $3" "$1"
}
