// SPDX-License-Identifier: ISC
//
// JavaScript nodes join a network through one of ours.

const assert = require('assert')
const { knows } = require('../lab')
const { until, text } = require('../util')

const BOTH = ['loopback', 'public']

async function twentyJoin (lab) {
  const first = await lab.ours('bootstrap', [])
  const bootstrap = [first.place]
  const nodes = await Promise.all(
    Array.from({ length: 20 }, () => lab.js(bootstrap)))

  await until('all twenty are persistent and have us in their tables', () =>
    nodes.every(node => !node.ephemeral && knows(node, first.place)))
  await until('we have all twenty in our table', async () => {
    const ours = new Set(await first.nodes())
    const missing = nodes.map(n => text({ host: n.host, port: n.port }))
      .filter(place => !ours.has(place))
    return missing.length === 0 || missing
  })
}

// A carrier's NAT, a test network, an office: all nodes use one
// address, all at once, and none may be rejected.
async function sixtyJoin (lab) {
  const first = await lab.ours('bootstrap', [])
  const { host } = await lab.world.place()
  const nodes = await Promise.all(Array.from({ length: 60 }, () =>
    lab.js([first.place], { host, port: [0, 0], anyPort: true })))

  await until('all sixty are persistent and have us in their tables', () =>
    nodes.every(node => !node.ephemeral && knows(node, first.place)))
  for (const node of nodes) {
    assert.strictEqual(node.stats.requests.timeouts, 0, 'requests timed out')
  }
  await until('we have some of them in our table', async () =>
    (await first.nodes()).length > 0)
}

module.exports = [
  { name: 'twenty JavaScript nodes join', worlds: BOTH, run: twentyJoin },
  { name: 'sixty join from one address', worlds: BOTH, run: sixtyJoin }
]
