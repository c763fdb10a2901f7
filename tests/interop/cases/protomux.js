// SPDX-License-Identifier: ISC
//
// Our protomux (see muxer.c) and the package of that name, over a stream of
// messages: channels opened from either side, at once, early, in vain and
// again; messages alone and in batches.

const assert = require('assert')
const { spawn } = require('child_process')
const path = require('path')
const Protomux = require('protomux')
const c = require('compact-encoding')
const { Duplex } = require('streamx')

const ORDER = 9
const MAX_BATCH = 70000 // larger than what ours sends at once

// Sends messages to a muxer and receives its own.
class Pipe extends Duplex {
  constructor () {
    super()
    this.userData = null
    this.rest = Buffer.alloc(0)
    const program = path.join(process.env.BUILD, 'tests/interop/muxer')
    this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.ended = new Promise(resolve => this.child.once('exit', resolve))
    this.child.stdin.on('error', () => {})
    this.child.stdout.on('data', data => this.take(data))
  }

  take (data) {
    this.rest = Buffer.concat([this.rest, data])
    while (this.rest.length >= 4) {
      const end = 4 + this.rest.readUInt32LE(0)
      if (this.rest.length < end) break
      this.push(this.rest.subarray(4, end))
      this.rest = this.rest.subarray(end)
    }
  }

  _write (message, done) {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(message.length)
    this.child.stdin.write(head)
    this.child.stdin.write(message)
    done(null)
  }

  _destroy (done) {
    this.child.stdin.end()
    done(null)
  }

  // Checks that it reported no error.
  async finish () {
    this.child.stdin.end()
    assert.strictEqual(await this.ended, 0)
  }
}

// Opens a channel that stores its messages of all types; callers can wait for
// them.
function channel (mux, protocol, { id = null, handshake = null } = {}) {
  const got = []
  let wake = () => {}
  const messages = []
  for (let type = 0; type <= ORDER; type++) {
    messages.push({
      encoding: c.raw,
      onmessage: m => { got.push([type, m.toString('latin1')]); wake() }
    })
  }
  const ch = mux.createChannel({
    protocol, id, handshake, messages, onclose: () => { ch.over = true; wake() }
  })
  assert(ch)
  ch.got = got
  ch.say = (type, text) => ch.messages[type].send(Buffer.from(text, 'latin1'))
  ch.until = async condition => {
    while (!condition()) await new Promise(resolve => { wake = resolve })
  }
  return ch
}

async function withMux (run) {
  const pipe = new Pipe()
  const mux = new Protomux(pipe)
  try {
    await run(mux)
    assert(!pipe.destroyed)
    await pipe.finish()
  } finally {
    pipe.destroy()
    pipe.child.kill()
  }
}

async function rejected (mux) {
  const no = channel(mux, 'nobody has this')
  no.open()
  no.say(0, 'in vain')
  assert.strictEqual(await no.fullyOpened(), false)
  const yes = channel(mux, 'echo')
  yes.open()
  assert.strictEqual(await yes.fullyOpened(), true)
}

async function early (mux) {
  const id = Buffer.alloc(32, 7)
  const ch = channel(mux, 'echo', { id, handshake: c.string })
  ch.open('a handshake comes back')
  for (let i = 0; i < 100; i++) ch.say(i % 5, `message ${i}`)
  await ch.until(() => ch.got.length === 100)
  assert.deepStrictEqual(ch.got,
    Array.from({ length: 100 }, (_, i) => [i % 5, `message ${i}`]))
  assert.strictEqual(ch.handshake, 'a handshake comes back')
}

async function batches (mux) {
  const a = channel(mux, 'echo a')
  const b = channel(mux, 'echo b')
  mux.cork()
  a.open()
  b.open()
  let bytes = 0
  for (let i = 0; bytes < MAX_BATCH; i++) {
    const text = String(i).repeat(1 + i % 50)
    ;(i % 3 ? a : b).say(0, text)
    bytes += text.length
  }
  mux.uncork()
  mux.cork()
  a.say(1, 'last')
  b.say(1, 'last')
  mux.uncork()
  const last = ch => ch.got.length && ch.got[ch.got.length - 1][0] === 1
  await a.until(() => last(a))
  await b.until(() => last(b))
  const text = [...a.got, ...b.got].filter(([type]) => type === 0)
    .map(([, t]) => t).join('').length
  assert.strictEqual(text, bytes)
}

// Ids are used again, on both sides, in whatever order they become free.
async function again (mux) {
  for (let round = 0; round < 30; round++) {
    const three = ['echo 1', 'echo 2', 'echo 3'].map(p => channel(mux, p))
    for (const ch of three) ch.open()
    for (const ch of three) ch.say(0, `round ${round}`)
    for (const ch of three) await ch.until(() => ch.got.length === 1)
    const order = [[0, 1, 2], [2, 0, 1], [1, 2, 0]][round % 3]
    for (const i of order) three[i].close()
  }
}

async function ordered (mux) {
  const boss = channel(mux, 'echo')
  boss.open()
  // Ours opens first; a handler here pairs it, and is slow about that.
  let paired = null
  mux.pair({ protocol: 'ours' }, async () => {
    await new Promise(resolve => setTimeout(resolve, 50))
    paired = channel(mux, 'ours')
    paired.open()
  })
  for (let round = 0; round < 5; round++) {
    paired = null
    boss.say(ORDER, 'open ours')
    // What is closed before it was answered must not harm the next one.
    if (round % 2) boss.say(ORDER, 'close ours')
    boss.say(0, `round ${round}`)
    await boss.until(() => boss.got.length === round + 1)
    while (!paired) await new Promise(resolve => setTimeout(resolve, 10))
    if (round % 2 === 0) {
      await paired.until(() => paired.got.length === 1)
      assert.deepStrictEqual(paired.got, [[0, 'hello']])
      boss.say(ORDER, 'close ours')
    }
    await paired.until(() => paired.over)
  }
}

// No channel here has that name: ours is rejected, and may open it again.
async function refused (mux) {
  const boss = channel(mux, 'echo')
  boss.open()
  for (let round = 0; round < 5; round++) {
    boss.say(ORDER, 'open unknown')
    boss.say(0, `round ${round}`)
    await boss.until(() => boss.got.length === round + 1)
  }
}

const cases = { rejected, early, batches, again, ordered, refused }

module.exports = Object.entries(cases).map(([name, run]) => ({
  name: `protomux: ${name}`,
  worlds: ['loopback'],
  run: () => withMux(run)
}))
