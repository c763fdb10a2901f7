// SPDX-License-Identifier: ISC
//
// The nodes of one case: creates them, finds them, and stops them all.
//
// "Ours" are hyperdhtd processes (or their stand-ins, reference.js); the
// JavaScript nodes live in this process. None is ever made without a list of
// bootstrap nodes.

const DHT = require('hyperdht')
const fs = require('fs')
const os = require('os')
const path = require('path')
const { Meter, DATAGRAMS_MAX, THEIRS_MORE } = require('./meter')
const Reference = require('./reference')
const { until, text } = require('./util')

class Lab {
  // datagrams: the most that one dial may take; default: DATAGRAMS_MAX.
  constructor (world, Ours, { datagrams = DATAGRAMS_MAX } = {}) {
    this.world = world
    this.Ours = Ours
    this.datagrams = datagrams
    this.bounded = true // false: dials are not checked
    this.most = 0 // datagrams of a dial
    this.excess = null // a dial that took more than it may
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'interop-'))
    this.daemons = []
    this.peers = []
    this.servers = []
  }

  // Starts one of ours. role: bootstrap, persistent or auto.
  ours (role, bootstrap, options) {
    return this.start(this.Ours, role, bootstrap, options)
  }

  // Starts a JavaScript node in a process of its own, to compare ours with.
  reference (role, bootstrap) {
    return this.start(Reference, role, bootstrap)
  }

  // place: address of a former node; stateDir: its state; more: arguments.
  async start (Kind, role, bootstrap, options = {}) {
    let { place, stateDir, tickMs, more } = options
    place = place || await this.world.place()
    stateDir = stateDir || fs.mkdtempSync(path.join(this.dir, 'state-'))
    const daemon = new Kind({
      ...place,
      role,
      bootstrap,
      stateDir,
      tickMs,
      more,
      report: (name, each) => this.addCost(name, each, this.datagrams)
    })
    daemon.place = place
    this.daemons.push(daemon)
    await daemon.start()
    return daemon
  }

  // Restarts the same node, after its process has ended.
  again ({ options, place }) {
    return this.ours(options.role, options.bootstrap, { ...options, place })
  }

  // Restarts it elsewhere, with its key and no other state.
  moved ({ options }, place) {
    const stateDir = fs.mkdtempSync(path.join(this.dir, 'state-'))
    fs.copyFileSync(path.join(options.stateDir, 'key'),
      path.join(stateDir, 'key'))
    return this.ours(options.role, options.bootstrap, { place, stateDir })
  }

  // A persistent JavaScript node.
  async js (bootstrap, options) {
    const place = await this.world.place()
    return this.peer(bootstrap, {
      ...place, anyPort: false, ephemeral: false, firewalled: false, ...options
    })
  }

  // Starts a JavaScript node as programs do: ephemeral, maybe firewalled.
  async client (bootstrap, options) {
    const { host } = await this.world.place()
    return this.peer(bootstrap, { host, port: [0, 0], ...options })
  }

  async peer (bootstrap, options) {
    if (!bootstrap.length) throw new Error('a peer without bootstrap nodes')
    const node = new DHT({ bootstrap, ...options })
    this.peers.push(node)
    this.measure(node)
    await node.fullyBootstrapped()
    return node
  }

  // Starts a server that echoes; counts its connections and the
  // holepunch messages that reach it.
  async echoServer (node, keyPair) {
    const server = node.createServer({ shareLocalAddress: false }, socket => {
      server.connections++
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    server.connections = 0
    server.punches = 0
    const { onpeerholepunch } = node._router
    node._router.onpeerholepunch = function (req) {
      server.punches++
      return onpeerholepunch.call(this, req)
    }
    this.servers.push(server)
    await server.listen(keyPair)
    return server
  }

  // Starts a network of `ours` and then `js` nodes, all persistent.
  async network ({ ours = 0, js = 0, tickMs }) {
    const net = { ours: [], js: [], bootstrap: null }
    if (ours) {
      net.ours.push(await this.ours('bootstrap', [], { tickMs }))
      net.bootstrap = [net.ours[0].place]
    } else {
      const place = await this.world.place()
      net.js.push(await this.js([place], place))
      net.js[0]._nat.add(place.host, place.port)
      net.bootstrap = [place]
    }
    while (net.ours.length < ours) {
      net.ours.push(await this.ours('persistent', net.bootstrap, { tickMs }))
    }
    while (net.js.length < js) net.js.push(await this.js(net.bootstrap))
    await until('all nodes are persistent', async () => {
      const all = await Promise.all(net.ours.map(one => one.status()))
      return all.every(status => status.persistent) &&
        net.js.every(node => !node.ephemeral)
    })
    return net
  }

  // Counts the datagrams of each dial of a JavaScript node.
  measure (node) {
    const { connect, io } = node
    const { onrequest } = io
    let served = 0 // requests of other nodes, which it answers
    const read = () => node.udx.packetsTransmitted +
      node.udx.packetsReceived - 2 * served
    io.onrequest = (...args) => {
      served++
      return onrequest.apply(io, args)
    }
    node.meter = new Meter('a JavaScript node', read,
      (name, each) => this.addCost(name, each, this.datagrams + THEIRS_MORE))
    node.connect = (...args) => {
      let open = true
      const end = () => {
        if (open) node.meter.end()
        open = false
      }
      node.meter.begin()
      return connect.apply(node, args).once('open', end).once('close', end)
    }
  }

  addCost (name, each, max) {
    if (!this.bounded) return
    this.most = Math.max(this.most, each)
    if (each > max) {
      this.excess = `a dial of ${name} took ${each} datagrams, above ${max}`
    }
  }

  // Checks that no dial took more datagrams than it may, and that no process of
  // ours has ended by itself.
  check () {
    if (this.excess) throw new Error(this.excess)
    const dead = this.daemons.find(daemon => daemon.died)
    if (dead) throw new Error(`hyperdhtd ${dead.died}`)
  }

  async close () {
    for (const server of this.servers) await bounded(server.close())
    for (const peer of this.peers) await bounded(peer.destroy({ force: true }))
    for (const daemon of this.daemons) await bounded(daemon.end('SIGTERM'))
    this.abandon()
    this.world.reset()
  }

  // Kills all nodes at once, when the harness itself is stopped.
  abandon () {
    for (const daemon of this.daemons) daemon.end('SIGKILL')
    fs.rmSync(this.dir, { recursive: true, force: true })
  }
}

function bounded (promise) {
  let timer
  const timeout = new Promise(resolve => { timer = setTimeout(resolve, 3000) })
  return Promise.race([promise, timeout])
    .catch(() => {})
    .then(() => clearTimeout(timer))
}

// Returns whether a JavaScript node has that address in its routing table.
function knows (node, place) {
  return node.toArray().some(other => text(other) === text(place))
}

module.exports = { Lab, knows }
