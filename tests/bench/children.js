// SPDX-License-Identifier: ISC
//
// Starts and stops the processes of the benchmark.

const { spawn } = require('child_process')
const fs = require('fs')
const os = require('os')
const path = require('path')
const readline = require('readline')

const children = new Set()
let dir = null
const tool = name => path.join(process.env.BUILD, 'tests', 'bench', name)

function start (program, args, options) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'], ...options
  })
  children.add(child)
  child.once('error', err => { throw err })
  child.once('exit', () => children.delete(child))
  return child
}

async function end (child) {
  if (!children.has(child)) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

// Creates a directory for their files.
function scratch () {
  if (!dir) dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))
  return dir
}

function endAll () {
  for (const child of children) child.kill('SIGKILL')
  if (dir) fs.rmSync(dir, { recursive: true, force: true })
}

process.on('exit', endAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(130))
}

// Runs a process that prints lines of JSON and reads lines of text.
class Speaker {
  constructor (command) {
    this.lines = []
    this.waiting = []
    this.child = start(command[0], command.slice(1), {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    this.child.stdin.on('error', () => {}) // it has ended, which exit reports
    this.child.once('exit', code => this.fail(code, command))
    readline.createInterface({ input: this.child.stdout })
      .on('line', line => this.heard(JSON.parse(line)))
  }

  heard (line) {
    this.lines.push(line)
    this.waiting = this.waiting.filter(({ field, resolve }) => {
      if (line[field] === undefined) return true
      resolve(line)
      return false
    })
  }

  fail (code, command) {
    this.code = code
    const err = new Error(`${command.join(' ')} ended with ${code}`)
    err.code = code
    for (const { reject } of this.waiting) reject(err)
  }

  tell (line) {
    this.child.stdin.write(line + '\n')
  }

  // Returns the next line with that field, or one printed already.
  until (field) {
    const said = this.lines.find(line => line[field] !== undefined)
    if (said) return Promise.resolve(said)
    return new Promise((resolve, reject) => {
      this.waiting.push({ field, resolve, reject })
      if (this.code !== undefined) reject(new Error(`ended with ${this.code}`))
    })
  }

  end () {
    return end(this.child)
  }
}

module.exports = { scratch, tool, start, end, Speaker }
