#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Both programs work without standard input, output or error, in all eight
# combinations: no socket or file gets the number of a missing one.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# run INPUT OUTPUT ERROR COMMAND...: runs the command without the descriptors
# that are given as "-".
run() {
	in=$1 out=$2 err=$3
	shift 3
	case $in$out$err in
	---) "$@" <&- >&- 2>&- ;;
	--*) "$@" <&- >&- 2>"$err" ;;
	-*-) "$@" <&- >"$out" 2>&- ;;
	*--) "$@" <"$in" >&- 2>&- ;;
	-*) "$@" <&- >"$out" 2>"$err" ;;
	*-) "$@" <"$in" >"$out" 2>&- ;;
	*)
		if [ "$out" = - ]; then
			"$@" <"$in" >&- 2>"$err"
		else
			"$@" <"$in" >"$out" 2>"$err"
		fi
		;;
	esac
}

network_starts 2
echo question >"$work/input"

# listens COMMAND: runs it for each connection; its key is in $key.
listens() {
	"$dhtctl" --control "$work/2.sock" listen --name "$2" --exec "$1" \
	    >"$work/key.$2" 2>"$work/err.$2" &
	pid=$!
	children="$children $pid"
	within 20 test -s "$work/key.$2" || fail "$1 does not listen"
}

at 2 key new writer >/dev/null
at 2 key new reader >/dev/null
at 2 key new neither >/dev/null
listens 'echo answer; cat >/dev/null' writer
listens "cat >>'$work/received'" reader
listens 'exec true' neither

for peer in writer reader neither; do
	key=$(cat "$work/key.$peer")
	for in in "$work/input" -; do
		for out in "$work/output" -; do
			for err in "$work/error" -; do
				rm -f "$work/output" "$work/received"
				run "$in" "$out" "$err" timeout 20 "$dhtctl" \
				    --control "$work/1.sock" connect "$key"
				code=$?
				case "$peer $in $out" in
				writer*output)
					grep -qx answer "$work/output" ||
					    fail "$peer: no answer in $out" ;;
				reader*input*)
					within 5 grep -qx question \
					    "$work/received" ||
					    fail "$peer received nothing" ;;
				esac
				# A peer that is gone has not read the question.
				want=0
				[ "$peer$in" != "neither$work/input" ] || want=10
				[ $code -eq $want ] || fail "connect to $peer" \
				    "with $in $out $err ended with $code"
			done
		done
	done
done

# The daemon keeps its sockets apart from what it logs and prints.
number=2
for in in /dev/null -; do
	for out in "$work/output" -; do
		for err in "$work/error" -; do
			number=$((number + 1))
			run "$in" "$out" "$err" "$hyperdhtd" \
			    --config "$work/empty.conf" --host "$host" \
			    --state-dir "$work/state$number" --port auto \
			    --control "$work/$number.sock" --log-level debug \
			    --role persistent --bootstrap "$host:$port" &
			daemon=$!
			children="$children $daemon"
			within 20 knows "$number" 1 ||
			    fail "the daemon with $in $out $err does not work"
			[ "$(echo question | at "$number" connect "$(
			    cat "$work/key.writer")")" = answer ] ||
			    fail "no connection with $in $out $err"
			at "$number" stop || fail "stop"
			wait $daemon || fail "the daemon ended with $?"
		done
	done
done
exit $verdict
