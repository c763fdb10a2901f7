// SPDX-License-Identifier: ISC
//
// Runs runner.js in each world, numbers its lines, and sums up. See run.

const { spawn } = require('child_process')
const fs = require('fs')
const path = require('path')
const readline = require('readline')

const count = { ok: 0, 'not ok': 0, skip: 0 }
let number = 0
let child = null

function usage (problem) {
  process.stderr.write(`run: ${problem}\nUse: run [--build DIR] ` +
    '[--world loopback|public] [--reference] [CASE...]\n')
  process.exit(2)
}

function parse (args) {
  const found = { worlds: ['loopback', 'public'], kind: 'built', cases: [] }
  while (args.length) {
    const word = args.shift()
    if (word === '--build') args.shift()
    else if (word === '--reference') found.kind = 'reference'
    else if (word === '--world') found.worlds = [args.shift()]
    else if (word.startsWith('--')) usage(`unknown option ${word}`)
    else found.cases.push(word)
  }
  if (!/^(loopback|public)/.test(found.worlds[0])) usage('no such world')
  return found
}

function print (line) {
  const [, verdict] = /^(ok|not ok|skip) - /.exec(line) || []
  if (!verdict) return console.log(line)
  count[verdict]++
  number++
  if (verdict !== 'skip') {
    return console.log(line.replace(' - ', ` ${number} - `))
  }
  const [name, why] = line.slice('skip - '.length).split(': ')
  console.log(`ok ${number} - ${name} # SKIP ${why}`)
}

// Resolves with the exit status, or 1 if a signal ended it.
function runWorld (world, { kind, cases }) {
  const command = [process.execPath, path.join(__dirname, 'runner.js'), world,
    kind, ...cases]
  if (world === 'public') command.unshift(path.join(__dirname, 'enter-public'))
  child = spawn(command[0], command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'] // the runner ends when its input does
  })
  let why = ''
  readline.createInterface({ input: child.stdout }).on('line', print)
  child.stderr.on('data', data => {
    why += data
    process.stderr.write(data)
  })
  return new Promise(resolve => child.once('close', code => {
    if (code === 77) print(`skip - ${world}: ${why.trim()}`)
    else if (code !== 0) print(`not ok - ${world}: ended with ${code}`)
    resolve()
  }))
}

async function main () {
  const options = parse(process.argv.slice(2))
  const program = path.join(process.env.BUILD, 'hyperdhtd')
  if (options.kind === 'built' && !fs.existsSync(program)) {
    print(`skip - all: ${program} is not built`)
  } else {
    for (const world of options.worlds) await runWorld(world, options)
  }
  console.log(`1..${number}`)
  console.log(`${count.ok} passed, ${count['not ok']} failed, ` +
    `${count.skip} skipped`)
  process.exit(count['not ok'] ? 1 : count.ok ? 0 : 77)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!child) process.exit(130)
    child.once('close', () => process.exit(130))
    child.stdin.end()
  })
}

main()
