#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A wrong configuration ends with its own code and a line that shows where and
# what; one that becomes wrong while the daemon runs changes nothing.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

# refuses CODE TEXT OPTION...
refuses() {
	want=$1
	text=$2
	shift 2
	code=0
	"$hyperdhtd" "$@" 2>"$work/refused.log" || code=$?
	test $code -eq "$want" || fail "'$*': $code instead of $want" refused
	logs refused "$text" || fail "'$*': not logged: $text" refused
}

conf=$work/hyperdhtd.conf
printf '# first\nport = 1\nprot = 1\n' >"$conf"
refuses 78 "$conf:3: unknown key 'prot' (did you mean 'port'?)" \
    --config="$conf"
refuses 78 "$conf:3:" --config="$conf" --check-config
refuses 78 "No such file" --config="$work/none"
refuses 64 "unknown option '--prot' (did you mean '--port'?)" --prot=1
refuses 64 "--port: '0' is neither auto" --port=0
refuses 78 "role 'bootstrap' needs 'public-address'" --role=bootstrap

top=$(dirname "$0")/../..
"$hyperdhtd" --config="$top/conf/hyperdhtd.conf" --check-config \
    >"$work/out" 2>"$work/installed.log" ||
	fail "the installed configuration is refused" installed
grep -q '^bootstrap = public' "$top/conf/hyperdhtd.conf" ||
	fail "the installed configuration joins nothing"
"$hyperdhtd" --version | grep -q '^hyperdhtd [0-9]' || fail "no version"
"$hyperdhtd" --help | grep -q -- --bootstrap || fail "no help"

printf 'log-level = info\nport = auto\n' >"$conf"
start reload --config="$conf"
printf 'log-level = notice\nport = 4000\n' >"$conf"
kill -HUP "$pid"
within 2 logs reload "the configuration was reloaded" ||
	fail "no reload" reload
logs reload "'port' has changed: this takes effect after a restart" ||
	fail "the fixed key is not named" reload
printf 'log-level = debug\nport = 4000x\n' >"$conf"
kill -HUP "$pid"
within 2 logs reload "$conf:2: port: '4000x'" || fail "not refused" reload
logs reload "the old configuration stays in force" || fail "not logged" reload
kill -TERM "$pid"
ends reload "$pid" 0
exit $verdict
