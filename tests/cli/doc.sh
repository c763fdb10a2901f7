#!/bin/sh
# SPDX-License-Identifier: ISC
#
# doc.sh [--update]: doc/control-protocol.md must list the methods as the table
# in src/api/methods.def has them; --update makes it so.

top=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
doc=$top/doc/control-protocol.md
tool=${METHOD_DOC:-tests/cli/method_doc}
begin='<!-- methods: from src/api/methods.def by tests/cli/doc.sh --update -->'
end='<!-- end of methods -->'

generated=$("$tool") || exit 1

if [ "${1:-}" = --update ]; then
	new=$(awk -v begin="$begin" -v end="$end" -v text="$generated" '
	    $0 == end { skip = 0 }
	    !skip { print }
	    $0 == begin { print ""; print text; print ""; skip = 1 }' "$doc")
	printf '%s\n' "$new" >"$doc"
	exit
fi

written=$(awk -v begin="$begin" -v end="$end" '
    $0 == end { on = 0 } on { print } $0 == begin { on = 1 }' "$doc")
if [ "$(echo "$written" | sed '/^$/d')" != \
    "$(echo "$generated" | sed '/^$/d')" ]; then
	echo "$doc: the method section is not that of src/api/methods.def;"
	echo "run tests/cli/doc.sh --update in the build tree"
	exit 1
fi
