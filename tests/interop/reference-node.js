// SPDX-License-Identifier: ISC
//
// Runs one JavaScript node with the roles, the state directory and the commands
// of hyperdhtd; driven by reference.js over the channel to its parent.

require('./guard')
const DHT = require('hyperdht')
const fs = require('fs')
const path = require('path')
const { randomBytes, text } = require('./util')

const options = JSON.parse(process.argv[2])
const stateFile = path.join(options.stateDir, 'state.json')
const hex = buffer => buffer && Buffer.from(buffer).toString('hex')
const bytes = string => Buffer.from(string, 'hex')

function load () {
  if (fs.existsSync(stateFile)) return JSON.parse(fs.readFileSync(stateFile))
  return { seed: hex(randomBytes(32)), nodes: [] }
}

function save () {
  fs.writeFileSync(stateFile + '.new', JSON.stringify(state))
  fs.renameSync(stateFile + '.new', stateFile)
}

const state = load()

function create () {
  const { host, port, role } = options
  const base = { host, port, seed: bytes(state.seed), nodes: state.nodes }

  // A bootstrap node uses itself, so that its list is not empty either.
  if (role === 'bootstrap') {
    base.bootstrap = [{ host, port }]
    return DHT.bootstrapper(port, host, base)
  }
  base.bootstrap = options.bootstrap
  base.anyPort = false
  if (role === 'persistent') {
    return new DHT({ ...base, ephemeral: false, firewalled: false })
  }
  return new DHT(base)
}

const node = create()
if (options.tickMs) setInterval(() => node._ontick(), options.tickMs)
for (const event of ['add-node', 'remove-node']) {
  node.on(event, () => {
    state.nodes = node.toArray()
    save()
  })
}
save()

const methods = {
  async ready () {
    await node.fullyBootstrapped()
  },

  status () {
    return {
      publicKey: hex(node.defaultKeyPair.publicKey),
      persistent: !node.ephemeral,
      address: node.host ? text(node) : null,
      id: hex(node.id)
    }
  },

  nodes () {
    return node.toArray().map(text)
  },

  async putImmutable (value) {
    return hex((await node.immutablePut(bytes(value))).hash)
  },

  async getImmutable (hash) {
    const found = await node.immutableGet(bytes(hash))
    return found && hex(found.value)
  },

  async putMutable (value, seq) {
    await node.mutablePut(node.defaultKeyPair, bytes(value), { seq })
    return hex(node.defaultKeyPair.publicKey)
  },

  async getMutable (key, seq) {
    const found = await node.mutableGet(bytes(key), { seq })
    return found && { seq: found.seq, value: hex(found.value) }
  },

  async announce (topic) {
    await node.announce(bytes(topic), node.defaultKeyPair).finished()
  },

  async unannounce (topic) {
    await node.unannounce(bytes(topic), node.defaultKeyPair)
  },

  async lookup (topic) {
    const keys = new Set()
    for await (const { peers } of node.lookup(bytes(topic))) {
      for (const peer of peers) keys.add(hex(peer.publicKey))
    }
    return [...keys]
  }
}

process.on('message', async ({ serial, method, args }) => {
  try {
    const result = await methods[method](...args)
    process.send({ serial, result: result === undefined ? null : result })
  } catch (err) {
    process.send({ serial, error: err.message })
  }
})
process.on('disconnect', () => process.exit())
