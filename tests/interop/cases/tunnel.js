// SPDX-License-Identifier: ISC
//
// Tunnels as hypertele builds them (protocol 09 §2.1): ours exposes a service to
// JavaScript clients, and forwards a port to a JavaScript server. Both carry
// half-close and a reset, and start with the service's words.

const assert = require('assert')
const net = require('net')
const z32 = require('z32')
const { randomBytes, sleep } = require('../util')

const GREETING = Buffer.from('hello\n')
const LAST = Buffer.from('bye')
const BULK = 1000000
const AT_ONCE = 20
const REFUSED_MS = 2000

// A service that speaks first, echoes, and has a last word when its client has
// ended.
async function service (lab) {
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    socket.write(GREETING)
    socket.on('data', data => socket.write(data))
    socket.on('end', () => socket.end(LAST))
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  lab.servers.push({ close: () => server.close() })
  return server
}

// Sends bytes, ends, and returns what has come back.
function talk (socket, payload) {
  return new Promise((resolve, reject) => {
    const parts = []
    socket.on('error', reject)
    socket.on('data', data => parts.push(data))
    socket.on('end', () => resolve(Buffer.concat(parts)))
    socket.on('close', () => reject(new Error('closed before its end')))
    socket.end(payload)
  })
}

async function talks (socket, size) {
  const payload = randomBytes(size)
  const back = await talk(socket, payload)
  assert(back.equals(Buffer.concat([GREETING, payload, LAST])),
    'the greeting, what was sent, and the last word')
}

async function fails (socket) {
  const began = Date.now()
  await assert.rejects(talk(socket, 'a'), { code: 'ECONNRESET' })
  assert(Date.now() - began < REFUSED_MS, 'refused at once')
}

async function exposed (lab) {
  const network = await lab.network({ ours: 4, js: 4 })
  const ours = await lab.ours('auto', network.bootstrap)
  const server = await service(lab)
  const { port } = server.address()
  const { public_key: text } = await ours.json('expose', 'web', `${port}`,
    '--public')
  const key = z32.decode(text)
  const client = await lab.client(network.bootstrap)
  await talks(client.connect(key), BULK)
  await talks(client.connect(key), 0)
  await Promise.all(Array.from({ length: AT_ONCE },
    () => talks(client.connect(key), 1000)))
  server.close()
  await sleep(100)
  await fails(client.connect(key))
}

async function forwarded (lab) {
  const network = await lab.network({ ours: 4, js: 4 })
  const server = await service(lab)
  const { port } = server.address()
  const node = await lab.client(network.bootstrap)
  // What hypertele's server does with a connection.
  const tele = node.createServer({ reusableSocket: true }, stream => {
    const socket = net.connect({ port, allowHalfOpen: true })
    stream.setKeepAlive(5000)
    socket.on('error', () => stream.destroy())
    stream.on('error', () => socket.destroy())
    stream.pipe(socket)
    socket.pipe(stream)
  })
  lab.servers.push(tele)
  await tele.listen()
  const ours = await lab.ours('auto', network.bootstrap)
  const { local } = await ours.json('forward', '0',
    tele.publicKey.toString('hex'))
  const [host, at] = local.split(':')
  const connect = () =>
    net.connect({ host, port: Number(at), allowHalfOpen: true })
  await talks(connect(), BULK)
  await talks(connect(), 0)
  await Promise.all(Array.from({ length: AT_ONCE },
    () => talks(connect(), 1000)))
  server.close()
  await sleep(100)
  await fails(connect())
}

module.exports = [
  {
    name: 'a JavaScript client reaches a service that ours exposes',
    worlds: ['loopback', 'public'],
    run: exposed
  },
  {
    name: 'a port of ours leads to the service of a JavaScript server',
    worlds: ['loopback', 'public'],
    run: forwarded
  }
]
