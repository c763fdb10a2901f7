// SPDX-License-Identifier: ISC
//
// Encodes and decodes RPC datagrams: some that no JavaScript node would send,
// and fields of replies that no JavaScript node reports.

const dgram = require('dgram')
const peer = require('dht-rpc/lib/peer')

const u16 = n => Buffer.from([n & 255, n >> 8])
const addr = ({ host, port }) =>
  Buffer.concat([Buffer.from(host.split('.').map(Number)), u16(port)])

const REQUEST = 0x03
const REPLY = 0x13

// flags
const ID = 1
const TOKEN = 2
const INTERNAL = 4 // of a request
const CLOSER = 4 // of a reply
const TARGET = 8 // of a request
const ERROR = 8 // of a reply
const VALUE = 16

// fields: id, token, target, value (buffers); command and flags (buffers as
// they shall stand there) replace what would be sent.
function request (to, tid, { internal, command, ...fields }) {
  const flags = (fields.id ? ID : 0) | (fields.token ? TOKEN : 0) |
    (internal ? INTERNAL : 0) | (fields.target ? TARGET : 0) |
    (fields.value ? VALUE : 0)
  const none = Buffer.alloc(0)
  const length = fields.value ? Buffer.from([fields.value.length]) : none
  return Buffer.concat([
    Buffer.from([REQUEST]), fields.flags || Buffer.from([flags]),
    u16(tid), addr(to), fields.id || none, fields.token || none,
    Buffer.isBuffer(command) ? command : Buffer.from([command]),
    fields.target || none, fields.length || length, fields.value || none,
    fields.extra || none
  ])
}

// Returns what another node sees of a reply, without what must differ between
// nodes: an id and an address are only right or wrong, a token has only a
// length.
function shape (reply, from, me) {
  let at = 10
  const take = n => reply.subarray(at, at += n)
  const rightly = yes => yes ? 'right' : 'wrong'
  const id = peer.id(from.host, from.port)
  const flags = reply[1]
  const seen = {
    bytes: reply.length,
    head: reply.subarray(0, 4).toString('hex'),
    to: rightly(reply.subarray(4, 10).equals(addr(me)))
  }
  if (flags & ID) seen.id = rightly(take(32).equals(id))
  if (flags & TOKEN) seen.token = take(32).length
  if (flags & CLOSER) seen.closer = take(1 + 6 * reply[at])[0]
  if (flags & ERROR) seen.error = take(1)[0]
  if (flags & VALUE) seen.value = take(1 + reply[at]).toString('hex')
  seen.rest = reply.length - at
  return seen
}

// Opens a socket that stores the datagrams it receives.
class Probe {
  static open (host, port = 0) {
    const probe = new Probe()
    probe.socket = dgram.createSocket('udp4')
    probe.got = []
    probe.heard = Date.now()
    probe.socket.on('message', (data, from) => {
      probe.got.push({ data, from })
      probe.heard = Date.now()
    })
    return new Promise((resolve, reject) => {
      probe.socket.once('error', reject)
      probe.socket.bind(port, host, () => {
        const { address, port } = probe.socket.address()
        probe.host = address
        probe.port = port
        resolve(probe)
      })
    })
  }

  send (data, { host, port }) {
    this.socket.send(data, port, host)
  }

  // Returns the shapes of the replies received from there.
  replies ({ host, port }) {
    return this.got.filter(({ data, from }) => data[0] === REPLY &&
      from.address === host && from.port === port)
      .map(({ data }) => shape(data, { host, port }, this))
  }

  close () {
    this.socket.close()
  }
}

module.exports = { request, Probe, addr, u16 }
