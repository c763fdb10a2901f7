#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage errors are reported with code 2, also when no daemon runs;
# help, the manual and the completion know every command.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

z32=oz84qn8b3jtzoa49fyffrkecw5eebzjzirgne4n18piqt4fkn8mo
export XDG_RUNTIME_DIR="$work"
ctl() {
	"$dhtctl" --control "$work/none.sock" "$@"
}

ends 2 'a command is missing' "$dhtctl"
ends 2 'no command "statsu"; did you mean "stat' ctl statsu
ends 2 'no command "xyzzy"$' ctl xyzzy
ends 2 'no command "lokup"; did you mean "lookup"' ctl help lokup
ends 2 "unrecognized option '--frob'" ctl status --frob
ends 2 "requires an argument" "$dhtctl" status --control
ends 2 'it does not take --mutable' ctl status --mutable
ends 2 'it does not take --json' ctl watch --json
ends 2 'it does not take --ndjson' ctl status --ndjson
ends 2 'TOPIC is missing' ctl lookup
ends 2 'it takes no argument' ctl status now
ends 2 'it takes one argument, TOPIC' ctl lookup a b
ends 2 'give a number' ctl status --timeout soon
ends 2 'give a number' ctl status --timeout -1
ends 2 'give a number' ctl put --mutable --seq 99999999999999999999 x
ends 2 '"public_key" is not valid: it has 1 character; expected a public key' \
    ctl find-peer X
ends 2 'it has 51 characters' ctl connect ${z32#?}
ends 2 "its character 1, 'l', is not one of z-base-32" ctl connect l${z32#?}
ends 2 'leave out its prefix, such as hs://' ctl connect hs://$z32
ends 2 'its last character cannot end a key' ctl connect ${z32%?}9
ends 2 "its character 64, 'g', is not one of hex" \
    ctl connect "$(printf '%063d' 0)g"
ends 2 "its character 1, '0', is not one of base32" \
    ctl connect "0$(printf 'ABCDEFGHIJ%.0s' 1 2 3 4 5)A"
ends 2 "its character 52, '1', is not one of base32" \
    ctl connect "$(printf 'ABCDEFGHIJ%.0s' 1 2 3 4 5)A1"
# More than fits a request; tr and not printf, whose width has a limit.
ends 2 'the arguments are too long' \
    ctl lookup "$(head -c 120000 /dev/zero | tr '\0' t)"
ends 2 '"target" is not valid' ctl find-node "${z32}y"
ends 2 '"hash" is not valid' ctl get xyz
ends 2 '"topic" is not valid' ctl lookup ''
ends 2 '"address" is not valid' ctl ping "$host"
ends 2 '"address" is not valid' ctl ping "$host:99999"
ends 2 'neither list, new, show nor remove' ctl key old
ends 2 'list takes no name' ctl key list web
ends 2 'no more than two arguments' ctl key new web again
ends 2 '"public_key" is not valid: it has 3 characters' ctl connect XYZ
ends 2 'KEY is missing' ctl connect
ends 2 'it does not take --once' ctl connect --once $z32
ends 2 '"allow" is not valid in key 2, "XYZ": it has 3 characters; expected an array' \
    ctl listen --allow $z32 --allow XYZ
ends 2 'not both' ctl listen --key a --name b
ends 2 'the value is empty' ctl put
ends 2 'the value is too long: at most 1000' ctl put "$(seq 1 400)"
ends 2 'give a number up to 9007199254740991' \
    ctl put --mutable --seq 9007199254740992 x
ends 2 '--seq, --key and --name require --mutable' ctl get --seq 1 $z32

ends 3 "no hyperdhtd is running at $work/none.sock" ctl status
ends 3 'start it, or name its socket with --control' ctl find-peer $z32
ends 3 'no hyperdhtd' ctl put -- -5
: >"$work/file"
ends 3 'no hyperdhtd' "$dhtctl" --control "$work/file" status
ends 2 'too long' "$dhtctl" --control "/$(seq -s / 100)" status

# Each command of the table, in help, manual and completion.
prints '^dhtctl [0-9]' "$dhtctl" --version
prints '^Exit codes' "$dhtctl" --help
commands=$("$dhtctl" help | sed -n '/^$/,/^Options/s/^  \([a-z][a-z-]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -gt 15 ] || fail "help lists no commands"
"$dhtctl" completion >"$work/completion"
for command in $commands; do
	prints "^usage: dhtctl $command" "$dhtctl" help "$command"
	prints "^usage: dhtctl $command" "$dhtctl" "$command" --help
	grep -q "^\.It Cm $command" "$top/doc/dhtctl.1" ||
	    fail "dhtctl.1 does not know $command"
	grep -q "^	$command)" "$work/completion" ||
	    fail "the completion does not know $command"
done

# complete WORD...: what bash offers for the last of them.
complete() {
	bash -c '. "$1"; shift; COMP_WORDS=(dhtctl "$@"); COMP_CWORD=$#
	    _dhtctl; echo "${COMPREPLY[*]}"' bash "$work/completion" "$@"
}

if command -v bash >/dev/null; then
	prints '^status stats stop$' complete st
	prints '^new$' complete key n
	prints '^listen listeners$' complete --key x lis
	prints '^--seq$' complete put --mutable --s
	prints '^persistent$' complete --control /tmp/status watch pers
	prints '^announcements$' complete --timeout 5 announcem
fi
exit $verdict
