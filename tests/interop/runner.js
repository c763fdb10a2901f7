// SPDX-License-Identifier: ISC
//
// runner.js WORLD PROGRAM-KIND [CASE...]: runs the cases of one world, one
// after the other, and prints a line of TAP without a number for each.

require('./guard')
const fs = require('fs')
const path = require('path')
const { Lab } = require('./lab')
const worlds = require('./world')

const [worldName, kind, ...wanted] = process.argv.slice(2)
const Ours = require(kind === 'reference' ? './reference' : './daemon')
const world = new worlds[worldName]()
const CASE_MS = 180000

let lab = null
let failCase = null

function load () {
  const dir = path.join(__dirname, 'cases')
  const all = fs.readdirSync(dir).sort()
    .flatMap(file => require(path.join(dir, file)))
  return all.filter(test => test.worlds.includes(worldName))
    .filter(test => !wanted.length || wanted.some(w => test.name.includes(w)))
}

async function run (test) {
  const name = `${worldName}: ${test.name}`
  lab = new Lab(world, Ours, test)
  const failed = new Promise((resolve, reject) => { failCase = reject })
  failed.catch(() => {})
  const timer = setTimeout(() => failCase(new Error('took too long')), CASE_MS)
  try {
    await Promise.race([test.run(lab), failed])
    lab.check()
    console.log(`ok - ${name}`)
    console.log(`# at most ${lab.most} datagrams per dial`)
  } catch (err) {
    if (err.code === 77) {
      console.log(`skip - ${name}: this is not allowed here`)
      clearTimeout(timer)
      return lab.close()
    }
    console.log(`not ok - ${name}`)
    console.log(String(err.stack).replace(/^/gm, '# '))
    for (const { died } of lab.daemons) {
      if (died) console.log(`hyperdhtd ${died}`.replace(/^/gm, '# '))
    }
  }
  clearTimeout(timer)
  await lab.close()
}

for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, err => failCase(err))
}
function stop () {
  if (lab) lab.abandon()
  process.exit(1)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
process.stdin.on('end', stop).resume()

async function main () {
  for (const test of load()) await run(test)
  process.exit()
}

main()
