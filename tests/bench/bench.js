// SPDX-License-Identifier: ISC
//
// Runs the sections of the benchmark that are wanted; see run.

const fs = require('fs')
const path = require('path')

const sections = {
  ...require('./requests'),
  ...require('./connect'),
  ...require('./streams')
}

function parse (words) {
  const found = { short: false, wanted: [] }
  while (words.length) {
    const word = words.shift()
    if (word === '--build') words.shift()
    else if (word === '--short') found.short = true
    else if (word in sections) found.wanted.push(word)
    else if (word !== '--add') {
      console.error(`run: what is ${word}? See the head of tests/bench/run; ` +
        `sections are ${Object.keys(sections).join(', ')}`)
      process.exit(2)
    }
  }
  if (!found.wanted.length) found.wanted = Object.keys(sections)
  return found
}

async function main () {
  const { short, wanted } = parse(process.argv.slice(2))
  if (!fs.existsSync(path.join(process.env.BUILD, 'hyperdhtd'))) {
    console.error('hyperdhtd is not built')
    process.exit(77)
  }
  let status = 0
  for (const name of wanted) {
    if (name !== wanted[0]) console.log('')
    try {
      await sections[name](short)
    } catch (err) {
      if (err.code !== 77) throw err
      console.log(`${name}: skipped`)
      if (wanted.length === 1) status = 77
    }
  }
  process.exit(status)
}

main().catch(err => {
  console.error(String(err.stack))
  process.exit(1)
})
