// SPDX-License-Identifier: ISC
//
// doc.js BENCH.JSONL DIR: writes DIR/streams.md and DIR/streams.svg from what
// a run of the benchmark has kept.

const { execFileSync } = require('child_process')
const fs = require('fs')
const os = require('os')
const path = require('path')

const [log, doc] = process.argv.slice(2)
const lines = fs.readFileSync(log, 'utf8').trim().split('\n').map(JSON.parse)

function median (list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1]
}

// The median of a figure over the rounds of what these fields select.
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

// A row for each kind of line, a column for each of these flows.
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

Made by \`make bench-doc\` from what \`make bench\` measured: encrypted streams
of ours, of the JavaScript packages, and one of each, with the same keys and
the same bytes, each of which is compared where it arrives; beside them plain
TCP. Machines differ, and so do two runs on one that has other work; what
counts are the ratios within a run.

![Cost on loopback, and speed over a link](streams.svg)

## On loopback

${loopbackTable()}

A good third of what a byte of ours costs is its cipher. The rest stays small
because few system calls carry it: bursts that the kernel cuts into
packets and joins again, one acknowledgement for all that was read together. A
packet of JavaScript's costs a system call at each end and another for its
acknowledgement.

## Over a link

Two network namespaces with a line between them (\`tests/bench/link.c\`): a
round trip of 50 ms, a queue of one bandwidth-delay product, and a share of the
packets lost at random. Mbit/s of payload, of which the line has room for 96.8
of 100:

${linkTable(FLOWS, one => one.mbit_s, 1)}

CPU-seconds per GB, both ends:

${linkTable(STREAMS, both, 2)}

*tcp* is the system's own congestion control on the machine of the run, BBR.
Packets come one by one from such a line, and the kernel's work for each is
the same for everybody. Who receives in bulk is read every 1.5 ms
(\`src/net/rx_coalesce.h\`), as waking up for each packet would cost more than the
packet. Where much is lost, acknowledgements are too long to tell a reader from
somebody who answers, and it is read packet by packet.

## Two on one link

A link of 100 Mbit/s, 50 ms, a queue of one bandwidth-delay product, no loss:

${sharingTable()}

## Streams that say nothing

${idleTable()}

## From a key to its first byte

Each node in a network namespace of its own, every way between two of them a
round trip of 50 ms. A key is dialed, and a byte written at once; what is
measured is when it comes back. *Cold* is a key of which the dialer knows
nothing, *cached* one whose nodes it knows, ours from the dial before,
JavaScript by being told.

${connectTable()}

Setting up ${setups()} connections costs the listener's daemon a CPU-second,
with their hand-over to its local client.
`)
