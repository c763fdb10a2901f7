// SPDX-License-Identifier: ISC
//
// connect-js.js HOST:PORT: runs a JavaScript node at that bootstrap node. It
// reads lines of JSON, and answers each with one:
//
//   {"serve":N}                   N servers that echo
//   {"dial":KEY,"relays":[...]}   time until a byte returned

const DHT = require('hyperdht')
const readline = require('readline')

const [host, port] = process.argv[2].split(':')
const dht = new DHT({ bootstrap: [{ host, port: Number(port) }] })
const say = line => process.stdout.write(JSON.stringify(line) + '\n')

async function serve (count) {
  const servers = []
  for (let i = 0; i < count; i++) {
    const server = dht.createServer(socket => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    await server.listen(DHT.keyPair())
    servers.push({
      key: server.publicKey.toString('hex'), relays: server.relayAddresses
    })
  }
  return { servers }
}

function dial ({ dial, relays = [] }) {
  const start = process.hrtime.bigint()
  const socket = dht.connect(Buffer.from(dial, 'hex'), {
    relayAddresses: relays
  })
  socket.write('x')
  return new Promise(resolve => {
    socket.once('data', () => {
      resolve({ ms: Number(process.hrtime.bigint() - start) / 1e6 })
      socket.end()
    })
    socket.on('error', err => resolve({ error: err.message }))
  })
}

readline.createInterface({ input: process.stdin }).on('line', async line => {
  const asked = JSON.parse(line)
  say({ answer: asked.serve ? await serve(asked.serve) : await dial(asked) })
})
process.stdin.on('end', () => process.exit())
dht.fullyBootstrapped().then(() => say({ ready: true }))
