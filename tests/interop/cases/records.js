// SPDX-License-Identifier: ISC
//
// Values and announcements: JavaScript clients among nodes of ours, and
// dhtctl and JavaScript reading what the other wrote, on every kind of
// network.

const DHT = require('hyperdht')
const assert = require('assert')
const { randomBytes, until } = require('../util')

const NODES = 8 // of a network, all of which are among the closest twenty

const hex = buffer => buffer.toString('hex')

async function lookup (node, topic) {
  return Object.keys(await holders(node, topic)).sort()
}

// Counts by key how many nodes store its announcement.
async function holders (node, topic) {
  const count = {}
  for await (const { peers } of node.lookup(topic)) {
    for (const { publicKey } of peers) {
      count[hex(publicKey)] = (count[hex(publicKey)] || 0) + 1
    }
  }
  return count
}

// ---- JavaScript with JavaScript, through ours ----

async function throughOurs (lab) {
  const net = await lab.network({ ours: NODES })
  const writer = await lab.client(net.bootstrap)
  const reader = await lab.client(net.bootstrap)

  for (const size of [1, 300, 1000]) {
    const value = randomBytes(size)
    const { hash } = await writer.immutablePut(value)
    const found = await reader.immutableGet(hash)
    assert.deepStrictEqual(found && found.value, value)
  }
  await mutableThrough(writer, reader)
  await topicThrough(writer, reader)
}

async function mutableThrough (writer, reader) {
  const keyPair = DHT.keyPair()
  const put = (text, seq) =>
    writer.mutablePut(keyPair, Buffer.from(text), { seq })
  const get = async seq => {
    const found = await reader.mutableGet(keyPair.publicKey, { seq })
    return found && [found.seq, found.value.toString()]
  }

  assert.strictEqual(await get(0), null)
  await put('one', 1)
  assert.deepStrictEqual(await get(0), [1, 'one'])
  await put('seven', 7)
  assert.deepStrictEqual(await get(7), [7, 'seven'])
  assert.strictEqual(await get(8), null)
  await put('too low', 6)
  await put('reused', 7)
  assert.deepStrictEqual(await get(0), [7, 'seven'])
}

async function topicThrough (writer, reader) {
  const topic = randomBytes(32)
  const pairs = [DHT.keyPair(), DHT.keyPair(), DHT.keyPair()]
  const keys = pairs.map(pair => hex(pair.publicKey)).sort()

  assert.deepStrictEqual(await lookup(reader, topic), [])
  // Five relay addresses are signed, three are served.
  const relays = [1, 2, 3, 4, 5].map(n => ({ host: `11.1.${n}.1`, port: n }))
  for (const pair of pairs) {
    await writer.announce(topic, pair, relays, { bump: Date.now() }).finished()
  }
  assert.deepStrictEqual(await lookup(reader, topic), keys)
  for await (const { peers, bump } of reader.lookup(topic)) {
    assert(bump > 0)
    for (const peer of peers) {
      assert.deepStrictEqual(peer.relayAddresses, relays.slice(0, 3))
    }
  }
  await writer.unannounce(topic, pairs[0])
  assert.deepStrictEqual(await lookup(reader, topic),
    keys.filter(key => key !== hex(pairs[0].publicKey)))
}

// ---- dhtctl and JavaScript ----

async function withDhtctl (lab, kind) {
  const net = await lab.network(kind)
  const js = await lab.client(net.bootstrap)
  const ours = await lab.ours('auto', net.bootstrap)

  await immutableBothWays(ours, js)
  await mutableFromJs(ours, js)
  await mutableFromOurs(ours, js)
  await topicBothWays(ours, js)
}

async function immutableBothWays (ours, js) {
  const theirs = randomBytes(500)
  const { hash } = await js.immutablePut(theirs)
  assert.strictEqual(await ours.getImmutable(hex(hash)), hex(theirs))

  const own = randomBytes(500)
  const found = await js.immutableGet(
    Buffer.from(await ours.putImmutable(hex(own)), 'hex'))
  assert.deepStrictEqual(found && found.value, own)
  assert.strictEqual(await ours.getImmutable(hex(randomBytes(32))), null)
}

async function mutableFromJs (ours, js) {
  const keyPair = DHT.keyPair()
  const key = hex(keyPair.publicKey)
  const value = randomBytes(200)

  await js.mutablePut(keyPair, value, { seq: 3 })
  const found = await ours.getMutable(key, 0)
  assert.deepStrictEqual(found, { seq: 3, value: hex(value) })
  assert.strictEqual(await ours.getMutable(key, 4), null)
}

async function mutableFromOurs (ours, js) {
  const { publicKey } = await ours.status()
  const get = async () => {
    const found = await js.mutableGet(Buffer.from(publicKey, 'hex'))
    return found && { seq: found.seq, value: found.value.toString() }
  }
  const put = (text, seq) => ours.putMutable(hex(Buffer.from(text)), seq)

  await put('five', 5)
  assert.deepStrictEqual(await get(), { seq: 5, value: 'five' })
  if (ours.reportsRefusals) {
    await assert.rejects(put('four', 4), /a later sequence number/)
    await assert.rejects(put('other five', 5), /another value has that sequence number/)
  }
  await put('six', 6)
  assert.deepStrictEqual(await get(), { seq: 6, value: 'six' })
}

async function topicBothWays (ours, js) {
  const topic = randomBytes(32)
  const keyPair = DHT.keyPair()
  const theirs = hex(keyPair.publicKey)
  const { publicKey } = await ours.status()

  await js.announce(topic, keyPair).finished()
  assert.deepStrictEqual(await ours.lookup(hex(topic)), [theirs])
  await ours.announce(hex(topic))
  assert.deepStrictEqual(await holders(js, topic),
    { [theirs]: NODES, [publicKey]: NODES })
  await ours.unannounce(hex(topic))
  await until('our announcement is withdrawn', async () =>
    String(await lookup(js, topic)) === theirs)
  await js.unannounce(topic, keyPair)
  assert.deepStrictEqual(await ours.lookup(hex(topic)), [])
}

// ---- what is announced can be dialed ----

// Returns the record of a key under a topic, or null.
async function recordOf (client, topic, publicKey) {
  for await (const { peers } of client.lookup(topic)) {
    const found = peers.find(peer => peer.publicKey.equals(publicKey))
    if (found) return found
  }
  return null
}

const at = ({ host, port }) => `${host}:${port}`

// Sends `payload` over a connection through the relays of a record.
function echo (client, { publicKey, relayAddresses }, payload) {
  return new Promise((resolve, reject) => {
    const socket = client.connect(publicKey, { relayAddresses })
    const back = []
    socket.on('error', reject)
    socket.on('data', data => back.push(data))
    socket.on('end', () => resolve(Buffer.concat(back)))
    socket.on('open', () => socket.end(payload))
  })
}

// The record of a listening key names nodes that forward to it, and a JavaScript
// client reaches it through them. Nodes of ours also replace a record that was
// announced before the key listened; theirs serve the old one for minutes.
async function announcedRelays (lab, kind) {
  const net = await lab.network(kind)
  const js = await lab.client(net.bootstrap)
  const ours = await lab.ours('auto', net.bootstrap)
  const earlier = kind.js ? [] : [randomBytes(32)]
  const topics = [...earlier, randomBytes(32)]

  for (const topic of earlier) await ours.announce(hex(topic))
  const { publicKey } = await ours.listen()
  await ours.announce(hex(topics[topics.length - 1]))
  const forwarders = async () => {
    const nodes = [(await ours.status()).address]
    for await (const { from } of js.findPeer(publicKey)) nodes.push(at(from))
    return nodes
  }
  for (const topic of topics) {
    let record
    await until('the record names the relays', async () => {
      record = await recordOf(js, topic, publicKey)
      const nodes = await forwarders()
      return record && record.relayAddresses.length > 0 &&
        record.relayAddresses.every(relay => nodes.includes(at(relay)))
    })
    const payload = randomBytes(20000)
    assert((await echo(js, record, payload)).equals(payload))
  }
}

const networks = {
  'a network of ours': { ours: NODES },
  'a JavaScript network': { js: NODES },
  'a mixed network': { ours: NODES / 2, js: NODES / 2 }
}

module.exports = [
  {
    name: 'JavaScript clients store and find through ours alone',
    worlds: ['loopback', 'public'],
    run: throughOurs
  },
  ...Object.entries(networks).map(([name, kind]) => ({
    name: `a JavaScript client dials what ours announces on ${name}`,
    worlds: ['loopback', 'public'],
    run: lab => announcedRelays(lab, kind)
  })),
  ...Object.entries(networks).map(([name, kind]) => ({
    name: `dhtctl and JavaScript read each other on ${name}`,
    worlds: ['loopback', 'public'],
    run: lab => withDhtctl(lab, kind)
  }))
]
