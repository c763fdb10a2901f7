// SPDX-License-Identifier: ISC
//
// Where the nodes of a test live. On loopback they share 127.0.0.1 and differ
// by port, and the limits that a public network needs are off by themselves.
// In the public world each has an address in a /24 of its own, the port that
// all nodes use, and no limit is off.

const { freePort } = require('./util')

class Loopback {
  constructor () {
    this.name = 'loopback'
  }

  async place () {
    return { host: '127.0.0.1', port: await freePort('127.0.0.1') }
  }

  reset () {}
}

class Public {
  constructor () {
    this.name = 'public'
    this.used = 0
  }

  async place () {
    this.used++
    return { host: `11.1.${this.used}.1`, port: 49737 }
  }

  // Frees all addresses after a case.
  reset () {
    this.used = 0
  }
}

module.exports = { loopback: Loopback, public: Public }
