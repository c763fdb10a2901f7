// SPDX-License-Identifier: ISC
//
// Counts the datagrams that a node sends and receives while it dials, so that
// no storm hides behind a success. Dials that overlap share what is counted in
// that time. read: returns the datagrams of the node so far, or a promise of
// them; report: called with the node's name and the datagrams per dial.

// Of a dial by one of ours, unless its case sets `datagrams`.
const DATAGRAMS_MAX = 40
// What a dial by a JavaScript node may take in addition: its lookup asks up to
// 20 nodes, and goes on while the answer is on its way.
const THEIRS_MORE = 20

class Meter {
  constructor (name, read, report) {
    this.name = name
    this.read = read
    this.report = report
    this.open = 0 // dials in progress
    this.dials = 0 // since `before` was read
    this.before = null
    this.latest = null // result of the last end()
  }

  // Returns what to wait for before the dial begins.
  begin () {
    if (this.open++ === 0) {
      this.dials = 0
      this.before = this.read()
    }
    this.dials++
    return this.before
  }

  // Resolves with the datagrams per dial once it is reported, or with null if
  // others are in progress; `latest` is the same promise.
  end () {
    this.latest = --this.open > 0
      ? Promise.resolve(null)
      : this.count(this.before, this.dials, this.read())
    return this.latest
  }

  async count (before, dials, after) {
    const each = Math.ceil((await after - await before) / dials)
    this.report(this.name, each)
    return each
  }
}

module.exports = { Meter, DATAGRAMS_MAX, THEIRS_MORE }
