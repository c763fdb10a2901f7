// SPDX-License-Identifier: ISC
//
// Contains what both ends of a stream have in common, where a handshake would
// have agreed on it: see peer.h.

const PERIOD = 65521

// Returns a period twice, so that any run of one is contiguous.
const pattern = Buffer.alloc(2 * PERIOD)
for (let i = 0, x = 1; i < PERIOD; i++) {
  x = Math.imul(x, 1103515245) + 12345 & 0x7fffffff
  pattern[i] = pattern[i + PERIOD] = x >>> 16
}

function key (fill, index, length) {
  const bytes = Buffer.alloc(length, fill)
  bytes.writeUInt32LE(index)
  return bytes
}

// Builds the state that the Noise handshake would have left.
function keys (index, initiator) {
  const forth = key(0x11, index, 32)
  const back = key(0x22, index, 32)
  return {
    tx: initiator ? forth : back,
    rx: initiator ? back : forth,
    hash: key(0x33, index, 64),
    publicKey: key(initiator ? 0x44 : 0x55, index, 32),
    remotePublicKey: key(initiator ? 0x55 : 0x44, index, 32)
  }
}

const NUMBERS = {
  bytes: 0, write: 65519, streams: 1, seconds: 0, every: 0, abrupt: 0,
  messages: 0, keepalive: 0, move: 0, movePort: 0
}

function address (text) {
  const [host, port] = text.split(':')
  return { host, port: Number(port) }
}

function parse (words) {
  const found = { role: words.shift(), swap: false, follow: false, ...NUMBERS }
  while (words.length) {
    const name = words.shift().slice(2)
      .replace(/-(.)/g, (_, letter) => letter.toUpperCase())
    if (name === 'swap' || name === 'follow') found[name] = true
    else if (name === 'here' || name === 'there') {
      found[name] = address(words.shift())
    } else if (name in NUMBERS) found[name] = Number(words.shift())
    else throw new Error(`unknown option ${name}`)
  }
  if (found.seconds && found.role === 'send') found.bytes = Infinity
  return found
}

module.exports = { parse, keys, pattern, PERIOD }
