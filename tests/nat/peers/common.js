// SPDX-License-Identifier: ISC
// What the reference peers share: options, the event protocol, clean exits.

exports.options = function options () {
  const found = { _: [] }
  const argv = process.argv.slice(2)
  while (argv.length) {
    const word = argv.shift()
    if (!word.startsWith('--')) found._.push(word)
    else found[word.slice(2)] = argv.length && !argv[0].startsWith('--') ? argv.shift() : ''
  }
  return found
}

// "host:port,host:port" as a list; an empty list for a missing or empty option
exports.addresses = function addresses (text) {
  return (text || '').split(',').filter(Boolean).map(item => {
    const [host, port] = item.split(':')
    return { host, port: Number(port) }
  })
}

exports.emit = function emit (event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')
}

exports.stopwatch = function stopwatch () {
  const start = process.hrtime.bigint()
  return () => Number((process.hrtime.bigint() - start) / 100000n) / 10
}

// Leave on a signal and on an uncaught error.
exports.leaveCleanly = function leaveCleanly () {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(0))
  for (const kind of ['uncaughtException', 'unhandledRejection']) {
    process.on(kind, err => {
      exports.emit('error', { message: String((err && err.message) || err) })
      process.exit(1)
    })
  }
}
