// SPDX-License-Identifier: ISC
//
// Ours dials JavaScript servers, over networks of ours, of theirs and of both:
// bytes in bulk, each side ending first, refusals, many at once, and a server
// that comes back elsewhere. The other role is in listen.js.

const assert = require('assert')
const DHT = require('hyperdht')
const { randomBytes, sleep } = require('../util')

const BULK = 1000000
const MANY = 200
const NETWORKS = [['ours', { ours: 8 }], ['theirs', { js: 8 }],
  ['both', { ours: 4, js: 4 }]]

// Reads until the other side ends.
function all (socket) {
  return new Promise((resolve, reject) => {
    const parts = []
    socket.on('error', reject)
    socket.on('data', data => parts.push(data))
    socket.on('end', () => resolve(Buffer.concat(parts)))
    socket.resume()
  })
}

// Sends bytes, ends its side, and reads them back.
async function echo (socket, length) {
  const sent = randomBytes(length)
  const back = all(socket)
  socket.end(sent)
  assert((await back).equals(sent), 'what came back is not what was sent')
}

function seconds (promise, n, what) {
  const late = sleep(n * 1000).then(() => {
    throw new Error(`${what} took longer than ${n} s`)
  })
  late.catch(() => {})
  return Promise.race([promise, late])
}

const failure = promise => promise.then(
  () => assert.fail('it connected'), error => error)

// ---- ours dials ----

async function oursDials (lab, nodes, options) {
  const net = await lab.network(nodes)
  const server = await lab.echoServer(await lab.client(net.bootstrap, options))
  const ours = await lab.ours('auto', net.bootstrap)
  const key = server.publicKey.toString('hex')

  await echo(await ours.connect(key), BULK)
  await echo(await ours.connect(key), 1) // the way is known by now
  assert.strictEqual(server.connections, 2)
}

// Protocol 03 §8.5: while there is one connection, others send requests only to
// the peer.
async function oursReuses (lab, options) {
  const net = await lab.network({ js: 8 })
  const node = await lab.client(net.bootstrap, options)
  const server = node.createServer({ reusableSocket: true }, socket => {
    socket.on('error', () => {}).pipe(socket)
  })
  const ours = await lab.ours('auto', net.bootstrap)

  lab.servers.push(server)
  await server.listen()
  const key = server.publicKey.toString('hex')
  const first = await ours.connect(key)
  for (let i = 0; i < 3; i++) await echo(await ours.connect(key), 1000)
  const { attempts } = await ours.json('explain', key)
  assert.strictEqual(attempts.length, 4)
  for (const { steps } of attempts.slice(0, 3)) {
    const asked = steps.filter(({ step }) => step === 'handshake')
    assert.deepStrictEqual(asked.map(({ address }) => address),
      [steps[steps.length - 1].address])
  }
  await echo(first, 1000)
}

// ---- ends ----

// The listener sends first and ends first; the dialer answers.
async function serverEndsFirst (lab) {
  const net = await lab.network({ ours: 4 })
  const ours = await lab.ours('auto', net.bootstrap)
  const node = await lab.client(net.bootstrap)
  const said = randomBytes(50000)
  let answer = null
  const server = node.createServer(socket => {
    answer = all(socket)
    socket.end(said)
  })

  lab.servers.push(server)
  await server.listen()
  const socket = await ours.connect(server.publicKey.toString('hex'))
  socket.end(await all(socket))
  assert((await answer).equals(said))
}

// ---- refusals ----

async function refusals (lab) {
  const net = await lab.network({ ours: 4 })
  const ours = await lab.ours('auto', net.bootstrap)
  const node = await lab.client(net.bootstrap)
  const closed = node.createServer({ firewall: () => true })
  const unknown = DHT.keyPair().publicKey.toString('hex')

  lab.servers.push(closed)
  await closed.listen()
  const silent = await failure(ours.connect(closed.publicKey.toString('hex')))
  assert.strictEqual(silent.name, 'no-answer')
  const missing = await failure(ours.connect(unknown))
  assert.strictEqual(missing.name, 'not-found')
}

// ---- many ----

async function oursDialsMany (lab) {
  const net = await lab.network({ ours: 4, js: 4 })
  const server = await lab.echoServer(await lab.client(net.bootstrap))
  const ours = await lab.ours('auto', net.bootstrap)
  const key = server.publicKey.toString('hex')

  await Promise.all(Array.from({ length: MANY }, async () => {
    await echo(await ours.connect(key), 1000)
  }))
  assert.strictEqual(server.connections, MANY)
}

// ---- servers that come back ----

async function theirsComesBack (lab) {
  const net = await lab.network({ ours: 4, js: 2 })
  const ours = await lab.ours('auto', net.bootstrap)
  const keyPair = DHT.keyPair()
  const key = keyPair.publicKey.toString('hex')

  for (let life = 0; life < 2; life++) {
    const node = await lab.client(net.bootstrap)
    const server = await lab.echoServer(node, keyPair)
    const socket = await seconds(ours.connect(key), 10, `life ${life}`)

    await echo(socket, 1000)
    await server.close()
    await node.destroy()
  }
}

const cases = []

for (const [name, nodes] of NETWORKS) {
  for (const [how, options] of [['open', { firewalled: false }],
    ['firewalled', { quickFirewall: false }]]) {
    cases.push({
      name: `ours dials JavaScript, ${how}, through ${name}`,
      worlds: ['loopback', 'public'],
      run: lab => oursDials(lab, nodes, options)
    })
  }
}
for (const [how, options] of [['open', { firewalled: false }],
  ['firewalled', { quickFirewall: false }]]) {
  cases.push({
    name: `ours dials JavaScript, ${how}, by a path that is there`,
    worlds: ['loopback', 'public'],
    run: lab => oursReuses(lab, options)
  })
}
for (const [name, run, datagrams] of [
  // What the server sends at once is counted as well.
  ['the server of a dialed connection may end first', serverEndsFirst, 120],
  ['who dials tells silence from keys unknown', refusals],
  [`ours dials ${MANY} times at once`, oursDialsMany],
  ['a JavaScript server comes back elsewhere', theirsComesBack]
]) cases.push({ name, worlds: ['loopback', 'public'], run, datagrams })

module.exports = cases
