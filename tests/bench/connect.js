// SPDX-License-Identifier: ISC
//
// Connections: measures the time until a dialed key returns a byte, over
// links with a round trip of 50 ms, and the cost of each for a listener.

const crypto = require('crypto')
const fs = require('fs')
const path = require('path')
const { call } = require('../interop/control')
const { freePort, sleep, until } = require('../interop/util')
const { scratch, start, Speaker } = require('./children')
const { Link } = require('./link')
const { note, median, row, verdict } = require('./table')

const NODES = 24 // of the network; all of ours, for ours and JavaScript alike
const PORT = 49737
const WANTED = { cold: 0.75, cached: 1, setups: 2000 }
const PAUSE_MS = 300 // between two dials, for the first to be over
const SETTLE_MS = 2000 // of what the listeners have announced

const hyperdhtd = path.join(process.env.BUILD, 'hyperdhtd')

// ---- nodes ----

class Daemon {
  // enter: words before the command; at: HOST:PORT.
  constructor ({ enter = [], at, role, bootstrap }) {
    const dir = fs.mkdtempSync(path.join(scratch(), 'node-'))
    const [host, port] = at.split(':')
    this.control = `${dir}.control`
    const command = [...enter, hyperdhtd, '--host', host, '--port', port,
      '--role', role, '--bootstrap', bootstrap || 'none', '--state-dir', dir,
      '--control', this.control, '--log-level', 'error']
    if (role === 'bootstrap') command.push('--public-address', at)
    this.child = start(command[0], command.slice(1))
  }

  async ask (method, params) {
    const { socket, result } = await call(this.control, method, params)
    socket.destroy()
    return result
  }

  ready (persistent) {
    return until('a node has joined', async () => {
      const { bootstrapped, ephemeral } = await this.ask('status')
      return bootstrapped && !(persistent && ephemeral)
    }, 60000)
  }

  // Starts as many keys that echo.
  async serve (count) {
    const keys = []
    for (let i = 0; i < count; i++) {
      const seed = crypto.randomBytes(32).toString('base64')
      const { result } = await call(this.control, 'listen', { seed_b64: seed })
      this.echo(result.listener)
      keys.push(result.public_key)
    }
    return keys
  }

  async echo (listener) {
    for (;;) {
      const { socket } = await call(this.control, 'accept', { listener })
      socket.on('error', () => {})
      socket.pipe(socket)
    }
  }

  // Returns milliseconds until a byte returned.
  async dial (key, params) {
    const begin = process.hrtime.bigint()
    const { socket } = await call(this.control, 'connect',
      { public_key: key, ...params }, 'x')
    await new Promise((resolve, reject) => {
      socket.once('data', resolve).once('error', reject)
        .once('end', () => reject(new Error('the stream has ended')))
        .resume()
    })
    const ms = Number(process.hrtime.bigint() - begin) / 1e6
    socket.end()
    return ms
  }
}

class JavaScript {
  constructor ({ enter, bootstrap }) {
    this.speaker = new Speaker([...enter, process.execPath,
      path.join(__dirname, 'connect-js.js'), bootstrap])
  }

  ready () {
    return this.speaker.until('ready')
  }

  async ask (question) {
    this.speaker.lines = []
    this.speaker.tell(JSON.stringify(question))
    return (await this.speaker.until('answer')).answer
  }

  async serve (count) {
    const { servers } = await this.ask({ serve: count })
    this.relays = new Map(servers.map(({ key, relays }) => [key, relays]))
    return servers.map(({ key }) => key)
  }

  async dial (key, relays) {
    const { ms, error } = await this.ask({ dial: key, relays })
    if (error) throw new Error(error)
    return ms
  }
}

// ---- time to the first byte ----

// A star of hosts: each way from one to another takes a round trip of 50 ms.
async function network () {
  const link = await new Link({ hosts: NODES + 4, rate: 100e6 }).ready()
  const bootstrap = `${Link.address(0)}:${PORT}`
  let host = 0
  const place = () => {
    const at = `${Link.address(host)}:${PORT}`
    return { enter: link.enter(host++), at, bootstrap }
  }
  const nodes = [
    new Daemon({ ...place(), role: 'bootstrap', bootstrap: null })
  ]
  await nodes[0].ready()
  while (nodes.length < NODES) {
    nodes.push(new Daemon({ ...place(), role: 'persistent' }))
  }
  for (const node of nodes) await node.ready(true)
  const ends = {
    ours: ['auto', 'auto'].map(role => new Daemon({ ...place(), role })),
    js: [new JavaScript(place()), new JavaScript(place())]
  }
  for (const end of [...ends.ours, ...ends.js]) await end.ready()
  return ends
}

// Dials a key once while it is unknown, and once more when it is known.
async function dialTwice ([server, dialer], who, key, times) {
  for (const way of ['cold', 'cached']) {
    const told = way === 'cached' && server.relays
      ? server.relays.get(key)
      : undefined
    const ms = await dialer.dial(key, told)
    note({ section: 'connect', who, way, ms })
    times[way].push(ms)
    await sleep(PAUSE_MS)
  }
}

async function dialAll (ends, count) {
  const keys = {}
  const times = {}
  for (const who of Object.keys(ends)) {
    keys[who] = await ends[who][0].serve(count)
    times[who] = { cold: [], cached: [] }
  }
  await sleep(SETTLE_MS)
  for (let i = 0; i < count; i++) {
    for (const who of i & 1 ? ['js', 'ours'] : ['ours', 'js']) {
      await dialTwice(ends[who], who, keys[who][i], times[who])
    }
  }
  return times
}

async function firstByte (count) {
  const times = await dialAll(await network(), count)
  console.log('ms from connect to the first byte that comes back; round trips ' +
    `of 50 ms,\na network of ${NODES} nodes: medians of ${count} keys\n`)
  const widths = [14, 10, 10, 10, 8, 8]
  row(widths, ['', 'ours', 'js', 'ours/js', 'wanted'])
  for (const way of ['cold', 'cached']) {
    const [ours, js] = ['ours', 'js'].map(who => median(times[who][way]))
    row(widths, [way, ours.toFixed(0), js.toFixed(0), (ours / js).toFixed(2),
      WANTED[way].toFixed(2), verdict(ours / js <= WANTED[way])])
  }
}

// ---- the cost for a listener ----

function cpuSeconds (pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100 // USER_HZ, proc(5)
}

async function local (role, bootstrap) {
  const at = `127.0.0.1:${await freePort('127.0.0.1')}`
  const node = new Daemon({ at, role, bootstrap })
  await node.ready(role !== 'auto')
  return { node, at }
}

// Runs so many dialers at a time, each dial with a key of its own.
async function flood (dialers, key, dials, atOnce) {
  let left = dials
  const one = async dialer => {
    while (left-- > 0) {
      const seed = crypto.randomBytes(32).toString('base64')
      await dialer.dial(key, { seed_b64: seed })
    }
  }
  const all = dialers.flatMap(dialer =>
    Array.from({ length: atOnce }, () => one(dialer)))
  await Promise.all(all)
}

async function setups (short) {
  const dials = short ? 500 : 4000
  const { node: first, at } = await local('bootstrap')
  const nodes = [first]
  for (let i = 0; i < 4; i++) nodes.push((await local('persistent', at)).node)
  const { node: listener } = await local('auto', at)
  const dialers = []
  for (let i = 0; i < 2; i++) dialers.push((await local('auto', at)).node)
  const [key] = await listener.serve(1)
  await flood(dialers, key, 50, 4)
  const before = cpuSeconds(listener.child.pid)
  await flood(dialers, key, dials, 8)
  const cpu = cpuSeconds(listener.child.pid) - before
  const rate = note({ section: 'setups', dials, cpu }).dials / cpu
  console.log(`connections set up per CPU-second of the listener: ` +
    `${rate.toFixed(0)} (at least ${WANTED.setups}) ` +
    `${verdict(rate >= WANTED.setups)}`)
}

module.exports = {
  connect: short => firstByte(short ? 5 : 20),
  setups
}
