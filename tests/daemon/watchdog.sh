#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The watchdog of the service manager is fed also while no node answers, for
# longer than a tick may be late; a process that does not run feeds it no more.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

if ! command -v python3 >/dev/null; then
	echo "python3 is missing"
	exit 77
fi

NOTIFY_SOCKET=$work/notify
WATCHDOG_USEC=1000000
export NOTIFY_SOCKET WATCHDOG_USEC
python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "wb", buffering=0) as out:
    while True:
        out.write(s.recv(4096) + b"\n")
' "$NOTIFY_SOCKET" "$work/notified" &
children="$children $!"
within 5 test -S "$NOTIFY_SOCKET" || fail "no socket"

fed() {
	grep -c '^WATCHDOG=1' "$work/notified"
}

# Nobody listens on the port of its only bootstrap node.
launch alone --port=auto --bootstrap="$host:9"
within 20 grep -q '^STATUS=.*offline' "$work/notified" ||
    fail "it does not say that it is offline" alone
before=$(fed)
sleep 25
[ $(($(fed) - before)) -ge 40 ] ||
    fail "fed $(($(fed) - before)) times in 25 s while offline" alone
kill -STOP "$pid"
sleep 0.2
before=$(fed)
sleep 2
[ "$(fed)" -eq "$before" ] || fail "fed by a process that does not run"
kill -CONT "$pid"
after() {
	[ "$(fed)" -gt "$before" ]
}
within 3 after || fail "not fed again"
kill -TERM "$pid"
wait "$pid"

exit "$verdict"
