// SPDX-License-Identifier: ISC
//
// A client of the control socket: sends one call on a connection of its own,
// which stays open, and may become a peer's byte stream.

const net = require('net')
const { sleep } = require('./util')

// Resolves with the result, and the socket, paused behind the line of the
// reply; rejects with the daemon's message. early: bytes for the peer, after
// the request.
async function call (path, method, params, early = '') {
  for (;;) {
    try {
      return await callOnce(path, method, params, early)
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err
      await sleep(10) // more knock at once than the socket lets wait
    }
  }
}

function callOnce (path, method, params = {}, early) {
  const socket = net.connect({ path, allowHalfOpen: true })
  let read = Buffer.alloc(0)
  const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  socket.write(`${request}\n${early}`)
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error(`${method}: the daemon hung up`))
    function onData (data) {
      read = Buffer.concat([read, data])
      for (;;) {
        const end = read.indexOf(10)
        if (end < 0) return
        const message = JSON.parse(read.subarray(0, end))
        read = read.subarray(end + 1)
        if (message.id !== 1) continue // a greeting, or news
        socket.pause()
        socket.off('data', onData).off('close', gone).off('error', reject)
        if (message.error) {
          socket.destroy()
          const data = message.error.data || {}
          const error = new Error(`${method}: ${message.error.message}`)
          return reject(Object.assign(error, { name: data.err_name }))
        }
        if (read.length) socket.unshift(read)
        return resolve({ socket, result: message.result })
      }
    }
    socket.on('data', onData).on('close', gone).on('error', reject)
  })
}

module.exports = { call }
