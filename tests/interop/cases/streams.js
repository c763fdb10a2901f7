// SPDX-License-Identifier: ISC
//
// Encrypted streams between ours and the JavaScript packages, each as sender
// and as receiver, initiator and responder: what is sent arrives, byte by
// byte, and both ends learn how it ended. The ends are those of the benchmark,
// see tests/bench/peer.h.

const assert = require('assert')
const { Link, transfer } = require('../../bench/link')
const { freePort } = require('../util')

const GB = 1e9
const MB = 1e6
const MTU = 1500

const ways = [['ours', 'js'], ['js', 'ours']]

// Checks that all bytes sent were received.
function arrived ({ sent, received }, bytes) {
  assert.strictEqual(received.bytes_in, bytes)
  assert.strictEqual(sent.bytes_out, bytes)
  for (const end of [sent, received]) {
    assert(end.good, `what came to ${end.who} is not what was sent`)
  }
}

// Checks that neither end reports an error.
function whole (result, bytes) {
  arrived(result, bytes)
  for (const end of [result.sent, result.received]) {
    assert.strictEqual(end.err, null)
    assert.strictEqual(end.failed, 0)
  }
}

// The peer of an end that aborts is notified; the bytes until then are right.
function broken (by, other) {
  assert(by.good && other.good)
  assert.strictEqual(other.err, 'reset')
  assert(other.failed === 1)
}

async function bulk (settings, bytes, options) {
  const result = await transfer({
    ...settings, options: { bytes, ...options }
  })
  whole(result, bytes)
  return result
}

async function halfClosed (settings) {
  const [there, back] = [100000, 3 * MB]
  const result = await transfer({
    ...settings, options: { bytes: there }, back: { bytes: back }
  })
  whole(result, there)
  assert.strictEqual(result.sent.bytes_in, back)
}

async function brokenOff (settings) {
  const abrupt = MB
  let result = await transfer({
    ...settings, options: { bytes: 20 * MB, abrupt }
  })
  broken(result.sent, result.received)
  result = await transfer({
    ...settings, options: { bytes: 20 * MB }, back: { abrupt }
  })
  broken(result.received, result.sent)
}

async function many (settings) {
  const streams = 100
  const bytes = 100000
  const result = await transfer({
    ...settings, options: { streams, bytes }, back: { streams }
  })
  for (const end of [result.sent, result.received]) {
    assert(end.good)
    assert.strictEqual(end.failed, 0)
  }
  assert.strictEqual(result.received.bytes_in, streams * bytes)
}

async function messages (settings) {
  const options = { messages: 200, write: 1000 }
  const { sent, received } = await transfer({
    ...settings, options, back: options
  })
  assert(sent.good && received.good)
  assert.strictEqual(received.messages, 200)
}

// The responder of the handshake sends, and migrates to another socket half
// way.
async function moved (settings) {
  const bytes = 20 * MB
  const port = await freePort('127.0.0.1')
  whole(await transfer({
    ...settings,
    options: { bytes, swap: true, move: 5 * MB, 'move-port': port },
    back: { swap: true, follow: settings.to === 'ours' }
  }), bytes)
}

// The reader pauses until the window is closed, which the peer must probe.
async function paused (settings) {
  const bytes = 64 * MB
  const result = await transfer({
    ...settings, options: { bytes }, back: { pause: 4000 }
  })
  whole(result, bytes)
}

async function onLink (settings, link, run) {
  const made = await new Link(link).ready()
  try {
    return await run({ ...settings, link: made }, made)
  } finally {
    await made.end()
  }
}

// Pitfall U5, and the search for the path's size.
function clean (settings) {
  const link = { rate: 100e6, queue: 100 * MB }
  return onLink(settings, link, async (on, made) => {
    const { sent } = await bulk(on, 20 * MB)
    const [forth] = await made.passed()
    assert.strictEqual(forth.lost + forth.full + forth.refused, 0)
    assert.strictEqual(sent.resent, 0)
    assert.strictEqual(sent.mtu, MTU)
  })
}

// JavaScript frees a stream at once: if its last packet is lost, ours ends
// with a timeout although all has arrived (protocol 05 §12), so its result is
// not checked.
function lossy (settings) {
  const link = { rate: 100e6, lossPpm: 50000, delayUs: 100000 }
  const bytes = 5 * MB
  return onLink(settings, link, async on =>
    arrived(await transfer({ ...on, options: { bytes } }), bytes))
}

const cases = {
  'one byte': settings => bulk(settings, 1),
  '1 GB': settings => bulk(settings, GB),
  'tiny writes': settings => bulk(settings, 140000, { write: 7 }),
  'half-close': halfClosed,
  'abrupt end': brokenOff,
  '100 streams on one socket': many,
  'unordered messages': messages,
  'a change of path': moved,
  'a reader at rest': paused,
  'a clean path': clean,
  '5 % loss and 100 ms delay': lossy
}

// Only ours closes its window: the other reads ahead without limit.
const only = { 'a reader at rest': 'ours' }

module.exports = Object.entries(cases).flatMap(([name, run]) =>
  ways.filter(([, to]) => !only[name] || only[name] === to)
    .map(([from, to]) => ({
      name: `${name} as a stream, ${from} to ${to}`,
      worlds: ['loopback'],
      run: () => run({ from, to })
    })))
