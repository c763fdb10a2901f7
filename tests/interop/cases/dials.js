// SPDX-License-Identifier: ISC
//
// Nodes of both stacks on one machine dial each other, one dial after another,
// in all four combinations. A dial takes at most as many datagrams as meter.js
// allows; times are printed and not checked, since they depend on the machine.
//
// DIALS=N sets the dials of each combination, NODES=N the nodes of each stack.

const z32 = require('z32')
const { randomBytes } = require('../util')
const { call } = require('../control')
const { DATAGRAMS_MAX } = require('../meter')

const DIALS = Number(process.env.DIALS || 40)
const NODES = Number(process.env.NODES || 10)

// ---- dials: each resolves with the milliseconds until the stream is open, and
// ---- the datagrams until then

const since = start => Number(process.hrtime.bigint() - start) / 1e6

async function oursDials (daemon, key) {
  await daemon.meter.begin()
  const start = process.hrtime.bigint()
  const { socket } = await call(daemon.control, 'connect',
    { public_key: key.toString('hex') })
  const ms = since(start)
  const datagrams = await daemon.meter.end()
  socket.destroy()
  if (datagrams > DATAGRAMS_MAX) await explain(daemon, key, datagrams)
  return { ms, datagrams }
}

// Prints how a dial went that took too much.
async function explain (daemon, key, datagrams) {
  const { attempts } = await daemon.json('explain', key.toString('hex'))
  console.log(`# ${datagrams} datagrams:`)
  for (const step of attempts[0].steps) {
    const { at_us: at, step: what, address, path, err_name: err } = step
    console.log(`#   ${at} us ${what} ${address} ${path} ${err}`)
  }
}

// Counted at the callee if that is one of ours.
async function theirsDials (node, key, callee) {
  const { meter } = callee.control ? callee : node
  if (callee.control) await meter.begin()
  const start = process.hrtime.bigint()
  const socket = node.connect(key)
  const ms = await new Promise((resolve, reject) => {
    socket.once('error', reject).once('open', () => resolve(since(start)))
  })
  const datagrams = await (callee.control ? meter.end() : meter.latest)
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.destroy()
  await closed
  return { ms, datagrams }
}

// ---- nodes ----

// Half of the nodes are persistent, half are as programs start them.
async function population (lab) {
  const half = NODES / 2
  const net = await lab.network({ ours: half, js: half })
  while (net.ours.length < NODES) {
    net.ours.push(await lab.ours('auto', net.bootstrap))
  }
  while (net.js.length < NODES) net.js.push(await lab.client(net.bootstrap))
  const ours = await Promise.all(net.ours.map(async daemon => {
    const { result } = await call(daemon.control, 'listen', { keep: true })
    return {
      node: daemon, dial: oursDials, key: z32.decode(result.public_key)
    }
  }))
  const theirs = await Promise.all(net.js.map(async node => {
    const server = await lab.echoServer(node)
    return { node, dial: theirsDials, key: server.publicKey }
  }))
  return { ours, theirs }
}

const any = list => list[randomBytes(4).readUInt32LE() % list.length]

// ---- the table ----

async function row (name, from, to) {
  const times = []
  const costs = []

  while (times.length < DIALS) {
    const caller = any(from)
    const callee = any(to)
    if (caller === callee) continue
    const { ms, datagrams } = await caller.dial(caller.node,
      callee.key, callee.node)
    times.push(ms)
    costs.push(datagrams)
  }
  times.sort((a, b) => a - b)
  costs.sort((a, b) => a - b)
  const at = (list, share) => list[Math.floor((list.length - 1) * share)]
  const ms = share => at(times, share).toFixed(1).padStart(7)
  const datagrams = share => String(at(costs, share)).padStart(4)
  console.log(`# ${name} | ${times.length} | ${ms(0.5)} | ${ms(0.95)} | ` +
    `${ms(1)} | ${datagrams(0.5)} | ${datagrams(1)}`)
}

async function table (lab) {
  const { ours, theirs } = await population(lab)

  console.log('# caller to callee | dials | median ms | 95 % | max | ' +
    'median datagrams | max')
  await row('ours to ours  ', ours, ours)
  await row('ours to JS    ', ours, theirs)
  await row('JS to ours    ', theirs, ours)
  lab.bounded = false // theirs is theirs
  await row('JS to JS      ', theirs, theirs)
}

module.exports = [{
  name: 'dials of many nodes, one after another',
  worlds: ['loopback'],
  run: table
}]
