#!/bin/sh
# SPDX-License-Identifier: ISC
#
# interface.sh [--update]: compares the names that programs and scripts read
# with the list in interface.txt: control methods and their fields, events,
# reasons, counters, limits, options, commands and exit codes, all as the built
# programs print them. A name may be added at any time. A name that is gone
# fails the test, unless the programs still accept it as an alias, which an
# option, a limit and a command can be. --update appends what is new to the
# list.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export LC_ALL=C
command -v python3 >/dev/null || exit 77
list=$top/tests/cli/interface.txt

# Prints what the control socket describes, one name a line.
control_names() {
	for method in describe stats limits; do
		at 1 $method --json || return 1
	done | python3 -c '
import json, sys

def fields(kind, prefix, list):
    for f in list or []:
        print(kind, prefix + f["name"])
        fields(kind, prefix + f["name"] + ".", f.get("of"))

described, stats, limits = [json.loads(line) for line in sys.stdin]
for m in described["methods"]:
    print("method", m["name"])
    fields("param", m["name"] + ".", m["params"])
    fields("result", m["name"] + ".", m["results"])
    note = m.get("notification")
    if note:
        print("notification", note["name"])
        fields("notification", note["name"] + ".", note["params"])
for kind in "types", "events":
    for item in described[kind]:
        print(kind[:-1], item["name"])
for item in described["reasons"]:
    print("reason", item["err_name"])
for item in described["codes"]:
    print("code", item["code"])
for kind in "counters", "drops":
    for name in stats[kind]:
        print(kind[:-1], name)
for item in limits["limits"]:
    print("limit", item["name"])
'
}

# Prints the commands, options and exit codes of dhtctl.
dhtctl_names() {
	"$dhtctl" help >"$work/help" || return 1
	commands=$(sed -n '/^$/,/^Options/s/^  \([a-z][a-z-]*\) .*/\1/p' \
	    "$work/help")
	for command in $commands; do
		echo "command $command"
		"$dhtctl" help "$command" |
		    sed -n "s/^  *--\([a-z-]*\).*/option $command --\1/p"
	done
	sed -n '/^Exit codes/,$p' "$work/help" | tr ',;:' '\n' |
	    sed -n 's/^ *\([0-9][0-9]*\) .*/exit \1/p'
}

daemon_names() {
	"$hyperdhtd" --help | sed -n 's/^ *--\([a-z0-9-]*\).*/daemon --\1/p'
}

# is_accepted KIND NAME...: a name that no list shows, but that still works.
is_accepted() {
	case $1 in
	limit | daemon)
		! "$hyperdhtd" --check-config --config "$work/empty.conf" \
		    "--${2#--}=0" 2>&1 | grep -q 'unknown option'
		;;
	command) "$dhtctl" help "$2" >"$work/out" 2>&1 ;;
	option)
		! "$dhtctl" --control "$work/none" "$2" "$3" 2>&1 |
		    grep -Eq 'unrecognized|does not take'
		;;
	*) return 1 ;;
	esac
}

network_starts 1
{
	control_names && dhtctl_names && daemon_names
} >"$work/names" || fail "the programs do not list their names"
sort -u "$work/names" >"$work/sorted"
for kind in method param result notification type event reason code counter \
    drop limit command option exit daemon; do
	grep -q "^$kind " "$work/sorted" || fail "no $kind was listed"
done

if [ "${1:-}" = --update ]; then
	[ "$verdict" -eq 0 ] || exit 1
	sort -u "$work/sorted" "$list" >"$work/new" 2>/dev/null
	cp "$work/new" "$list"
	exit
fi

sort "$list" >"$work/listed"
comm -23 "$work/listed" "$work/sorted" >"$work/gone"
while read -r kind name; do
	# shellcheck disable=SC2086
	is_accepted "$kind" $name </dev/null ||
	    fail "$kind $name is gone and has no alias"
done <"$work/gone"

# The test itself can fail, and knows a name that works from one that does not.
is_accepted limit no-such-limit && fail "an unknown limit is an alias"
is_accepted command no-such-command && fail "an unknown command is an alias"
is_accepted option status --no-such && fail "an unknown option is an alias"
is_accepted result status.no_such && fail "an unknown field is an alias"
is_accepted daemon --port || fail "--port is not accepted"
is_accepted option status --json || fail "status --json is not accepted"
is_accepted command status || fail "the command status is not accepted"
exit $verdict
