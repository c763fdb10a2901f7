// SPDX-License-Identifier: ISC
//
// Stores measurements as lines of JSON for later programs and prints a table
// for the user.

const fs = require('fs')
const path = require('path')

const mode = process.argv.includes('--add') ? 'a' : 'w'
const log = fs.openSync(path.join(process.env.BUILD, 'bench.jsonl'), mode)

function note (measurement) {
  fs.writeSync(log, JSON.stringify(measurement) + '\n')
  return measurement
}

function median (list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1]
}

// Formats a row of a table: pairs of a cell and its width.
function row (widths, cells) {
  const padded = cells.map((cell, i) => String(cell).padEnd(widths[i]))
  console.log(padded.join('').trimEnd())
}

function verdict (ok) {
  return ok ? 'ok' : 'BELOW'
}

module.exports = { note, median, row, verdict }
