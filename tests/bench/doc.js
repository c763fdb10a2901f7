// SPDX-License-Identifier: ISC
//
// doc.js BENCH.JSONL DIR: writes DIR/streams.md and DIR/streams.svg from what
// a run of the benchmark has stored.

const { execFileSync } = require('child_process')
const fs = require('fs')
const os = require('os')
const path = require('path')

const [log, doc] = process.argv.slice(2)
const lines = fs.readFileSync(log, 'utf8').trim().split('\n').map(JSON.parse)

function median (list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1]
}

// Returns the median of a figure over the rounds that these fields select.
function figure (fields, what) {
  const found = lines.filter(line =>
    Object.entries(fields).every(([name, value]) => line[name] === value))
  if (!found.length) {
    throw new Error(`${log} has nothing of ${JSON.stringify(fields)}`)
  }
  return median(found.map(what))
}

const STREAMS = ['ours - ours', 'js - js', 'ours - js', 'js - ours']
const PAIRS = [...STREAMS, 'tcp']
const FLOWS = [...PAIRS, 'cubic']
const RATES = [100e6, 1000e6]
const LOSSES = [0, 10000, 50000]

const loopback = name => ({ section: 'loopback', name })
const both = one => one.cpu_send + one.cpu_receive

function table (head, rows) {
  const line = cells => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function loopbackTable () {
  return table(['', 'MB/s', 'CPU s/GB, sender', 'receiver', 'both'],
    PAIRS.map(name => [name,
      figure(loopback(name), one => one.mbyte_s).toFixed(0),
      figure(loopback(name), one => one.cpu_send).toFixed(2),
      figure(loopback(name), one => one.cpu_receive).toFixed(2),
      figure(loopback(name), both).toFixed(2)]))
}

// Prints a row for each kind of line, a column for each of these flows.
function linkTable (names, what, digits) {
  return table(['', ...names], RATES.flatMap(rate => LOSSES.map(lossPpm =>
    [`${rate / 1e6} Mbit/s, ${lossPpm / 10000} %`, ...names.map(name =>
      figure({ section: 'link', name, rate, lossPpm }, what)
        .toFixed(digits))])))
}

function sharingTable () {
  const names = [...new Set(lines.filter(line => line.section === 'sharing')
    .map(line => line.name))]
  return table(['', 'first', 'second', 'Mbit/s of both'], names.map(name => {
    const sum = one => one.bytes[0] + one.bytes[1]
    const of = what => figure({ section: 'sharing', name }, what)
    const first = of(one => one.bytes[0] / sum(one)) * 100
    return [name, `${first.toFixed(0)} %`, `${(100 - first).toFixed(0)} %`,
      of(one => sum(one) * 8 / one.ms / 1000).toFixed(1)]
  }))
}

function idleTable () {
  const kinds = lines.filter(line => line.section === 'idle')
  return table(['', 'streams', 'keep-alive', 'KiB of each', 'CPU of all'],
    kinds.map(one => [one.who, one.streams,
      one.keepalive ? `${one.keepalive / 1000} s` : 'none',
      one.kib.toFixed(1), `${(one.cpu * 100).toFixed(2)} %`]))
}

function connectTable () {
  const ms = (who, way) =>
    figure({ section: 'connect', who, way }, one => one.ms)
  return table(['', 'ours, ms', 'JavaScript, ms', 'ratio'],
    ['cold', 'cached'].map(way => [way, ms('ours', way).toFixed(0),
      ms('js', way).toFixed(0),
      (ms('ours', way) / ms('js', way)).toFixed(2)]))
}

function setups () {
  return figure({ section: 'setups' }, one => one.dials / one.cpu).toFixed(0)
}

function draw () {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-doc-'))
  const cost = PAIRS.map(name => `"${name}" ` +
    `${figure(loopback(name), one => one.cpu_send)} ` +
    `${figure(loopback(name), one => one.cpu_receive)}`)
  const link = LOSSES.map(lossPpm => [lossPpm / 10000,
    ...['ours - ours', 'js - js', 'tcp', 'cubic'].map(name =>
      figure({ section: 'link', name, rate: 1000e6, lossPpm },
        one => one.mbit_s))].join(' '))
  fs.writeFileSync(path.join(dir, 'cost.dat'), cost.join('\n') + '\n')
  fs.writeFileSync(path.join(dir, 'link.dat'), link.join('\n') + '\n')
  const out = path.resolve(doc, 'streams.svg')
  execFileSync('gnuplot', ['-e', `out='${out}'`,
    path.resolve(__dirname, 'streams.gnuplot')], { cwd: dir })
  fs.rmSync(dir, { recursive: true })
}

draw()
fs.writeFileSync(path.join(doc, 'streams.md'), `# How fast a stream is

Made by \`make bench-doc\` from the results of \`make bench\`: encrypted streams
between two nodes of this project (ours), between two of the JavaScript packages
(js), and between one of each, with the same keys and the same bytes, which are
compared on arrival; and plain TCP. Absolute figures depend on the machine and
on its load; compare the ratios within a run.

![Cost on loopback, and speed over a link](streams.svg)

## On loopback

${loopbackTable()}

More than a third of the cost of a byte of ours is its cipher. The rest is small
because few system calls are made: the kernel cuts bursts into packets and joins
them again, and one acknowledgement covers all packets of a read. Each packet of
the JavaScript packages costs a system call at each end and another one for its
acknowledgement.

## Over a link

Two network namespaces with a line between them (\`tests/bench/link.c\`): a
round trip of 50 ms, a queue of one bandwidth-delay product, and random loss.
Mbit/s of payload, of which a line of 100 Mbit/s can carry 96.8:

${linkTable(FLOWS, one => one.mbit_s, 1)}

CPU-seconds per GB, both ends:

${linkTable(STREAMS, both, 2)}

*tcp* uses the default congestion control of the machine, BBR. Packets arrive
one by one from such a line, and the kernel's cost of each is the same for all.
A socket that receives in bulk is read every 1.5 ms (\`src/net/rx_coalesce.h\`),
because a wake-up costs more than a packet. At high loss, acknowledgements are
so long that a bulk receiver looks like one that replies, and each packet is
read at once.

## What a loss looks like

\`dhtctl trace KEY --qlog FILE.sqlog\` shows where the time of a transfer goes.
Traced at the sender, 50 MB over the link of 100 Mbit/s, 50 ms and 5 % (36,277
packets, 1,823 of them lost, 2,428 acknowledgements; no event was dropped):

    3380.751  packet_sent         18489 (seq 17581)
    3435.262  packet_lost         18489, later packets were acknowledged
    3435.686  packet_sent         18943 (seq 17581 again)
    3490.068  packet_received     acknowledges 18943

A loss is detected 54.5 ms after the packet was sent: a round trip and the rest
of the acknowledgement's delay. It is sent again within 0.3 ms (median; 1.0 ms
at the 99th percentile), so that a loss costs the packet one round trip more:
109 ms from its first transmission to its acknowledgement. A retransmission that
is lost costs another one. Of the packets 1,635 were sent twice, 88 three times
and 4 four times, as 5 % of 5 % predicts, and no timer expired.

\`metrics_updated\` shows that the window is no limit meanwhile: a median of 679 KB
for a bandwidth-delay product of 625 KB, 94 % of it in flight. What is missing
from the rate of the line is the beginning and the losses: 0.7 s passed in
\`startup\`, with 15 and 58 Mbit/s in the first two half seconds; from the second
second on the line carried 97 to 98 Mbit/s with headers, 5 % of them
retransmissions. \`recovery\` is true in 96 % of the records: at this loss rate
there is always a gap, which is why congestion control must not treat a gap as
congestion.

At 1 Gbit/s and 5 % the window is no limit either: 3.4 MB at the median, 70 % of
them in flight. \`startup\` ended after 1.05 s at some 110 Mbit/s, long before the
line was full, and the pacing rate then grew by the probes of \`cruise\` alone: the
half seconds from there on carried 273, 343, 444, 425, 473 and 479 Mbit/s. A
transfer of seconds is over before the rate of the line is found.

This trace also showed a stall: its last three packets, all of them
retransmissions, were lost again, and the sender waited a second for the
retransmission timeout although 805 packets after them had been acknowledged.
Tail loss probes count the packets without an acknowledgement since then.

## Two on one link

A link of 100 Mbit/s, 50 ms, a queue of one bandwidth-delay product, no loss:

${sharingTable()}

## Idle streams

${idleTable()}

## From a key to its first byte

Each node is in a network namespace of its own; the round trip between any two
is 50 ms. The table shows the time from the dial of a key to the return of a
byte that is written at once. *Cold*: the dialer knows nothing of the key.
*Cached*: it knows the relay nodes of the key, ours from the previous dial,
JavaScript through a parameter.

${connectTable()}

Setting up ${setups()} connections, including the hand-over to a local client, costs the
daemon of the listener one CPU-second.
`)
