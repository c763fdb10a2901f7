// SPDX-License-Identifier: ISC
//
// One of ours joins a JavaScript network as an adaptive node: unseen while it
// is ephemeral, in all tables once it is persistent.

const assert = require('assert')
const peer = require('dht-rpc/lib/peer')
const { knows } = require('../lab')
const { until, text } = require('../util')

// A persistent node checks its server port from its client socket, which sends
// no id (protocol 10 §9.8): two requests to each of five nodes, every 2.4 s with
// the short ticks of this case.
const CHECK_REQUESTS = 10
const CHECKS_MAX = 3

async function promoted (lab) {
  const net = await lab.network({ js: 10 })
  const ours = await lab.ours('auto', net.bootstrap, { tickMs: 20 })
  const heard = watch(net.js, ours.place)

  const before = net.js.filter(node => knows(node, ours.place)).length
  assert.strictEqual((await ours.status()).persistent, false)
  assert.strictEqual(before, 0, 'it is in a table while ephemeral')

  await until('it is persistent', async () => (await ours.status()).persistent)
  const status = await ours.status()
  assert.strictEqual(status.address, text(ours.place))
  assert.strictEqual(status.id,
    peer.id(ours.place.host, ours.place.port).toString('hex'))
  await until('all JavaScript nodes have it in their tables', () =>
    net.js.every(node => knows(node, ours.place)))
  assert(heard.ephemeral > 0, 'it was not heard while ephemeral')
  assert(heard.persistent > 0, 'it never sent its id')
  assert(heard.late <= CHECKS_MAX * CHECK_REQUESTS,
    `it sent ${heard.late} requests without an id although persistent`)

  const { from } = await net.js[0].ping(ours.place)
  assert.strictEqual(from.id.toString('hex'), status.id)
}

// Counts the requests of ours that reach the JavaScript nodes: without an id
// before the first with one, with one, and without one after that.
function watch (nodes, place) {
  const heard = { ephemeral: 0, persistent: 0, late: 0 }
  const others = new Set(nodes.map(n => text(n.io.serverSocket.address())))
  for (const node of nodes) {
    node.io.onrequest = (req, external) => {
      const { host, id } = req.from
      if (host === place.host && !others.has(text(req.from))) {
        if (id !== null) heard.persistent++
        else if (heard.persistent) heard.late++
        else heard.ephemeral++
      }
      node._onrequest(req, external)
    }
  }
  return heard
}

module.exports = [
  {
    name: 'one of ours is promoted on a JavaScript network',
    worlds: ['loopback', 'public'],
    run: promoted
  }
]
