// SPDX-License-Identifier: ISC
//
// Connects JavaScript servers and clients on networks in which all DHT nodes
// are ours: announcing, finding, the handshake and the holepunch all pass
// through them.

const assert = require('assert')
const { randomBytes } = require('../util')

const CONNECTS = 5

// Sends `payload` over a new connection and returns the echo.
function echo (client, publicKey, payload) {
  return new Promise((resolve, reject) => {
    const socket = client.connect(publicKey, { localConnection: false })
    const back = []
    let length = 0
    socket.on('error', reject)
    socket.on('data', data => {
      back.push(data)
      length += data.length
      if (length >= payload.length) socket.end()
    })
    socket.on('close', () => resolve(Buffer.concat(back)))
    socket.write(payload)
  })
}

async function connect (lab, options, punches) {
  const net = await lab.network({ ours: 8 })
  const server = await lab.echoServer(await lab.client(net.bootstrap, options))

  for (let i = 1; i <= CONNECTS; i++) {
    const client = await lab.client(net.bootstrap, options)
    const payload = randomBytes(20000)
    const back = await echo(client, server.publicKey, payload)
    assert(back.equals(payload), `echo ${i} differs from what was sent`)
    assert.strictEqual(server.connections, i, 'one connection for each')
  }
  // A connection may open before its holepunch message arrives; not all can.
  assert.strictEqual(server.punches > 0, punches)
}

module.exports = [
  {
    name: 'JavaScript peers connect through ours, open',
    worlds: ['loopback', 'public'],
    run: lab => connect(lab, { firewalled: false }, false)
  },
  {
    name: 'JavaScript peers connect through ours, punching',
    worlds: ['loopback', 'public'],
    run: lab => connect(lab, { quickFirewall: false }, true)
  }
]
