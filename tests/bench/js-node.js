// SPDX-License-Identifier: ISC
//
// js-node.js PORT: runs the reference's bootstrap node at 127.0.0.1:PORT. It
// uses itself as bootstrap node, so that its list is not empty.

require('../interop/guard')
const DHT = require('hyperdht')

const host = '127.0.0.1'
const port = Number(process.argv[2])

DHT.bootstrapper(port, host, { host, bootstrap: [{ host, port }] })
