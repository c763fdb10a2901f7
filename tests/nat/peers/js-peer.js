#!/usr/bin/env node
// SPDX-License-Identifier: ISC
// A peer of the reference stack that speaks the matrix protocol (see README.md).
//
//   js-peer.js server --bootstrap LIST [--relay KEY]
//   js-peer.js client --bootstrap LIST --key KEY [--relay KEY] [--bytes N] [--linger MS]
//   js-peer.js relay  --bootstrap LIST
//
// --public    the address is reachable from everywhere: skip the NAT analysis
// --relay     pass connections through this relay until they are direct
// --bytes     how much to send and get back (default 65536)
// --linger    stay this long after the first echo and report a change of path

const crypto = require('crypto')
const { once } = require('events')
const DHT = require('hyperdht')
const { options, addresses, emit, stopwatch, leaveCleanly } = require('./common')

const opts = options()
const elapsed = stopwatch()
const relayThrough = opts.relay ? Buffer.from(opts.relay, 'hex') : null

function createNode (extra) {
  const open = 'public' in opts ? { ephemeral: false, firewalled: false } : {}
  return new DHT({ bootstrap: addresses(opts.bootstrap), ...open, ...extra })
}

function remoteOf (socket) {
  const raw = socket.rawStream
  return raw && raw.remoteHost ? `${raw.remoteHost}:${raw.remotePort}` : null
}

async function listen (node, serverOptions, onsocket) {
  const server = node.createServer(serverOptions, onsocket)
  await server.listen()
  emit('listening', { key: server.publicKey.toString('hex'), ms: elapsed() })
}

async function runServer () {
  await listen(createNode(), { relayThrough }, socket => {
    emit('connection', { remote: remoteOf(socket) })
    socket.on('error', () => {})
    socket.pipe(socket)
  })
}

async function runRelay () {
  const node = createNode({ ephemeral: false, firewalled: false })
  const { Server } = require('blind-relay')
  const relay = new Server({ createStream: o => node.createRawStream({ ...o, framed: true }) })
  await listen(node, { shareLocalAddress: false }, socket => {
    socket.on('error', () => {})
    relay.accept(socket, { id: socket.remotePublicKey }).on('error', () => {})
  })
}

// Send `payload`, wait for as many bytes back, and report on them.
async function echo (socket, payload, clock) {
  const back = []
  let length = 0
  let first = null
  const finished = new Promise(resolve => {
    socket.on('data', function ondata (data) {
      if (first === null) first = clock()
      back.push(data)
      length += data.length
      if (length < payload.length) return
      socket.off('data', ondata)
      resolve()
    })
  })
  // A small piece first: the first byte back then takes one round trip, not a
  // round trip of everything.
  for (let at = 0, size = 1024; at < payload.length; at += size, size = 16384) {
    socket.write(payload.subarray(at, at + size))
  }
  await finished
  if (!Buffer.concat(back).equals(payload)) throw new Error('echo differs from what was sent')
  emit('echo', { bytes: length, first_ms: first, ms: clock(), remote: remoteOf(socket) })
}

async function runClient () {
  const node = createNode()
  await node.fullyBootstrapped()
  emit('ready', { ms: elapsed() })

  const datagrams = () =>
    node.udx.packetsTransmitted + node.udx.packetsReceived
  const before = datagrams()
  const clock = stopwatch()
  const socket = node.connect(Buffer.from(opts.key, 'hex'), { relayThrough })
  socket.on('error', err => {
    emit('error', { message: err.code || err.message, ms: clock() })
    process.exit(1)
  })
  await once(socket, 'open')
  emit('connected', {
    ms: clock(), remote: remoteOf(socket), datagrams: datagrams() - before
  })

  await echo(socket, crypto.randomBytes(Number(opts.bytes || 65536)), clock)
  let path = remoteOf(socket)
  const deadline = clock() + Number(opts.linger || 0)
  while (clock() < deadline) {
    await new Promise(resolve => setTimeout(resolve, 20))
    if (remoteOf(socket) === path) continue
    path = remoteOf(socket)
    emit('path', { ms: clock(), remote: path })
    await echo(socket, crypto.randomBytes(4096), clock)
  }
  emit('done', { ms: clock(), remote: path })
  process.exit(0)
}

leaveCleanly()
const role = { server: runServer, client: runClient, relay: runRelay }[opts._[0]]
if (!role) {
  console.error('usage: js-peer.js server|client|relay --bootstrap LIST [options]')
  process.exit(2)
}
role()
