// SPDX-License-Identifier: ISC
//
// Keeps the JavaScript stack inside the test: must be loaded before it. A
// datagram to any other network, a stream to one, or a name looked up ends the
// process, so that no test can reach the public network even by mistake.

const Socket = require('udx-native/lib/socket')
const Stream = require('udx-native/lib/stream')
const UDX = require('udx-native')

const INSIDE = /^(127|11\.1)\./

function forbid (what) {
  process.stderr.write(`guard: ${what} is outside of the test\n`)
  process.exit(70)
}

// Wraps a method of the class: throws if the argument at `at` is not inside.
function guard (type, method, at) {
  const original = type.prototype[method]
  type.prototype[method] = function (...args) {
    if (args[at] && !INSIDE.test(args[at])) forbid(`${method} to ${args[at]}`)
    return original.apply(this, args)
  }
}

guard(Socket, 'send', 2)
guard(Socket, 'trySend', 2)
guard(Stream, 'connect', 3)
UDX.prototype.lookup = name => forbid(`the name ${name}`)
