// SPDX-License-Identifier: ISC
//
// JavaScript clients of a key that one of ours listens on: through nodes of
// ours, of theirs and of both.

const assert = require('assert')
const { freePort, randomBytes, sleep, until } = require('../util')

const MEGABYTE = 1 << 20

// The reference sends a dead forwarder four requests, a second apart.
const DEAD_END_MS = 4000

// A server is not offered any more after a minute of silence; its last packet
// may have come a moment after the signal.
const SILENT_MS = 61000

// Sends `payload`, half-closes, and returns the echo.
function echo (client, publicKey, payload, options) {
  return new Promise((resolve, reject) => {
    const socket = client.connect(publicKey, options)
    const back = []
    socket.on('error', reject)
    socket.on('data', data => back.push(data))
    socket.on('end', () => resolve(Buffer.concat(back)))
    socket.on('open', () => socket.end(payload))
  })
}

async function echoes (client, publicKey, size) {
  const payload = randomBytes(size)
  const back = await echo(client, publicKey, payload)
  assert(back.equals(payload), 'what comes back is what was sent')
}

// Starts so many persistent nodes of each stack; ours listens on one more.
const networks = {
  'ours only': { ours: 8 },
  'theirs only': { js: 8 },
  mixed: { ours: 4, js: 4 }
}

async function listener (lab, net, options) {
  const daemon = await lab.ours('auto', net.bootstrap)
  return { daemon, ...await daemon.listen(options) }
}

async function onNetwork (lab, nodes) {
  const net = await lab.network(nodes)
  const { publicKey } = await listener(lab, net)
  for (const options of [{}, { ephemeral: true, firewalled: true }]) {
    const client = await lab.client(net.bootstrap, options)
    await echoes(client, publicKey, MEGABYTE)
    await echoes(client, publicKey, 0)
  }
}

// Pitfall V2: the copy of the handshake through a second relay comes after we
// have connected to a public client.
async function open (lab) {
  const net = await lab.network({ ours: 4, js: 4 })
  const { daemon, publicKey } = await listener(lab, net)
  const client = await lab.js(net.bootstrap)
  for (let i = 1; i <= 50; i++) await echoes(client, publicKey, 100)
  const { listeners } = await daemon.json('listeners')
  assert.strictEqual(listeners[0].accepted, 50, 'one connection for each')
}

async function crowd (lab) {
  const net = await lab.network({ ours: 4 })
  const { publicKey } = await listener(lab, net)
  const clients = []
  for (let i = 0; i < 10; i++) clients.push(await lab.client(net.bootstrap))
  await Promise.all(clients.flatMap(client =>
    Array.from({ length: 20 }, () => echoes(client, publicKey, 1000))))
}

// Restarts the same key after kill -9: no client is sent to its old address.
async function killed (lab) {
  const net = await lab.network({ ours: 4, js: 4 })
  const { daemon, publicKey } = await listener(lab, net)
  const client = await lab.client(net.bootstrap)
  await echoes(client, publicKey, 1000)
  await daemon.end('SIGKILL')
  const again = await lab.again(daemon)
  assert.strictEqual((await again.listen()).publicKey.toString('hex'),
    publicKey.toString('hex'))
  for (const one of [client, await lab.client(net.bootstrap)]) {
    const began = Date.now()
    await echoes(one, publicKey, 1000)
    assert(Date.now() - began < DEAD_END_MS, 'no dead end on the way')
  }
}

// Pitfall A12: the same, and all it has left is its key: it knows no node of
// before, has another port, and the nodes that forwarded to it lead to the old
// one.
async function killedBare (lab) {
  const net = await lab.network({ ours: 4, js: 4 })
  const { daemon, publicKey } = await listener(lab, net)
  const client = await lab.client(net.bootstrap)
  await echoes(client, publicKey, 1000)
  await daemon.end('SIGKILL')
  const { host } = daemon.place
  const again = await lab.moved(daemon, { host, port: await freePort(host) })
  assert.strictEqual((await again.listen()).publicKey.toString('hex'),
    publicKey.toString('hex'))
  for (const one of [client, await lab.client(net.bootstrap)]) {
    const began = Date.now()
    await echoes(one, publicKey, 1000)
    assert(Date.now() - began < DEAD_END_MS, 'no dead end on the way')
  }
}

// Pitfall A12: a silent server is not returned after a minute, and
// a lookup of it ends in one round trip; a live server remains listed.
async function fallenSilent (lab) {
  const net = await lab.network({ ours: 8 })
  const dead = await listener(lab, net)
  const alive = await listener(lab, net)
  const client = await lab.client(net.bootstrap)
  await echoes(client, dead.publicKey, 1000)
  await dead.daemon.end('SIGKILL')
  await sleep(SILENT_MS)
  const fresh = await lab.client(net.bootstrap)
  const began = Date.now()
  await assert.rejects(echo(fresh, dead.publicKey, Buffer.alloc(1)),
    { code: 'PEER_NOT_FOUND' })
  assert(Date.now() - began < 1000, 'nobody forwards to where it was')
  await echoes(fresh, alive.publicKey, 1000)
}

// Pitfall A12: a key that is gone for good is nowhere to be found, at once.
async function gone (lab) {
  const net = await lab.network({ ours: 8 })
  const { daemon, publicKey } = await listener(lab, net)
  const client = await lab.client(net.bootstrap)
  await echoes(client, publicKey, 1000)
  await daemon.end('SIGTERM')
  await assert.rejects(
    echo(await lab.client(net.bootstrap), publicKey, Buffer.alloc(1)),
    { code: 'PEER_NOT_FOUND' })
}

async function allowed (lab) {
  const net = await lab.network({ ours: 4 })
  const good = await lab.client(net.bootstrap)
  const bad = await lab.client(net.bootstrap)
  const { publicKey } = await listener(lab, net, {
    allow: [good.defaultKeyPair.publicKey.toString('hex')]
  })
  await assert.rejects(echo(bad, publicKey, Buffer.alloc(1)),
    { code: 'PEER_CONNECTION_FAILED' })
  await echoes(good, publicKey, 1000)
}

// A refusal in words ends the attempt at once, where silence takes seconds.
async function asked (lab) {
  const net = await lab.network({ ours: 4 })
  const good = await lab.client(net.bootstrap)
  const bad = await lab.client(net.bootstrap)
  const key = good.defaultKeyPair.publicKey.toString('hex')
  const daemon = await lab.ours('auto', net.bootstrap)
  const seen = []
  const { publicKey, socket } = await daemon.listenAsking(peer => {
    seen.push(peer)
    return peer === key
  })
  await assert.rejects(echo(bad, publicKey, Buffer.alloc(1)),
    { code: 'SERVER_ERROR' })
  const stream = good.connect(publicKey)
  stream.on('error', () => {})
  assert(await stream.opened, 'who is let in gets in')
  stream.destroy()
  assert.deepStrictEqual(seen,
    [bad.defaultKeyPair.publicKey.toString('hex'), key], 'each is asked once')
  socket.destroy()
}

// A client of the control socket listens as long as its connection is open.
async function unlistened (lab) {
  const net = await lab.network({ ours: 4 })
  const { publicKey, end } = await listener(lab, net)
  const client = await lab.client(net.bootstrap)
  await echoes(client, publicKey, 1000)
  await end()
  await until('the key is withdrawn', async () => {
    for await (const found of client.findPeer(publicKey)) {
      if (found.value || found.peer) return false
    }
    return true
  })
}

module.exports = [
  ...Object.entries(networks).map(([name, nodes]) => ({
    name: `a JavaScript client reaches our key, ${name}`,
    worlds: ['loopback', 'public'],
    run: lab => onNetwork(lab, nodes)
  })),
  {
    name: 'an open JavaScript client reaches our key time after time',
    worlds: ['loopback', 'public'],
    run: open
  },
  {
    name: '200 JavaScript connections at once to our key',
    worlds: ['loopback'],
    run: crowd
  },
  {
    name: 'our key is reached again after kill -9',
    worlds: ['loopback', 'public'],
    run: killed
  },
  {
    name: 'our key is reached again after kill -9 and the loss of all else',
    worlds: ['loopback', 'public'],
    run: killedBare
  },
  {
    name: 'our key is not offered a minute after kill -9',
    worlds: ['public'],
    run: fallenSilent
  },
  {
    name: 'our key is gone when its daemon has left',
    worlds: ['loopback', 'public'],
    run: gone
  },
  {
    name: 'our allow list lets its JavaScript client in, and it alone',
    worlds: ['loopback', 'public'],
    run: allowed
  },
  {
    name: 'our owner answers for each JavaScript client',
    worlds: ['loopback', 'public'],
    run: asked
  },
  {
    name: 'our key is withdrawn when nobody listens any more',
    worlds: ['loopback'],
    run: unlistened
  }
]
