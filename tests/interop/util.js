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

// Returns a UDP port of that host that was free a moment ago.
function freePort (host) {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp4')
    socket.once('error', reject)
    socket.bind(0, host, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}

const text = ({ host, port }) => `${host}:${port}`

const randomBytes = n => crypto.randomBytes(n)

module.exports = { sleep, until, freePort, text, randomBytes }
