// SPDX-License-Identifier: ISC
//
// Kills nodes with -9 at a bad moment: only what they stored for others is
// lost.

const assert = require('assert')
const { Probe } = require('../datagram')
const { randomBytes, until, text } = require('../util')

const SILENCE_MS = 6000 // no request is repeated after a longer pause

// Puts and gets values until it is stopped; a failure ends it.
class Load {
  constructor (client) {
    this.client = client
    this.done = 0
    this.running = true
    this.finished = this.run()
    this.finished.catch(() => {})
  }

  async run () {
    while (this.running) {
      const value = randomBytes(100)
      const { hash } = await this.client.immutablePut(value)
      const found = await this.client.immutableGet(hash)
      assert.deepStrictEqual(found && found.value, value)
      this.done++
    }
  }

  async stop () {
    this.running = false
    await this.finished
    return this.done
  }
}

const table = async node => (await node.nodes()).sort()

// Waits until its table and its state directory contain all others.
async function settle (node, others) {
  const expected = String(others.map(other => text(other.place)).sort())
  await until('its table is full', async () =>
    String(await table(node)) === expected)
  await until('its table is kept', () =>
    String(node.kept().sort()) === expected, 40000)
}

// No node sends requests to the dead one any more.
async function forgotten ({ host, port }) {
  const probe = await Probe.open(host, port)
  await until('it is forgotten', () => Date.now() - probe.heard > SILENCE_MS,
    60000)
  probe.close()
}

async function killedUnderLoad (lab) {
  const net = await lab.network({ ours: 8 })
  const victim = net.ours[3]
  const others = net.ours.filter(node => node !== victim)
  const client = await lab.client(net.bootstrap)
  await settle(victim, others)
  const before = { ...await victim.status(), table: await table(victim) }

  const load = new Load(client)
  await until('the load is on', () => load.done > 2)
  await victim.end('SIGKILL')
  const again = await lab.again(victim)
  await until('it is persistent again', async () =>
    (await again.status()).persistent)
  await until('it has its table again', async () =>
    String(await table(again)) === String(before.table))
  const after = await again.status()
  assert.strictEqual(after.publicKey, before.publicKey)
  assert.strictEqual(after.id, before.id)

  const { from } = await client.ping(again.place)
  assert.strictEqual(from.id && from.id.toString('hex'), after.id)
  const far = load.done
  await until('the load goes on', () => load.done > far + 2)
  await load.stop()
}

// All its bootstrap nodes are gone, and no node has it in its table: it
// knows the others from its state, and serves new nodes in turn.
async function withoutBootstrap (lab) {
  const net = await lab.network({ ours: 8, tickMs: 50 })
  const [first, victim, ...rest] = net.ours
  await settle(victim, [first, ...rest])
  await first.end('SIGKILL')
  await victim.end('SIGKILL')
  await forgotten(victim.place)

  const again = await lab.again(victim)
  await until('it is persistent again', async () =>
    (await again.status()).persistent)
  await until('it knows all of the others', async () => {
    const known = new Set(await again.nodes())
    return rest.every(node => known.has(text(node.place)))
  })

  const client = await lab.client([again.place])
  const { hash } = await client.immutablePut(randomBytes(100))
  assert(await client.immutableGet(hash))
}

module.exports = [
  {
    name: 'kill -9 under load loses neither key nor table',
    worlds: ['loopback', 'public'],
    run: killedUnderLoad
  },
  {
    name: 'a restart with every bootstrap node down rejoins',
    worlds: ['loopback', 'public'],
    run: withoutBootstrap
  }
]
