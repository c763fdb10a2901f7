// SPDX-License-Identifier: ISC
//
// Streams: measures the cost of a byte at each end, the use of a link, how
// the link is shared, and the cost of idle streams.

const { execFile } = require('child_process')
const { promisify } = require('util')
const { sleep } = require('../interop/util')
const { tool } = require('./children')
const { Link, Pair, transfer } = require('./link')
const { note, median, row, verdict } = require('./table')

const run = promisify(execFile)

const GB = 1e9
const MBIT = 1e6

// The sender and the receiver of each flow.
const PAIRS = {
  'ours - ours': { from: 'ours', to: 'ours' },
  'js - js': { from: 'js', to: 'js' },
  'ours - js': { from: 'ours', to: 'js' },
  'js - ours': { from: 'js', to: 'ours' }
}
const TCP = { from: 'tcp', to: 'tcp' }

// ---- one transfer ----

function figures (section, name, { sent, received }, about) {
  const bytes = received.bytes_in
  // JavaScript frees a stream at once: a peer that has not received its last
  // packet by then, because of loss, waits in vain.
  const failed = [sent, received].some(end => end.err && end.err !== 'timeout')
  if (failed || !received.good || bytes !== sent.bytes_out) {
    throw new Error(`${name}: ${JSON.stringify({ sent, received })}`)
  }
  return note({
    section,
    name,
    ...about,
    mbyte_s: bytes / received.in_seconds / 1e6,
    mbit_s: bytes * 8 / received.in_seconds / MBIT,
    cpu_send: sent.cpu_seconds / bytes * GB,
    cpu_receive: received.cpu_seconds / bytes * GB,
    resent_percent: 100 * sent.resent / (sent.packets_out || Infinity)
  })
}

const both = one => one.cpu_send + one.cpu_receive

// Reverses the order with each round, so that other load of the machine
// affects all alike.
async function rounds (count, names, measure) {
  const results = Object.fromEntries(names.map(name => [name, []]))
  for (let i = 0; i < count; i++) {
    for (const name of i & 1 ? [...names].reverse() : names) {
      results[name].push(await measure(name, i))
    }
  }
  return results
}

const middle = (list, what) => median(list.map(what))

// Returns the median over the rounds of a function of two measurements.
function compared (results, a, b, what) {
  return median(results[a].map((one, i) => what(one, results[b][i])))
}

// ---- loopback ----

const COST = { cpu: 0.25, speed: 3 } // of JavaScript's, at most and at least

async function loopback (short) {
  const bytes = short ? 256e6 : 1e9
  const pairs = { ...PAIRS, tcp: TCP }
  const count = short ? 3 : 5
  const results = await rounds(count, Object.keys(pairs), async name =>
    figures('loopback', name, await transfer({
      ...pairs[name], options: { bytes }
    })))

  console.log('A stream on loopback: MB/s, and CPU-seconds per GB at the ' +
    `sender, the receiver,\nand both: medians of ${count} rounds\n`)
  const widths = [14, 10, 10, 10, 10]
  row(widths, ['', 'MB/s', 'sender', 'receiver', 'both'])
  for (const [name, list] of Object.entries(results)) {
    row(widths, [name, middle(list, one => one.mbyte_s).toFixed(0),
      middle(list, one => one.cpu_send).toFixed(2),
      middle(list, one => one.cpu_receive).toFixed(2),
      middle(list, both).toFixed(2)])
  }
  const cpu = compared(results, 'ours - ours', 'js - js',
    (a, b) => both(a) / both(b))
  const speed = compared(results, 'ours - ours', 'js - js',
    (a, b) => a.mbyte_s / b.mbyte_s)
  console.log(`\nours/js: CPU ${cpu.toFixed(3)} (at most ${COST.cpu}) ` +
    `${verdict(cpu <= COST.cpu)}, MB/s ${speed.toFixed(1)} ` +
    `(at least ${COST.speed}) ${verdict(speed >= COST.speed)}`)
}

// ---- the link ----

// Checks that the link behaves as configured; else no figure means anything.
async function checkLink (settings) {
  const link = await new Link(settings).ready()
  const [a, b] = link.namespaces
  const { stdout } = await run(tool('linkcheck'), [a, b, `${settings.rate}`])
  await link.end()
  const is = note({ section: 'check', ...link.options, ...JSON.parse(stdout) })
  const { rate, lossPpm, delayUs } = link.options
  const about = (value, wanted, share) =>
    Math.abs(value - wanted) <= wanted * share
  return {
    is,
    ok: about(is.rate, rate * (1 - lossPpm / 1e6), 0.02) &&
      about(is.delay_us, delayUs, 0.02) &&
      Math.abs(is.loss_ppm - lossPpm) <= 1000 + lossPpm * 0.1
  }
}

async function check () {
  const widths = [22, 14, 12, 10, 8]
  console.log('The link itself\n')
  row(widths, ['', 'Mbit/s', 'ms one way', 'loss %'])
  for (const rate of [100e6, 1000e6]) {
    for (const lossPpm of [0, 10000, 50000]) {
      const { is, ok } = await checkLink({ rate, lossPpm })
      row(widths, [`${rate / MBIT} Mbit/s, ${lossPpm / 10000} %`,
        (is.rate / MBIT).toFixed(1), (is.delay_us / 1000).toFixed(2),
        (is.loss_ppm / 10000).toFixed(2), verdict(ok)])
    }
  }
}

const CPU_ON_LINK = 1 / 3 // of JavaScript's, at most

async function overLink (settings, seconds, count) {
  const pairs = { ...PAIRS, tcp: TCP, cubic: TCP }
  return rounds(count, Object.keys(pairs), async (name, round) => {
    const link = await new Link({ ...settings, seed: 10 * round + 1 }).ready()
    const options = { seconds }
    if (name === 'cubic') options.cc = 'cubic'
    try {
      const result = await transfer({ ...pairs[name], link, options })
      return figures('link', name, result, settings)
    } finally {
      await link.end()
    }
  })
}

async function link (short) {
  const seconds = short ? 8 : 20
  const count = short ? 1 : 3
  const widths = [22, 13, 13, 13, 13, 8, 8, 16, 14]

  await check()
  console.log('\nA stream over a link with a round trip of 50 ms and a queue ' +
    'of one bandwidth-\ndelay product: Mbit/s of payload in ' +
    `${seconds} s, and CPU-seconds per GB, both ends,\nover JavaScript's: ` +
    `medians of ${count} rounds\n`)
  row(widths, ['', ...Object.keys(PAIRS), 'tcp', 'cubic', 'wanted', 'CPU'])
  for (const rate of [100e6, 1000e6]) {
    for (const lossPpm of [0, 10000, 50000]) {
      const results = await overLink({ rate, lossPpm }, seconds, count)
      const got = name => middle(results[name], one => one.mbit_s)
      const cpu = compared(results, 'ours - ours', 'js - js',
        (a, b) => both(a) / both(b))
      const wanted = 0.95 *
        Math.min(rate * (1 - lossPpm / 1e6) / MBIT, 2 * got('js - js'))
      row(widths, [`${rate / MBIT} Mbit/s, ${lossPpm / 10000} %`,
        ...Object.keys(results).map(name => got(name).toFixed(1)),
        `${wanted.toFixed(1)} ${verdict(got('ours - ours') >= wanted)}`,
        `${cpu.toFixed(2)} ${verdict(cpu <= CPU_ON_LINK)}`])
    }
  }
}

// ---- two flows on one link ----

const SHARING = {
  'both ours, together': {
    flows: ['ours', 'ours'], lateMs: 0, least: 0.40
  },
  'both ours, one late': {
    flows: ['ours', 'ours'], lateMs: 10000, least: 0.40
  },
  'ours and CUBIC': { flows: ['ours', 'cubic'], lateMs: 0, least: 0.35 },
  'ours and CUBIC, ours late': {
    flows: ['cubic', 'ours'], lateMs: 10000, least: 0.35
  },
  'js and CUBIC': { flows: ['js', 'cubic'], lateMs: 0, least: null }
}
const SETTLE_MS = 5000

// Returns the bytes of each while both run and have settled.
async function share ({ flows, lateMs }, link, ms) {
  const pairs = []
  for (const who of flows) {
    const options = { seconds: (lateMs + SETTLE_MS + ms) / 1000 + 5 }
    if (who === 'cubic') options.cc = 'cubic'
    const from = who === 'cubic' ? 'tcp' : who
    pairs.push(await new Pair({ from, link, options, back: { every: 100 } })
      .ready())
  }
  await pairs[0].go()
  await sleep(lateMs)
  await pairs[1].go()
  await sleep(SETTLE_MS)
  const from = Number(process.hrtime.bigint()) / 1e6
  await sleep(ms + 500)
  const bytes = pairs.map(pair =>
    pair.receivedAt(from + ms) - pair.receivedAt(from))
  for (const pair of pairs) await pair.end()
  return bytes
}

async function sharing (short) {
  const ms = short ? 10000 : 30000
  const count = short ? 1 : 3
  const rate = 100e6
  const names = Object.keys(SHARING)
  const results = await rounds(count, names, async (name, round) => {
    const link = await new Link({ rate, seed: 10 * round + 1 }).ready()
    const bytes = await share(SHARING[name], link, ms)
    await link.end()
    return note({ section: 'sharing', name, rate, ms, bytes })
  })

  console.log('Two streams on a link of 100 Mbit/s, 50 ms, queue of one ' +
    'bandwidth-delay product:\nshare of the smaller, and Mbit/s of both, over ' +
    `${ms / 1000} s: medians of ${count} rounds\n`)
  const widths = [28, 12, 12, 10, 10]
  row(widths, ['', 'first %', 'second %', 'Mbit/s', 'wanted'])
  for (const name of names) {
    const all = results[name]
    const sum = one => one.bytes[0] + one.bytes[1]
    const first = middle(all, one => one.bytes[0] / sum(one))
    const total = middle(all, one => sum(one) * 8 / ms / 1000)
    const { least } = SHARING[name]
    row(widths, [name, (first * 100).toFixed(1), (100 - first * 100).toFixed(1),
      total.toFixed(1), ...least === null
        ? ['-']
        : [`${least * 100} %`, verdict(Math.min(first, 1 - first) >= least)]])
  }
}

// ---- idle streams ----

const IDLE = { kib: 4, cpu: 0.01 }

async function measureIdle (who, streams, keepalive, seconds) {
  const options = { streams, keepalive, seconds }
  const pair = await new Pair({
    from: who,
    options,
    back: { ...options, swap: true },
    roles: ['idle', 'idle']
  }).ready()
  await pair.go()
  const { sent } = await pair.done()
  await pair.end()
  return note({
    section: 'idle',
    who,
    streams,
    keepalive,
    kib: (sent.rss_kib - sent.rss_before_kib) / streams,
    cpu: sent.cpu_share
  })
}

async function idle (short) {
  const seconds = short ? 10 : 30
  const widths = [30, 12, 10, 10, 10]
  console.log('Idle streams in one process: KiB of each, CPU of all in ' +
    `${seconds} s\n`)
  row(widths, ['', 'KiB', 'CPU %'])
  for (const [who, streams, keepalive] of [
    ['ours', 10000, 0], ['ours', 10000, 5000], ['js', 1000, 0],
    ['js', 1000, 5000]
  ]) {
    const one = await measureIdle(who, streams, keepalive, seconds)
    const ok = one.kib <= IDLE.kib && (keepalive > 0 || one.cpu < IDLE.cpu)
    row(widths, [`${who}, ${streams}, ${keepalive
      ? `keep-alive ${keepalive / 1000} s`
      : 'no keep-alive'}`, one.kib.toFixed(2), (one.cpu * 100).toFixed(2),
    who === 'ours' ? verdict(ok) : ''])
  }
}

module.exports = { loopback, link, sharing, idle }
