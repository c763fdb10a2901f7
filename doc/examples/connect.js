#!/usr/bin/env node
// SPDX-License-Identifier: ISC
// connect.js SOCKET KEY: joins standard input and output with a peer.
'use strict'

const net = require('net')

const [path, key] = process.argv.slice(2)
// Without allowHalfOpen, Node.js ends the sending side too when the peer ends
// its own, and what was not yet sent is lost.
const socket = net.connect({ path, allowHalfOpen: true })
let buffer = Buffer.alloc(0)

socket.write(JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'connect', params: { public_key: key }
}) + '\n')
socket.on('data', onLines)
socket.on('error', (err) => fail(err.message))

function fail (text) {
  console.error(text)
  process.exit(1)
}

// Takes lines from the buffer up to the reply; what follows is the stream.
function onLines (data) {
  buffer = Buffer.concat([buffer, data])
  for (let end; (end = buffer.indexOf('\n')) >= 0;) {
    const message = JSON.parse(buffer.subarray(0, end).toString())
    buffer = buffer.subarray(end + 1)
    if (message.error) fail(message.error.message)
    if (message.id === 1) return join()
  }
}

function join () {
  socket.off('data', onLines)
  socket.pause()
  if (buffer.length > 0) socket.unshift(buffer)
  socket.pipe(process.stdout) // pauses while the output is not read
  process.stdin.pipe(socket)
}
