#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tidy.sh [TREE]: what the style demands and a script can see: function length,
# columns, banned calls, notes of unfinished work, licence lines, white space,
# floating point in the core, and that the Makefile names every source. Prints
# each breach as file:line: why.
set -u

tree=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$tree" || exit 2
export LC_ALL=C

sources() {
	find src tests -name node_modules -prune -o -name '*.[ch]' -print | sort
}

scripts() {
	find scripts tests .ci autogen.sh -name node_modules -prune -o -type f \
	    \( -name '*.sh' -o -name '*.js' -o -path 'scripts/*' \
	    -o -path '.ci/*' \) -print 2>/dev/null | sort -u
}

check_sources() {
	sources | xargs awk '
	function breach(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }

	# Columns as an editor shows them: tabs to 8, a UTF-8 letter is one.
	function columns(s,    n, i, width) {
		gsub(/[\200-\277]/, "", s)
		n = split(s, piece, "\t")
		for (i = 1; i < n; i++)
			width += int(length(piece[i]) / 8 + 1) * 8
		return width + length(piece[n])
	}

	# The line without comments and without what is in quotes.
	function code(s,    out, c, two) {
		while (s != "") {
			c = substr(s, 1, 1)
			two = substr(s, 1, 2)
			if (in_comment) {
				if (two == "*/") {
					in_comment = 0
					s = substr(s, 3)
				} else
					s = substr(s, 2)
			} else if (two == "/*") {
				in_comment = 1
				s = substr(s, 3)
			} else if (two == "//") {
				s = ""
			} else if (match(s, /^("([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047)/)) {
				out = out "\"\""
				s = substr(s, RLENGTH + 1)
			} else {
				out = out c
				s = substr(s, 2)
			}
		}
		return out
	}

	FNR == 1 {
		in_comment = start = 0
		core = FILENAME ~ /^src\// &&
		    FILENAME !~ /^src\/(api|config|control|daemon|dhtctl|log|net|store|tunnel)\//
		if ($0 != "/* SPDX-License-Identifier: ISC */")
			breach("line 1 is not the SPDX line")
	}
	columns($0) > 100 { breach("longer than 100 columns") }
	/[ \t\r]$/ { breach("white space at the end") }
	/(^|[^A-Za-z0-9_])(TODO|FIXME|XXX)([^A-Za-z0-9_]|$)/ {
		breach("a note of unfinished work")
	}
	/^\{/ { start = FNR }
	/^\}/ && start {
		if (FNR - start + 1 > 70)
			breach("a function of " FNR - start + 1 " lines, 70 are the limit")
		start = 0
	}
	{
		line = " " code($0)
		if (match(line, /[^A-Za-z0-9_](strcpy|strcat|stpcpy|sprintf|vsprintf|gets|atoi|atol|strtok|alloca|s?rand|system|popen)[ \t]*\(/))
			breach("banned call: " substr(line, RSTART + 1, RLENGTH - 2))
		if (core && line ~ /[^A-Za-z0-9_](float|double)[^A-Za-z0-9_]/)
			breach("floating point in the core")
	}'
}

# Each source is named in Makefile.am, a test's own source without its .c.
check_named() {
	sources | while read -r file; do
		grep -qE "(^|[[:space:]])(${file}|${file%.c})([[:space:]]|\$)" \
		    Makefile.am || echo "Makefile.am:1: $file is not named"
	done
}

check_scripts() {
	scripts | while read -r file; do
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ISC' ||
		    echo "$file:1: no SPDX line among the first two"
		grep -nE '[[:space:]]+$' "$file" |
		    sed "s|^\([0-9]*\):.*|$file:\1: white space at the end|"
	done
}

breaches=$(check_sources; check_named; check_scripts)
[ -z "$breaches" ] && exit 0
echo "$breaches"
echo "tidy: $(echo "$breaches" | wc -l) breaches" >&2
exit 1
