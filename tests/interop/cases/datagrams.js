// SPDX-License-Identifier: ISC
//
// Sends single datagrams to one of ours and to a JavaScript node in the
// same place in a network of the same shape: the replies must look the
// same, silence included.

const assert = require('assert')
const { request, shape, Probe, u16, addr } = require('../datagram')
const { sleep, until } = require('../util')

const SILENCE_MS = 400
const OTHERS = 5 // nodes in the table of the one that is asked
const TID = 0x1234

const target = Buffer.alloc(32, 7)
const zeroes = Buffer.alloc(32)
const ms = n => Buffer.from([n & 255, n >> 8 & 255, n >> 16 & 255, 0])

const internal = (command, fields) =>
  () => ({ internal: true, command, ...fields })
const user = (command, fields) => () => ({ command, ...fields })

// name: the fields of a request, made for its sender
const script = {
  // ---- internal commands ----
  ping: internal(0),
  'ping with a value': internal(0, { value: Buffer.from('hello') }),
  'ping with a target': internal(0, { target }),
  'ping with a wrong id': internal(0, { id: zeroes }),
  'ping with a wrong token': internal(0, { token: zeroes }),
  'ping with a wrong token and a target':
    internal(0, { token: zeroes, target }),
  'nat ping': me => ({ internal: true, command: 1, value: u16(me.otherPort) }),
  'nat ping, long value': me => ({
    internal: true,
    command: 1,
    value: Buffer.concat([u16(me.otherPort), zeroes])
  }),
  'nat ping without value': internal(1),
  'nat ping, short value': internal(1, { value: Buffer.from([9]) }),
  'nat ping to port 0': internal(1, { value: u16(0) }),
  'find node': internal(2, { target }),
  'find node without target': internal(2),
  'find node with a wrong token': internal(2, { token: zeroes, target }),
  'down hint for a stranger': internal(3, {
    value: addr({ host: '127.0.0.1', port: 9 })
  }),
  'down hint, long value': internal(3, { value: zeroes }),
  'down hint without value': internal(3),
  'down hint, short value': internal(3, { value: Buffer.alloc(5) }),
  'delayed ping': internal(4, { value: ms(100) }),
  'delayed ping, long value': internal(4, {
    value: Buffer.concat([ms(1), zeroes])
  }),
  'delayed ping above the limit': internal(4, { value: ms(10001) }),
  'delayed ping, short value': internal(4, { value: Buffer.alloc(3) }),
  'delayed ping without value': internal(4),
  'unknown internal command': internal(9),
  'unknown internal command with a target': internal(9, { target }),
  // ---- commands of the record layer ----
  'find peer': user(2, { target }),
  'find peer without target': user(2),
  lookup: user(3, { target }),
  'lookup without target': user(3),
  'lookup with a wrong token': user(3, { target, token: zeroes }),
  'announce without token': user(4, { target, value: zeroes }),
  'announce with a wrong token': user(4, {
    target, token: zeroes, value: zeroes
  }),
  'unannounce without value': user(5, { target }),
  'mutable put without token': user(6, { target, value: zeroes }),
  'mutable get': user(7, { target, value: Buffer.from([0]) }),
  'mutable get without value': user(7, { target }),
  'mutable get, value no number': user(7, {
    target, value: Buffer.from([0xfd])
  }),
  'immutable put without token': user(8, { target, value: zeroes }),
  'immutable get': user(9, { target }),
  'immutable get without target': user(9),
  'plugin without value': user(10),
  'plugin that nobody has': user(10, {
    value: Buffer.from([3, 0x66, 0x6f, 0x6f, 1, 0, 0])
  }),
  'unknown command': user(77),
  'unknown command with a target': user(77, { target }),
  'handshake without value': user(0, { target }),
  'handshake, undecodable': user(0, { target, value: Buffer.from([1]) }),
  'handshake for nobody': user(0, {
    target, value: Buffer.concat([Buffer.from([0, 0, 160]), Buffer.alloc(160)])
  }),
  'holepunch without value': user(1, { target }),
  'holepunch for nobody': user(1, {
    target, value: Buffer.concat([Buffer.from([0, 0, 0, 60]), Buffer.alloc(60)])
  }),
  // ---- odd encodings ----
  'ping with bytes behind it': internal(0, { extra: zeroes }),
  'ping with an unknown flag': internal(0, { flags: Buffer.from([0x24]) }),
  'ping, flags in three bytes': internal(0, {
    flags: Buffer.from([0xfd, 4, 0])
  }),
  'ping, command in three bytes': () =>
    ({ internal: true, command: Buffer.from([0xfd, 0, 0]) }),
  'ping, command in nine bytes': () =>
    ({ internal: true, command: Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0]) }),
  'command above 2^53': () => ({
    internal: true,
    command: Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0x20, 0])
  }),
  'command in five bytes': () =>
    ({ command: Buffer.from([0xfe, 3, 0, 0, 0]), target }),
  'value longer than the datagram': internal(0, {
    value: zeroes, length: Buffer.from([33])
  }),
  'value of no bytes': internal(0, { value: Buffer.alloc(0) }),
  'target cut short': internal(2, { target: Buffer.alloc(31) }),
  'token cut short': internal(0, { token: Buffer.alloc(20) })
}

// name: a datagram that is no request
const noise = {
  'one byte': Buffer.from([3]),
  'two bytes': Buffer.from([3, 4]),
  'a reply that nobody asked for':
    Buffer.concat([Buffer.from([0x13, 0, 1, 0]), Buffer.alloc(6)]),
  'version 2': Buffer.concat([Buffer.from([2, 4, 1, 0]), Buffer.alloc(7)]),
  'version 4': Buffer.concat([Buffer.from([4, 4, 1, 0]), Buffer.alloc(7)]),
  'type 2': Buffer.concat([Buffer.from([0x23, 4, 1, 0]), Buffer.alloc(7)]),
  'a stream packet for nobody':
    Buffer.concat([Buffer.from([0xff, 1]), Buffer.alloc(30)])
}

// Opens the probe, and a second one at `otherPort` for replies that go there.
async function ask (node, host, make) {
  const probe = await Probe.open(host)
  const other = await Probe.open(host)
  probe.send(make({ host, port: probe.port, otherPort: other.port }), node)
  await sleep(SILENCE_MS)
  const seen = [...probe.replies(node), ...other.replies(node)]
  const late = seen.length > 1
  probe.close()
  other.close()
  if (late) throw new Error(`${seen.length} replies to one datagram`)
  return seen[0] || 'silence'
}

async function askAll (node, host) {
  const asked = {}
  for (const [name, fields] of Object.entries(script)) {
    asked[name] = ask(node, host, me => request(node, TID, fields(me)))
  }
  for (const [name, data] of Object.entries(noise)) {
    asked[name] = ask(node, host, () => data)
  }
  for (const name of Object.keys(asked)) asked[name] = await asked[name]
  return asked
}

async function compare (lab, ours, reference) {
  const { host } = await lab.world.place()
  for (const node of [ours, reference]) {
    await until('the table is full', async () =>
      (await node.nodes()).length === OTHERS)
  }
  const expected = await askAll(reference.place, host)
  const seen = await askAll(ours.place, host)
  const answered = Object.values(expected).filter(r => r !== 'silence').length
  assert(answered > 20, `only ${answered} datagrams were answered`)
  for (const name of Object.keys(expected)) {
    assert.deepStrictEqual(seen[name], expected[name], `after "${name}"`)
  }
}

// Returns the first node of a network.
async function bootstrapper (lab) {
  const ours = await lab.ours('bootstrap', [])
  const reference = await lab.reference('bootstrap', [])
  for (const first of [ours, reference]) {
    for (let i = 0; i < OTHERS; i++) await lab.js([first.place])
  }
  await compare(lab, ours, reference)
}

// Returns a node that has not been promoted.
async function ephemeral (lab) {
  const { bootstrap } = await lab.network({ js: OTHERS })
  const ours = await lab.ours('auto', bootstrap)
  const reference = await lab.reference('auto', bootstrap)
  await compare(lab, ours, reference)
}

module.exports = [
  {
    name: 'a bootstrap node answers datagrams as JavaScript does',
    worlds: ['loopback', 'public'],
    run: bootstrapper
  },
  {
    name: 'an ephemeral node answers datagrams as JavaScript does',
    worlds: ['loopback', 'public'],
    run: ephemeral
  }
]
