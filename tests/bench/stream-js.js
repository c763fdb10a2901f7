// SPDX-License-Identifier: ISC
//
// stream-js.js ROLE --here HOST:PORT --there HOST:PORT [options]: runs one end
// of encrypted streams, on the JavaScript packages. Takes the same options, and
// prints the same lines, as streamer; see peer.h.

const Secret = require('@hyperswarm/secret-stream')
const readline = require('readline')
const UDX = require('udx-native')
const { parse, keys, pattern, PERIOD } = require('./stream-options')

const options = parse(process.argv.slice(2))
const sending = options.role === 'send'
const initiator = sending !== options.swap

const rssBefore = rss()
const udx = new UDX()
const socket = bind(options.here)
const ends = []
const SETTLE_MS = 3000 // of many streams, before what they cost is measured
let startCpu = null
let open = options.streams

const now = () => Number(process.hrtime.bigint()) / 1e6
const say = line => process.stdout.write(JSON.stringify(line) + '\n')

function bind ({ host, port }) {
  const one = udx.createSocket()
  one.bind(port, host)
  return one
}

// ---- one stream ----

class End {
  constructor (index) {
    this.index = index
    this.id = 1 + Math.floor(Math.random() * 0xffffffff)
    this.raw = udx.createStream(this.id, {
      framed: true, firewall: () => false
    })
    this.in = this.out = this.messages = 0
    this.first = this.last = 0
    this.good = true
    this.err = null
  }

  start (peerId) {
    const { host, port } = options.there
    this.peerId = peerId
    this.begun = now()
    this.raw.connect(socket, peerId, port, host)
    this.stream = new Secret(initiator, null, {
      autoStart: false, keepAlive: options.keepalive
    })
    this.stream.on('data', data => this.take(data))
    this.stream.on('end', () => this.ended())
    this.stream.on('error', err => { this.err = reason(err) })
    // Closes both: the encrypted stream may close with its end still to be
    // sent.
    let left = 2
    const closed = () => --left || this.closed()
    this.stream.on('close', closed)
    this.raw.on('close', closed)
    this.stream.on('message', data => this.takeMessage(data))
    this.stream.start(this.raw, { handshake: keys(this.index, initiator) })
    if (!sending) return
    if (options.messages) this.sendMessages()
    else this.send(options.bytes)
  }

  at (position) {
    return (position + this.index * 1009) % PERIOD
  }

  // Writes until so many bytes have been, then ends.
  send (total) {
    const end = options.seconds ? now() + options.seconds * 1000 : Infinity
    const more = () => {
      let room = true
      while (room && this.out < total && !this.stream.destroying) {
        const n = Math.min(options.write, total - this.out)
        const at = this.at(this.out)
        room = this.stream.write(pattern.subarray(at, at + n))
        this.out += n
        if (sending && options.abrupt && this.out >= options.abrupt) {
          return this.stream.destroy()
        }
        if (options.move && this.out >= options.move) this.move()
        if (now() >= end) total = this.out
      }
      if (this.out >= total) this.stream.end()
      else this.stream.once('drain', more)
    }
    more()
  }

  // Migrates like a connection that leaves its relay: another socket, same
  // stream.
  move () {
    options.move = 0
    const { host, port } = options.there
    const other = bind({ host: options.here.host, port: options.movePort })
    this.raw.changeRemote(other, this.peerId, port, host)
      .catch(() => {})
  }

  async sendMessages () {
    for (let i = 0; i < options.messages; i++) {
      const at = this.at(i)
      await this.stream.send(pattern.subarray(at, at + options.write))
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    this.stream.end()
  }

  takeMessage (data) {
    this.messages++
    if (data.length !== options.write) this.good = false
    // Messages carry no number: each must match one of those sent.
    let i = 0
    while (i < options.messages && !this.equal(data, i)) i++
    if (i === options.messages) this.good = false
  }

  equal (data, position) {
    const at = this.at(position)
    return pattern.compare(data, 0, data.length, at, at + data.length) === 0
  }

  take (data) {
    this.last = now()
    if (this.in === 0) this.first = this.last
    for (let done = 0; done < data.length;) {
      const n = Math.min(PERIOD, data.length - done)
      if (!this.equal(data.subarray(done, done + n), this.in)) this.good = false
      this.in += n
      done += n
    }
    if (options.role === 'echo' && this.stream.write(data) === false) {
      this.stream.pause()
      this.stream.once('drain', () => this.stream.resume())
    }
    if (!sending && options.abrupt && this.in >= options.abrupt) {
      this.stream.destroy()
    }
  }

  ended () {
    if (options.role === 'receive' && options.bytes) this.send(options.bytes)
    else this.stream.end()
  }

  closed () {
    this.done = now()
    if (--open === 0) finish()
  }
}

function reason (err) {
  if (/reset/i.test(err.message)) return 'reset'
  if (/timed out/i.test(err.message)) return 'timeout'
  return err.message
}

// ---- all of them ----

function total (what) {
  return ends.reduce((sum, end) => sum + what(end), 0)
}

function rss () {
  return Math.round(process.memoryUsage.rss() / 1024)
}

function finish () {
  const { user, system } = process.cpuUsage(startCpu)
  const first = Math.min(...ends.map(end => end.first))
  const last = Math.max(...ends.map(end => end.last))
  const errors = ends.map(end => end.err).filter(err => err)
  const raw = ends[0].raw
  say({
    done: true,
    who: 'js',
    role: options.role,
    good: ends.every(end => end.good),
    err: errors[0] || null,
    failed: errors.length,
    bytes_in: total(end => end.in),
    bytes_out: total(end => end.out),
    messages: total(end => end.messages),
    in_seconds: (last - first) / 1000,
    seconds: (Math.max(...ends.map(end => end.done)) - ends[0].begun) / 1000,
    cpu_seconds: (user + system) / 1e6,
    rtt_us: raw.rtt * 1000,
    mtu: raw.mtu,
    packets_out: total(end => end.raw.packetsTransmitted),
    packets_in: total(end => end.raw.packetsReceived),
    resent: total(end => end.raw.retransmits)
  })
}

function idle () {
  setTimeout(() => {
    const before = process.cpuUsage()
    setTimeout(() => {
      const { user, system } = process.cpuUsage(before)
      say({
        done: true,
        who: 'js',
        role: 'idle',
        streams: ends.length,
        rss_before_kib: rssBefore,
        rss_kib: rss(),
        cpu_share: (user + system) / 1e6 / options.seconds
      })
    }, options.seconds * 1000)
  }, SETTLE_MS)
}

function go (line) {
  const peerIds = line.split(' ').map(Number)
  startCpu = process.cpuUsage()
  ends.forEach((end, i) => end.start(peerIds[i]))
  say({ going: true })
  if (options.role === 'idle') idle()
  if (!options.every) return
  setInterval(() => {
    say({ at: now(), in: total(end => end.in), out: total(end => end.out) })
  }, options.every)
}

for (let i = 0; i < options.streams; i++) ends.push(new End(i))
readline.createInterface({ input: process.stdin }).once('line', go)
process.stdin.on('end', () => process.exit())
say({ ready: true, ids: ends.map(end => end.id) })
