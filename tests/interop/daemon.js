// SPDX-License-Identifier: ISC
//
// One hyperdhtd, driven by dhtctl. The same methods as reference.js: values,
// keys and topics are hex.

const { spawn } = require('child_process')
const fs = require('fs')
const net = require('net')
const path = require('path')
const readline = require('readline')
const z32 = require('z32')
const { call } = require('./control')
const { Meter } = require('./meter')
const { until, text } = require('./util')

const BUILD = process.env.BUILD
const EXIT_DONE = 0
const EXIT_FAILED = 1
const NOT_FOUND = /nothing was found/

const keyToHex = key => z32.decode(key).toString('hex')
const b64ToHex = b64 => Buffer.from(b64, 'base64').toString('hex')

class Daemon {
  constructor (options) {
    this.options = options
    this.control = `${options.stateDir}.control`
    this.child = null
    this.said = ''
    this.ended = false // by us
    this.listening = [] // dhtctl processes
    this.died = null // by itself: why
    this.reportsRefusals = true
    this.meter = new Meter(text(options), () => this.datagrams(),
      options.report)
  }

  async start () {
    const { host, port, role, bootstrap, stateDir, tickMs, more } =
      this.options
    const args = ['--host', host, '--port', `${port}`, '--role', role,
      '--bootstrap', bootstrap.map(text).join(',') || 'none',
      '--state-dir', stateDir, '--control', this.control]
    if (role === 'bootstrap') args.push('--public-address', `${host}:${port}`)
    // The announcements of a relay would be counted among those of a dial.
    if (!more || !more.includes('--relay')) args.push('--relay', 'off')
    if (more) args.push(...more)
    if (tickMs) args.push('--test-tick-ms', `${tickMs}`)

    this.child = spawn(path.join(BUILD, 'hyperdhtd'), args,
      { stdio: ['ignore', 'inherit', 'pipe'] })
    this.child.stderr.on('data', data => { this.said += data })
    this.gone = new Promise(resolve => this.child.once('exit', resolve))
    this.child.once('exit', (code, signal) => {
      if (!this.ended) this.died = `ended with ${signal || code}: ${this.said}`
    })
    const failed = this.gone.then(() => { throw new Error(this.said) })
    failed.catch(() => {})
    const ready = until(`hyperdhtd at ${host}:${port} has bootstrapped`,
      async () => (await this.json('status')).bootstrapped)
    await Promise.race([ready, failed])
  }

  // Returns the output of dhtctl, or null if it reports that there is none.
  dhtctl (args, input = '') {
    const child = spawn(path.join(BUILD, 'dhtctl'),
      [...args, '--control', this.control])
    const out = []
    let complaint = ''
    child.stdout.on('data', data => out.push(data))
    child.stderr.on('data', data => { complaint += data })
    child.stdin.on('error', () => {}).end(input)
    return new Promise((resolve, reject) => child.once('close', code => {
      if (code === EXIT_DONE) resolve(Buffer.concat(out))
      else if (code === EXIT_FAILED && NOT_FOUND.test(complaint)) resolve(null)
      else reject(new Error(`dhtctl ${args[0]}: exit ${code}: ${complaint}`))
    }))
  }

  async json (...args) {
    const out = await this.dhtctl([...args, '--json'])
    return out && JSON.parse(out)
  }

  async status () {
    const status = await this.json('status')
    return {
      publicKey: keyToHex(status.public_key),
      persistent: !status.ephemeral,
      address: status.public_address,
      id: status.id
    }
  }

  async nodes () {
    return (await this.json('nodes')).nodes.map(node => node.address)
  }

  // Returns the nodes that it would know after a crash.
  kept () {
    const file = path.join(this.options.stateDir, 'nodes')
    if (!fs.existsSync(file)) return []
    return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean)
  }

  // Stores any bytes, through standard input and output.
  async putImmutable (value) {
    const out = await this.dhtctl(['put', '--json'], Buffer.from(value, 'hex'))
    return JSON.parse(out).hash
  }

  async getImmutable (hash) {
    const found = await this.dhtctl(['get', hash])
    return found && found.toString('hex')
  }

  async putMutable (value, seq) {
    await this.dhtctl(['put', '--mutable', '--seq', `${seq}`],
      Buffer.from(value, 'hex'))
  }

  async getMutable (key, seq) {
    const found = await this.json('get', '--mutable', key, '--seq', `${seq}`)
    return found && { seq: found.seq, value: b64ToHex(found.value_b64) }
  }

  async announce (topic) {
    await this.json('announce', topic)
  }

  async unannounce (topic) {
    await this.json('unannounce', topic)
  }

  async lookup (topic) {
    const found = await this.json('lookup', topic)
    return found ? found.peers.map(peer => keyToHex(peer.public_key)) : []
  }

  // Connects to that key; resolves with the byte stream.
  async connect (publicKey, params) {
    await this.meter.begin()
    try {
      const { socket } = await call(this.control, 'connect',
        { public_key: publicKey, ...params })
      return socket
    } finally {
      await this.meter.end()
    }
  }

  // Returns how many datagrams it has sent and received, without those with
  // which it has served requests of other nodes.
  async datagrams () {
    const { socket, result } = await call(this.control, 'stats')
    socket.destroy()
    const { rx_datagrams: rx, tx_datagrams: tx } = result.counters
    const { requests_served: served, forwarded } = result.counters
    return rx + tx - 2 * (served + forwarded)
  }

  // Listens with the daemon's own key and echoes, until end().
  async listen ({ allow = [] } = {}) {
    const child = spawn(path.join(BUILD, 'dhtctl'),
      ['listen', ...allow.flatMap(key => ['--allow', key]), '--exec', 'cat',
        '--control', this.control], { stdio: ['ignore', 'pipe', 'ignore'] })
    const gone = new Promise(resolve => child.once('exit', resolve))
    this.listening.push(child)
    const publicKey = await new Promise((resolve, reject) => {
      child.stdout.once('data', data =>
        resolve(z32.decode(data.toString().trim())))
      gone.then(code => reject(new Error(`dhtctl listen ends with ${code}`)))
    })
    return { publicKey, end: () => { child.kill('SIGTERM'); return gone } }
  }

  // Does the same, but `decide` accepts or rejects peers by their public key.
  async listenAsking (decide) {
    const socket = net.connect(this.control)
    const lines = readline.createInterface({ input: socket })
    const say = message => socket.write(
      JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n')
    const listening = new Promise((resolve, reject) => {
      socket.once('error', reject)
      lines.on('line', line => {
        const { id, method, params, result, error } = JSON.parse(line)
        if (error) reject(new Error(error.message))
        if (id === 1) resolve(keyToHex(result.public_key))
        if (method !== 'offer') return
        const accept = decide(keyToHex(params.public_key))
        say({ id: 2, method: 'answer', params: { conn: params.conn, accept } })
      })
    })
    say({ id: 1, method: 'listen', params: { ask: true } })
    return { publicKey: Buffer.from(await listening, 'hex'), socket }
  }

  // A dhtctl that listens would wait for the next daemon for ever.
  end (signal) {
    this.ended = true
    this.child.kill(signal)
    for (const child of this.listening) child.kill('SIGTERM')
    return this.gone
  }
}

module.exports = Daemon
