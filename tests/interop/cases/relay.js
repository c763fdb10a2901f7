// SPDX-License-Identifier: ISC
//
// Our blind relay between two JavaScript peers that do not punch, with the
// relay named by either side or by both. Peers of ours are behind real NATs:
// tests/nat.

const assert = require('assert')
const z32 = require('z32')
const { randomBytes, sleep, until } = require('../util')

const LENGTH = 200000

// The reference loses the first packet at its own relay, and a second with it.
const FIRST_BYTE_MS = 900

function echo (socket, payload) {
  return new Promise((resolve, reject) => {
    const back = []
    socket.on('error', reject)
    socket.on('data', data => back.push(data))
    socket.on('end', () => resolve(Buffer.concat(back)))
    socket.end(payload)
  })
}

// A network, one of whose nodes relays.
async function relayed (lab, mode = ['--relay', 'open']) {
  const net = await lab.network({ ours: 4, js: 3 })
  const relay = await lab.ours('persistent', net.bootstrap, { more: mode })
  const { relaying, relay_key: key } = await relay.json('relay')
  assert.strictEqual(relaying, true)
  await until('the relay is announced', async () =>
    (await net.ours[0].dhtctl(['find-peer', key])) !== null)
  return { net, relay, key: z32.decode(key) }
}

// A JavaScript node that never finds out that it is reachable.
async function firewalled (lab, net) {
  const node = await lab.client(net.bootstrap)
  Object.defineProperty(node, 'firewalled', { get: () => true, set () {} })
  return node
}

// A JavaScript server that lets nobody punch.
async function server (lab, net, relayThrough) {
  const node = await firewalled(lab, net)
  const server = node.createServer({
    holepunch: false, shareLocalAddress: false, relayThrough
  }, socket => socket.on('error', () => {}).pipe(socket))
  lab.servers.push(server)
  await server.listen()
  return server.publicKey
}

async function isOver (relay) {
  await until('the relay has forgotten them', async () => {
    const { pairings, sessions } = await relay.json('relay')
    return pairings + sessions === 0
  })
}

// Opens, and measures how long the first byte takes to come back.
async function check (socket, relay) {
  const began = Date.now()
  socket.write(Buffer.from('1'))
  await new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', resolve)
  })
  assert(Date.now() - began < FIRST_BYTE_MS,
    `the first byte took ${Date.now() - began} ms`)
  const payload = randomBytes(LENGTH)
  const back = echo(socket, payload)
  assert((await back).equals(payload), 'what comes back is what was sent')
  const { bytes } = await relay.json('relay')
  assert(bytes > 2 * LENGTH, 'the bytes were relayed')
}

// JavaScript peers at both ends.
async function theirs (lab, names) {
  const { net, relay, key } = await relayed(lab)
  const publicKey = await server(lab, net, names.server ? key : null)
  const client = await firewalled(lab, net)
  const socket = client.connect(publicKey, {
    relayThrough: names.client ? key : null,
    localConnection: false,
    holepunch: () => false
  })
  await new Promise((resolve, reject) =>
    socket.once('open', resolve).once('error', reject))
  await check(socket, relay)
  await isOver(relay)
}

// A key that the relay does not know gets no answer; one that it knows does.
async function friends (lab) {
  const net = await lab.network({ ours: 4, js: 3 })
  const known = await firewalled(lab, net)
  const client = await firewalled(lab, net)
  const allow = [known, client].map(node =>
    node.defaultKeyPair.publicKey.toString('hex')).join(',')
  const relay = await lab.ours('persistent', net.bootstrap,
    { more: ['--relay', 'friends', '--relay-allow', allow] })
  const { relay_key: text, mode } = await relay.json('relay')
  const relayThrough = z32.decode(text)
  assert.strictEqual(mode, 'friends')
  await until('the relay is announced', async () =>
    (await net.ours[0].dhtctl(['find-peer', text])) !== null)
  const listening = known.createServer({
    holepunch: false, shareLocalAddress: false
  }, socket => socket.on('error', () => {}).pipe(socket))
  lab.servers.push(listening)
  await listening.listen()
  const socket = client.connect(listening.publicKey,
    { relayThrough, localConnection: false, holepunch: () => false })
  await new Promise((resolve, reject) =>
    socket.once('open', resolve).once('error', reject))
  await check(socket, relay)
  const stranger = await firewalled(lab, net)
  const refused = stranger.connect(listening.publicKey,
    { relayThrough, localConnection: false, holepunch: () => false })
  const error = await new Promise(resolve => {
    refused.once('error', resolve)
    refused.once('open', () => resolve(null))
  })
  assert(error, 'a stranger is not relayed')
}

// Relaying stops while a stream runs: an error, no hang.
async function stopped (lab) {
  const { net, relay, key } = await relayed(lab)
  const publicKey = await server(lab, net, null)
  const client = await firewalled(lab, net)
  const socket = client.connect(publicKey,
    { relayThrough: key, localConnection: false, holepunch: () => false })
  await new Promise((resolve, reject) =>
    socket.once('open', resolve).once('error', reject))
  const ended = new Promise(resolve => {
    socket.on('error', () => {}).on('close', resolve)
  })
  socket.write(randomBytes(1000))
  await sleep(200)
  const began = Date.now()
  await relay.end('SIGTERM')
  await ended
  assert(Date.now() - began < 5000, 'it ends at once')
}

const who = [
  ['the client', { client: true }],
  ['the server', { server: true }],
  ['both', { client: true, server: true }]
]

module.exports = [
  ...who.map(([name, names]) => ({
    name: `our relay between JavaScript peers, named by ${name}`,
    worlds: ['loopback', 'public'],
    run: lab => theirs(lab, names)
  })),
  {
    name: 'our relay serves its friends, JavaScript peers, and them alone',
    worlds: ['loopback'], // a public relay sends to no address of its machine
    run: friends
  },
  {
    name: 'our relay stops while JavaScript peers use it',
    worlds: ['loopback'],
    run: stopped
  }
]
