// SPDX-License-Identifier: ISC
//
// Measures what a request costs the server, and what a server costs. Compares
// the CPU time that a server uses for a reply: unlike replies per second,
// that does not depend on how fast the load generator is.

const { execFile } = require('child_process')
const fs = require('fs')
const path = require('path')
const readline = require('readline')
const { promisify } = require('util')
const { freePort, sleep } = require('../interop/util')
const { scratch, tool, start, end } = require('./children')
const table = require('./table')
const { note, median } = table

const run = promisify(execFile)
const build = process.env.BUILD
const hyperdhtd = path.join(build, 'hyperdhtd')

// The requests, and the required ratio; null: none. An echo
// returns no tokens, so it cannot be written to.
const MODES = {
  ping: { js: 1.7, echo: 0.85 },
  find_node: { js: 1.7, echo: 0.85 },
  lookup: { js: 1.7, echo: 0.80 },
  find_peer: { js: 1.7, echo: 0.80 },
  announce: { js: 1.3, echo: null },
  immutable_put: { js: null, echo: null }
}
const WARM_UP_MS = 500
const ANNOUNCEMENTS = 65536

// Starts each server.
const SERVERS = {
  ours (port) {
    const state = fs.mkdtempSync(path.join(scratch(), 'state-'))
    return [hyperdhtd, '--host', '127.0.0.1',
      '--port', String(port), '--role', 'bootstrap',
      '--public-address', `127.0.0.1:${port}`, '--bootstrap', 'none',
      '--state-dir', state, '--control', `${state}.control`,
      '--log-level', 'error']
  },
  js: port => [process.execPath, path.join(__dirname, 'js-node.js'), `${port}`]
}

async function serve (name) {
  const port = await freePort('127.0.0.1')
  const [program, ...args] = SERVERS[name](port)
  const { pid } = start(program, args)
  return { name, port, pid }
}

async function serveEcho (size) {
  const port = await freePort('127.0.0.1')
  const child = start(tool('echo'), [`${port}`, `${size}`])
  return { name: 'echo', port, pid: child.pid, child }
}

// Adds sixty nodes to the server's table; resolves when they are in it.
let nets = 0
async function crowd (server) {
  const child = start(tool('crowd'), [`${server.port}`, `${++nets}`])
  for await (const line of readline.createInterface(child.stdout)) {
    if (line === 'ready') return child
  }
  throw new Error(`the crowd found no room in the table of ${server.name}`)
}

// ---- measurements ----

async function load (server, mode, options) {
  const { stdout } = await run(tool('dhtload'), ['--port', `${server.port}`,
    '--pid', `${server.pid}`, '--mode', mode, ...options])
  return note({ section: 'requests', server: server.name, ...JSON.parse(stdout) })
}

function rss (server) {
  const status = fs.readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024
}

async function measureMode (servers, mode, { rounds: count, ms }) {
  const options = ['--ms', `${ms}`]
  const first = await load(servers[0], mode, ['--ms', `${WARM_UP_MS}`])
  const all = [...servers]
  const rounds = []
  let echo = null

  if (MODES[mode].echo !== null) {
    echo = await serveEcho(Math.round(first.reply_bytes))
    all.push(echo)
  }
  for (const server of all.slice(1)) {
    await load(server, mode, ['--ms', `${WARM_UP_MS}`])
  }
  for (let i = 0; i < count; i++) {
    const round = {}
    for (const server of i & 1 ? [...all].reverse() : all) {
      round[server.name] = await load(server, mode, options)
    }
    rounds.push(round)
  }
  if (echo) await end(echo.child)
  return rounds
}

async function measureMemory (name) {
  const server = await serve(name)
  await sleep(1000)
  const idle = rss(server)
  await load(server, 'announce',
    ['--ms', '120000', '--count', `${ANNOUNCEMENTS}`])
  const full = rss(server)
  return note({ section: 'requests', server: name, idle_mib: idle, full_mib: full })
}

async function measureStart (name, { rounds }) {
  const times = []
  for (let i = 0; i < rounds; i++) {
    const port = await freePort('127.0.0.1')
    const { stdout } = await run(tool('ready'),
      [`${port}`, ...SERVERS[name](port)])
    times.push(note({ section: 'requests', server: name, ...JSON.parse(stdout) }))
  }
  return {
    answers: median(times.map(t => t.answers_ms)),
    ready: median(times.map(t => t.ready_ms))
  }
}

// ---- the table ----

function cost (rounds, name) {
  if (!rounds[0][name]) return '-'
  return median(rounds.map(r => r[name].cpu_seconds / r[name].replies * 1e6))
    .toFixed(2)
}

// Returns the median of the rounds' ratios, their spread, and the result.
function ratio (rounds, name, wanted) {
  if (!rounds[0][name]) return ['-', '-', '']
  const all = rounds.map(r => r.ours.per_cpu_second / r[name].per_cpu_second)
  const middle = median(all)
  const text = `${middle.toFixed(2)} (${all[0].toFixed(2)}-` +
    `${all[all.length - 1].toFixed(2)})`
  if (wanted === null) return [text, '-', '']
  return [text, wanted.toFixed(2), table.verdict(middle >= wanted)]
}

const WIDTHS = [14, 8, 8, 8, 18, 7, 6, 18, 7, 6]
const row = cells => table.row(WIDTHS, cells)

async function compare (size) {
  const servers = [await serve('ours'), await serve('js')]
  await sleep(1000)
  for (const server of servers) await crowd(server)

  console.log('CPU microseconds per reply, and replies per CPU-second of ours')
  console.log(`over those of the others: medians of ${size.rounds} rounds\n`)
  row(['', 'ours', 'js', 'echo', 'ours/js', 'wanted', '', 'ours/echo',
    'wanted'])
  for (const [mode, wanted] of Object.entries(MODES)) {
    const rounds = await measureMode(servers, mode, size)
    row([mode, ...['ours', 'js', 'echo'].map(name => cost(rounds, name)),
      ...ratio(rounds, 'js', wanted.js), ...ratio(rounds, 'echo', wanted.echo)])
  }
}

async function footprint (size) {
  console.log(`\nresident MiB idle, with ${ANNOUNCEMENTS} announcements; ` +
    'ms to the first answer, to "ready"\n')
  row(['', 'idle', 'full', 'answer', 'ready'])
  for (const name of ['ours', 'js']) {
    const memory = await measureMemory(name)
    const { answers, ready } = await measureStart(name, size)
    row([name, memory.idle_mib.toFixed(1), memory.full_mib.toFixed(1),
      answers.toFixed(1), ready < 0 ? '-' : ready.toFixed(1)])
  }
}

module.exports = {
  async requests (short) {
    const size = short ? { rounds: 3, ms: 300 } : { rounds: 9, ms: 1000 }
    await compare(size)
    await footprint(size)
  }
}
