// SPDX-License-Identifier: ISC
//
// The link between two namespaces (see link.c), and pairs of stream ends on it
// or on loopback (see peer.h).

const path = require('path')
const { freePort } = require('../interop/util')
const { Speaker, tool } = require('./children')

const ONE_WAY_US = 25000 // a round trip of 50 ms

// Without one, both ends are on loopback.
class Link {
  constructor ({
    hosts = 2, rate, lossPpm = 0, delayUs = ONE_WAY_US, queue, seed = 1
  }) {
    this.options = { rate, lossPpm, delayUs }
    this.nextPort = 20000
    const args = ['--hosts', hosts, '--rate', rate, '--loss-ppm', lossPpm,
      '--delay-us', delayUs, '--seed', seed]
    if (queue) args.push('--queue', queue)
    this.speaker = new Speaker([tool('link'), ...args.map(String)])
  }

  async ready () {
    this.namespaces = (await this.speaker.until('hosts')).hosts
    return this
  }

  // Returns what each host has sent since the last call.
  async passed () {
    this.speaker.lines = []
    this.speaker.tell('')
    return (await this.speaker.until('passed')).passed
  }

  // Returns the arguments that run a command at a host.
  enter (host) {
    return ['nsenter', `--net=${this.namespaces[host]}`]
  }

  static address (host) {
    return `11.1.${host + 1}.1`
  }

  end () {
    return this.speaker.end()
  }
}

const PROGRAMS = {
  ours: () => [tool('streamer')],
  js: () => [process.execPath, path.join(__dirname, 'stream-js.js')],
  tcp: () => [tool('tcp')]
}

// Starts one end of streams, at a host of the link.
class End {
  constructor (who, role, host, link) {
    this.who = who
    this.role = role
    // With priority, so that other load is not measured.
    this.enter = process.getuid() === 0 ? ['nice', '-n', '-20'] : []
    if (link) this.enter.push(...link.enter(host))
    this.host = link ? Link.address(host) : '127.0.0.1'
    this.link = link
  }

  // In a namespace of its own every port is free.
  async place () {
    const port = this.link ? this.link.nextPort++ : await freePort(this.host)
    this.address = `${this.host}:${port}`
  }

  start (peer, options) {
    const args = Object.entries(options).flatMap(([name, value]) => {
      if (value === false) return []
      return value === true ? [`--${name}`] : [`--${name}`, `${value}`]
    })
    this.speaker = new Speaker([...this.enter, ...PROGRAMS[this.who](),
      this.role, '--here', this.address, '--there', peer.address, ...args])
    return this.speaker.until('ready')
  }

  end () {
    return this.speaker ? this.speaker.end() : undefined
  }
}

// Starts a sender (or an idle end) and its receiver.
class Pair {
  // from, to: ours, js or tcp. options: of the sender; back: of the receiver.
  constructor ({ from, to = from, link, options = {}, back = {}, roles }) {
    const [send, receive] = roles || ['send', 'receive']
    this.sender = new End(from, send, 0, link)
    this.receiver = new End(to, receive, 1, link)
    this.options = options
    this.back = back
  }

  async ready () {
    const { sender, receiver } = this
    await sender.place()
    await receiver.place()
    const said = await Promise.all([
      receiver.start(sender, this.back), sender.start(receiver, this.options)
    ])
    this.ids = said.map(line => line.ids.join(' '))
    return this
  }

  // Starts the receiver first, so that no packet arrives before it has a path.
  async go () {
    this.receiver.speaker.tell(this.ids[1])
    await this.receiver.speaker.until('going')
    this.sender.speaker.tell(this.ids[0])
  }

  // Returns the results of both ends.
  async done () {
    const [sent, received] = await Promise.all([
      this.sender.speaker.until('done'), this.receiver.speaker.until('done')
    ])
    return { sent, received }
  }

  // Returns the bytes received until some time of the monotonic clock, in ms.
  receivedAt (at) {
    const lines = this.receiver.speaker.lines.filter(line => line.at)
    let before = { at: 0, in: 0 }
    for (const line of lines) {
      if (line.at >= at) {
        const share = (at - before.at) / (line.at - before.at)
        return before.in + share * (line.in - before.in)
      }
      before = line
    }
    return before.in
  }

  async end () {
    await this.sender.end()
    await this.receiver.end()
  }
}

// Runs all of it, from start to end.
async function transfer (settings) {
  const pair = await new Pair(settings).ready()
  try {
    await pair.go()
    return await pair.done()
  } finally {
    await pair.end()
  }
}

module.exports = { Link, Pair, transfer }
