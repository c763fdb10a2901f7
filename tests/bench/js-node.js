// SPDX-License-Identifier: ISC
//
// js-node.js PORT: the reference's bootstrap node at 127.0.0.1:PORT. It asks
// itself, so that its list of bootstrap nodes is not empty.

require('../interop/guard')
const DHT = require('hyperdht')

const host = '127.0.0.1'
const port = Number(process.argv[2])

DHT.bootstrapper(port, host, { host, bootstrap: [{ host, port }] })
