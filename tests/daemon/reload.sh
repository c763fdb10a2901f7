#!/bin/sh
# SPDX-License-Identifier: ISC
#
# `dhtctl reload`, which is the unit's ExecReload, exits 0 only if the new
# configuration is in force, and otherwise prints the line that is wrong.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dhtctl=$PWD/dhtctl
conf=$work/hyperdhtd.conf

# reloads CODE [TEXT]: the exit code of a reload, and what it must print.
reloads() {
	code=0
	"$dhtctl" --control "$work/node.sock" reload 2>"$work/output.log" || code=$?
	test $code -eq "$1" || fail "reload: $code instead of $1" output
	test -z "${2:-}" || logs output "$2" || fail "not logged: $2" output
}

printf 'log-level = info\nport = auto\n' >"$conf"
start node --config="$conf"
reloads 0
printf 'log-level = info\nport = 4000x\n' >"$conf"
reloads 1 "$conf:2: port: '4000x'"
printf 'prot = 1\n' >"$conf"
reloads 1 "$conf:1: unknown key 'prot' (did you mean 'port'?)"
rm "$conf"
reloads 1 "No such file"
printf 'log-level = info\nport = auto\n' >"$conf"
reloads 0
kill -TERM "$pid"
ends node "$pid" 0
reloads 3
exit $verdict
