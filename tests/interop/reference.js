// SPDX-License-Identifier: ISC
//
// Runs the JavaScript stack in our place, as a process of its own: what
// daemon.js is for the built programs, with the same methods. Only the harness
// is tested with it.

const { fork } = require('child_process')
const fs = require('fs')
const path = require('path')
const { text } = require('./util')

const PROGRAM = path.join(__dirname, 'reference-node.js')

const METHODS = ['status', 'nodes', 'putImmutable', 'getImmutable',
  'putMutable', 'getMutable', 'announce', 'unannounce', 'lookup']

class Reference {
  constructor (options) {
    this.options = options
    this.child = null
    this.calls = new Map()
    this.serial = 0
  }

  async start () {
    this.child = fork(PROGRAM, [JSON.stringify(this.options)])
    this.gone = new Promise(resolve => this.child.once('exit', resolve))
    this.gone.then(() => {
      for (const call of this.calls.values()) call.reject(new Error('gone'))
      this.calls.clear()
    })
    this.child.on('message', ({ serial, result, error }) => {
      const call = this.calls.get(serial)
      this.calls.delete(serial)
      if (error) call.reject(new Error(error))
      else call.resolve(result)
    })
    await this.call('ready')
  }

  call (method, ...args) {
    return new Promise((resolve, reject) => {
      const serial = ++this.serial
      this.calls.set(serial, { resolve, reject })
      this.child.send({ serial, method, args })
    })
  }

  kept () {
    const file = path.join(this.options.stateDir, 'state.json')
    return JSON.parse(fs.readFileSync(file)).nodes.map(text)
  }

  // Streams do not cross the channel; such cases are skipped.
  connect () {
    throw Object.assign(new Error('no streams from here'), { code: 77 })
  }

  listen () {
    return this.connect()
  }

  end (signal) {
    this.child.kill(signal)
    return this.gone
  }
}

for (const method of METHODS) {
  Reference.prototype[method] = function (...args) {
    return this.call(method, ...args)
  }
}

module.exports = Reference
