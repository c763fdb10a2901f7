#!/bin/sh
# SPDX-License-Identifier: ISC
#
# trace: a transfer over loopback is recorded whole, as text and as qlog, whose
# records have the fields that viewers for QUIC require and agree with each
# other and with what the daemon counts.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || exit 77
network_starts 3

"$dhtctl" --control "$work/2.sock" listen --exec 'cat >/dev/null; echo done' \
    >"$work/key" 2>"$work/listen.err" &
pid=$!
children="$children $pid"
within 20 grep -Eqx '[a-z0-9]{52}' "$work/key" || fail "node 2 does not listen"
key=$(cat "$work/key")

# connects NAME: opens a connection of node 3, which is fed from fifo 8.
connects() {
	rm -f "$work/$1.in"
	mkfifo "$work/$1.in"
	at 3 connect "$key" <"$work/$1.in" >"$work/$1.out" &
	dial=$!
	children="$children $dial"
	exec 8>"$work/$1.in"
	echo first >&8
	within 10 is_open || fail "no connection"
}

is_open() {
	at 3 connections | grep -q "^$key"
}

# traces NAME NUMBER OPTION...: in the background.
traces() {
	name=$1
	"$dhtctl" --control "$work/$2.sock" trace "$3" --qlog "$work/$name.sqlog" \
	    2>"$work/$name.err" 8>&- &
	trace=$!
	children="$children $trace"
	within 10 test -s "$work/$name.sqlog" || fail "$name: nothing is recorded"
}

# counted NUMBER NAME: a counter of a daemon.
counted() {
	at "$1" stats | sed -n "s/^$2	//p"
}

connects one
peer=$(at 3 key show)
before=$(counted 3 packets_resent)
traces sender 3 "$key"
sender=$trace
traces receiver 2 "$peer"
receiver=$trace
ends 1 'there is one already' at 3 trace "$key" --seconds 1
head -c 3000000 /dev/urandom >&8
exec 8>&-
wait $dial || fail "connect: $?"
for pid in $sender $receiver; do
	code=0
	wait $pid || code=$?
	[ $code -eq 0 ] || fail "trace ended with $code: $(cat "$work"/*er.err)"
done
[ "$(cat "$work/one.out")" = done ] || fail "the transfer: $(cat "$work/one.out")"
resent=$(($(counted 3 packets_resent) - before))
[ "$(counted 3 trace_events_dropped)" -eq 0 ] || fail "events are missing"

# Checks both files: each record, and the sender's against the receiver's.
python3 - "$work/sender.sqlog" "$work/receiver.sqlog" "$resent" <<'X' ||
import json, sys

def load(path):
    whole = open(path).read()
    assert whole.startswith("\x1e") and whole.endswith("\n"), path
    records = [json.loads(r) for r in whole.split("\x1e")[1:]]
    head, events = records[0], records[1:]
    assert head["qlog_version"] == "0.3", head
    assert head["qlog_format"] == "JSON-SEQ", head
    common = head["trace"]["common_fields"]
    assert common["time_format"] == "relative", head
    assert common["reference_time"] > 1600000000000, head
    at = 0
    for e in events:
        assert e["time"] >= at, e
        at = e["time"]
        assert ":" in e["name"] and e["group_id"], e
        assert isinstance(e["data"], dict), e
    return head["trace"]["vantage_point"]["type"], events

def named(events, name):
    return [e["data"] for e in events if e["name"] == name]

def numbers(packets):
    return [p["header"]["packet_number"] for p in packets]

def stream_bytes(packets):
    return sum(f["length"] for p in packets for f in p["frames"]
               if f["frame_type"] == "stream" and not p["udx"]["resent"])

def acked(packets):
    return [n for p in packets for f in p["frames"] if f["frame_type"] == "ack"
            for low, high in f["acked_ranges"] for n in range(low, high + 1)]

client, sender = load(sys.argv[1])
server, receiver = load(sys.argv[2])
assert (client, server) == ("client", "server")
sent = named(sender, "transport:packet_sent")
got = named(receiver, "transport:packet_received")
back = named(sender, "transport:packet_received")
lost = named(sender, "recovery:packet_lost")
assert numbers(sent) == list(range(1, len(sent) + 1))
assert all(p["header"]["packet_type"] == "1RTT" for p in sent + got + lost)
assert all(p["raw"]["length"] >= p["raw"]["payload_length"] + 20 for p in sent)
assert stream_bytes(sent) >= 3000000, stream_bytes(sent)
again = [p for p in sent if p["udx"]["resent"]]
assert len(again) == int(sys.argv[3]), (len(again), sys.argv[3])
# All that carried data is acknowledged, each sequence number once.
seqs = {p["udx"]["seq"] for p in sent
        if p["udx"]["type"] in ("data", "end", "data+end")}
done = acked(back)
assert len(done) == len(set(done)) and set(done) <= set(numbers(sent))
assert len(done) == len(seqs), (len(done), len(seqs))
# What was not lost has arrived.
arrived = {p["udx"]["seq"] for p in got if "data" in p["udx"]["type"]}
assert seqs - {p["udx"]["seq"] for p in sent if p["udx"]["type"] == "end"} \
    <= arrived
metrics = named(sender, "recovery:metrics_updated")
assert metrics and all(m["congestion_window"] > 0 for m in metrics)
assert any("smoothed_rtt" in m for m in metrics)
assert named(sender, "recovery:congestion_state_updated")
assert named(sender, "connectivity:path_updated")
closed = named(sender, "connectivity:connection_closed")
assert [c["trigger"] for c in closed] == ["clean"], closed
X
    fail "the qlog files"

# As text, for a limited time, and interrupted.
connects two
at 3 trace "$key" --seconds 1 >"$work/text" 2>"$work/text.err" ||
    fail "--seconds 1: $?: $(cat "$work/text.err")"
grep -Eq '^[0-9]+ [0-9]+\.[0-9]{3} path 127\.' "$work/text" ||
    fail "no line of the path: $(cat "$work/text")"
grep -Eq '^[0-9]+ [0-9]+\.[0-9]{3} metrics cwnd=[0-9]+ ' "$work/text" ||
    fail "no line of metrics: $(cat "$work/text")"
traces stopped 3 "$key"
kill -INT $trace
code=0
wait $trace || code=$?
[ $code -eq 130 ] || fail "an interrupted trace ended with $code"
python3 -c '
import json, sys
[json.loads(r) for r in open(sys.argv[1]).read().split("\x1e")[1:]]
' "$work/stopped.sqlog" || fail "the file of an interrupted trace"
at 3 trace "$key" --seconds 1 --qlog - | grep -q '"qlog_version"' ||
    fail "--qlog - writes nothing to standard output"
exec 8>&-
wait $dial

# Failures.
ends 1 'nothing is known' at 3 trace "$key"
ends 2 'expected a public key' at 3 trace X
ends 1 'No such file' at 3 trace "$key" --qlog "$work/none/x"
exit $verdict
