#!/bin/sh
# SPDX-License-Identifier: ISC
#
# doc.sh [--update]: compares the generated regions of the documentation with
# what doc_regions prints from the tables of the programs; --update (make docs)
# writes them. A region stands between two comments, "begin generated: NAME"
# and "end generated: NAME".

top=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
tool=${DOC_REGIONS:-tests/cli/doc_regions}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
verdict=0

# generate FILE: prints FILE with its regions as they should be.
generate() {
	skip=
	while IFS= read -r line; do
		case $line in
		*"end generated: "*) skip= ;;
		esac
		[ -n "$skip" ] || printf '%s\n' "$line"
		case $line in
		*"begin generated: "*)
			skip=yes
			name=${line#*begin generated: }
			case $1 in
			*.md) echo && "$tool" "${name%% *}" && echo ;;
			*) "$tool" "${name%% *}" ;;
			esac || return 1
			;;
		esac
	done <"$1"
}

for page in control-protocol.md hyperdhtd.8 dhtctl.1; do
	doc=$top/doc/$page
	generate "$doc" >"$work/$page" || exit 1
	cmp -s "$doc" "$work/$page" && continue
	if [ "${1:-}" = --update ]; then
		cp "$work/$page" "$doc"
	else
		diff "$doc" "$work/$page" | head -n 20
		echo "$doc differs from the tables; run make docs"
		verdict=1
	fi
	grep -q 'begin generated: ' "$work/$page" || verdict=1
done
# A number in the text that no table has.
commands=$(sed -n 's/.*COMMANDS_MAX = \([0-9]*\),.*/\1/p' \
    "$top/src/dhtctl/accepted.h")
if ! grep -q "^to $commands commands run at a time" "$top/doc/dhtctl.1"; then
	echo "dhtctl.1 names another number of commands than $commands"
	verdict=1
fi
exit $verdict
