// SPDX-License-Identifier: ISC
//
// What the tests share and no stack has: waiting, ports, keys as text.

const crypto = require('crypto')
const dgram = require('dgram')

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// Calls again and again until the result is true; the last result or
// thrown is in the error. No test passes by being fast: `ms` only bounds a
// failure.
async function until (what, ask, ms = 20000) {
  const end = Date.now() + ms
  let last
  do {
    try {
      last = await ask()
      if (last === true) return
    } catch (err) {
      last = err.message
    }
    await sleep(50)
  } while (Date.now() < end)
  throw new Error(`waited ${ms} ms for this in vain: ${what} (${last})`)
}

const FIRST_PORT = 20000
const PORTS = 10000 // all below Linux's ephemeral ports
let nextPort = process.pid % PORTS

// Resolves to a UDP port of that host which no socket uses, and which the kernel
// gives to none that asks for any port: an ephemeral one could be taken between
// this answer and its use.
async function freePort (host) {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + nextPort
    nextPort = (nextPort + 1) % PORTS
    if (await isFree(host, port)) return port
  }
  throw new Error('no port is free')
}

function isFree (host, port) {
  return new Promise(resolve => {
    const socket = dgram.createSocket('udp4')
    socket.once('error', () => resolve(false))
    socket.bind(port, host, () => socket.close(() => resolve(true)))
  })
}

const text = ({ host, port }) => `${host}:${port}`

const randomBytes = n => crypto.randomBytes(n)

module.exports = { sleep, until, freePort, text, randomBytes }
