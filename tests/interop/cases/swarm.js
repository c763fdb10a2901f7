// SPDX-License-Identifier: ISC
//
// Topics that ours and Hyperswarm join together: everybody finds everybody, in
// each role, and each pair keeps exactly one connection, also if both ends dial
// at once.

const assert = require('assert')
const Hyperswarm = require('hyperswarm')
const z32 = require('z32')
const { call } = require('../control')
const { randomBytes, sleep, until } = require('../util')

const ROUNDS = 6
const SETTLE_MS = 1500

const hex = key => Buffer.from(key).toString('hex')

// One of ours: joins topics and accepts whatever connection comes.
class Member {
  constructor (daemon) {
    this.daemon = daemon
    this.peers = new Map() // by key: the open sockets
    this.opened = 0
    this.ended = false
  }

  async join (topic, params) {
    const { socket, result } = await call(this.daemon.control, 'join',
      { topic: hex(topic), ...params })
    this.control = socket
    this.listener = result.listener
    this.key = hex(z32.decode(result.public_key))
    this.accept()
    return this
  }

  async accept () {
    while (!this.ended) {
      try {
        const { socket, result } = await call(this.daemon.control, 'accept',
          { listener: this.listener })
        this.add(hex(z32.decode(result.public_key)), socket)
      } catch (err) {
        if (!this.ended) console.log(err.message)
        return // the topic was left
      }
    }
  }

  add (key, socket) {
    const sockets = this.peers.get(key) || new Set()
    this.peers.set(key, sockets)
    sockets.add(socket)
    this.opened++
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      if (!sockets.size) this.peers.delete(key)
    })
    socket.on('end', () => socket.end())
    socket.on('data', data => { this.said = data.toString() })
    socket.resume() // call() has paused it
    socket.write(`from ${this.key}\n`)
  }

  get size () {
    return [...this.peers.values()].reduce((sum, set) => sum + set.size, 0)
  }

  // Disconnects; the daemon leaves the topics.
  end () {
    this.ended = true
    this.control.destroy()
    for (const set of this.peers.values()) for (const s of set) s.destroy()
  }
}

// One of theirs.
class Theirs {
  constructor (dht, options) {
    this.swarm = new Hyperswarm({ dht, ...options })
    this.opened = 0
    this.said = new Map()
    this.swarm.on('connection', conn => {
      const key = hex(conn.remotePublicKey)
      this.opened++
      conn.on('error', () => {})
      conn.on('data', data => this.said.set(key, data.toString()))
      conn.write(`from ${this.key}\n`)
    })
  }

  get key () {
    return hex(this.swarm.keyPair.publicKey)
  }

  get size () {
    return this.swarm.connections.size
  }

  // Returns how many connections it has with those of ours.
  meets (members) {
    const keys = new Set(members.map(one => one.key))
    return [...this.swarm.connections].filter(conn =>
      keys.has(hex(conn.remotePublicKey))).length
  }
}

async function theirs (lab, net, options) {
  return new Theirs(await lab.client(net.bootstrap), options)
}

async function ours (lab, net) {
  return new Member(await lab.ours('auto', net.bootstrap))
}

// Waits until a pair has one connection each that carries data both ways.
async function paired (a, b) {
  await until('one connection on both sides, which carries data', () =>
    a.size === 1 && b.size === 1 && a.said === `from ${b.key}\n` &&
      b.said.get(a.key) === `from ${a.key}\n`)
}

async function roles (lab, our, their) {
  lab.bounded = false
  const net = await lab.network({ ours: 6 })
  const topic = randomBytes(32)
  const js = await theirs(lab, net)
  const member = await ours(lab, net)
  try {
    if (their.server) await js.swarm.join(topic, their).flushed()
    await member.join(topic, our)
    if (!their.server) {
      await sleep(SETTLE_MS)
      js.swarm.join(topic, their)
    }
    await paired(member, js)
    assert.strictEqual(js.opened, 1)
    assert.strictEqual(member.opened, 1)
  } finally {
    member.end()
    await js.swarm.destroy({ force: true })
  }
}

// Both dial at once: the dial of the greater key survives on both sides.
async function tie (lab, greater) {
  lab.bounded = false
  const net = await lab.network({ ours: 6 })
  const daemon = await lab.ours('auto', net.bootstrap)
  const dht = await lab.client(net.bootstrap)
  for (let i = 0; i < ROUNDS; i++) {
    const topic = randomBytes(32)
    const member = new Member(daemon)
    // The daemon's key of this round is that of a seed, so that either may be
    // the greater.
    const seed = randomBytes(32)
    const own = dht.constructor.keyPair(seed).publicKey
    let keyPair
    do {
      keyPair = dht.constructor.keyPair(randomBytes(32))
    } while (Buffer.compare(own, keyPair.publicKey) > 0 !== greater)
    const js = new Theirs(dht, { keyPair })
    const seedB64 = { seed_b64: seed.toString('base64') }
    await js.swarm.join(topic, server).flushed()
    await member.join(topic, { ...server, ...seedB64 })
    await sleep(SETTLE_MS) // until ours is announced, too
    js.swarm.joinPeer(own)
    const again = await call(daemon.control, 'join',
      { topic: hex(topic), ...client, ...seedB64 })
    await paired(member, js)
    await sleep(SETTLE_MS)
    await paired(member, js)
    const { result, socket } = await call(daemon.control, 'connections')
    socket.destroy()
    // The half of a dial that theirs has abandoned expires after 10 s.
    const open = result.connections.filter(conn => conn.open &&
      hex(z32.decode(conn.public_key)) === js.key)
    assert.strictEqual(open.length, 1, 'one connection is kept')
    again.socket.destroy()
    member.end()
    js.swarm.leavePeer(own)
    await js.swarm.clear()
    await js.swarm.server.close()
    for (const conn of js.swarm.connections) conn.destroy()
  }
}

// Of two that join at once, those of theirs may miss each other for ten
// minutes; pairs with one of ours must not.
async function mixed (lab, each) {
  lab.bounded = false
  const net = await lab.network({ ours: 4, js: 4 })
  const topic = randomBytes(32)
  const all = []
  for (let i = 0; i < each; i++) {
    all.push(await ours(lab, net), await theirs(lab, net))
  }
  const members = all.filter(one => one instanceof Member)
  const others = all.filter(one => one instanceof Theirs)
  try {
    const start = Date.now()
    for (const one of others) one.swarm.join(topic)
    await Promise.all(members.map(one => one.join(topic)))
    const met = () => members.every(one => one.size === all.length - 1) &&
      others.every(one => one.meets(members) === each)
    await until('all are connected with ours', () =>
      met() || all.map(one => one.size).join(), 30000)
    console.log(`# ours have met all after ${Date.now() - start} ms`)
    await sleep(SETTLE_MS)
    assert(met(), 'and stay connected, once each')
    // One leaves; the others stay.
    members.shift().end()
    await until('it is gone', () =>
      members.every(one => one.size === all.length - 2))
  } finally {
    for (const one of members) one.end()
    for (const one of others) await one.swarm.destroy({ force: true })
  }
}

async function suspended (lab) {
  lab.bounded = false
  const net = await lab.network({ ours: 6 })
  const topic = randomBytes(32)
  const js = await theirs(lab, net)
  const member = await ours(lab, net)
  try {
    await js.swarm.join(topic).flushed()
    await member.join(topic)
    await paired(member, js)
    await js.swarm.suspend()
    await until('the connection is gone', () => member.size === 0)
    await js.swarm.resume()
    await until('they are connected again', () =>
      member.size === 1 && js.size === 1, 30000)
  } finally {
    member.end()
    await js.swarm.destroy({ force: true })
  }
}

const server = { server: true, client: false }
const client = { server: false, client: true }

module.exports = [
  ['ours as client, theirs as server', lab => roles(lab, client, server)],
  ['ours as server, theirs as client', lab => roles(lab, server, client)],
  ['both dial, ours is greater', lab => tie(lab, true)],
  ['both dial, ours is smaller', lab => tie(lab, false)],
  ['three of each', lab => mixed(lab, 3)],
  ['theirs is suspended and resumes', suspended]
].map(([name, run]) => ({ name: `swarm: ${name}`, worlds: ['loopback'], run }))
