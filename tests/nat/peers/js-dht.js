#!/usr/bin/env node
// SPDX-License-Identifier: ISC
// Public DHT nodes of the reference stack, all on one address.
//
//   js-dht.js --address IP [--port N] [--nodes N] [--bootstrap HOST:PORT,...]
//
// The nodes use consecutive ports.  Without --bootstrap the first one starts a
// network of its own.  Prints a "listening" event once all are part of the network.

const DHT = require('hyperdht')
const { options, addresses, emit, stopwatch, leaveCleanly } = require('./common')

async function main () {
  leaveCleanly()
  const elapsed = stopwatch()
  const opts = options()
  const host = opts.address
  const firstPort = Number(opts.port || 49737)
  const bootstrap = addresses(opts.bootstrap)

  for (let port = firstPort; port < firstPort + Number(opts.nodes || 1); port++) {
    const node = bootstrap.length
      ? new DHT({ bootstrap, host, port, ephemeral: false, firewalled: false, anyPort: false })
      : DHT.bootstrapper(port, host, { host })
    await node.fullyBootstrapped()
    if (!bootstrap.length) bootstrap.push({ host, port })
  }
  emit('listening', { address: `${host}:${firstPort}`, ms: elapsed() })
}

main()
