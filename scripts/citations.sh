#!/bin/sh
# SPDX-License-Identifier: ISC
#
# citations.sh [TREE]: resolves every citation of doc/protocol in src, tests
# and doc: "protocol 01 §8.3" against the headings and numbered items of page
# 01, "pitfall P4" against the entries of page 07. Within doc/protocol, "01
# §8.3" and "§8.3" are citations too. Also resolves the files, and the names in
# them, that the tests of the platform list after "Relied on by:". Prints each
# one that leads nowhere, or has another form, as file:line: why.
set -u

tree=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$tree" || exit 2
export LC_ALL=C

cited_in() {
	find src tests doc -name node_modules -prune -o -name vectors -prune \
	    -o -path tests/house -prune \
	    -o -name corpus -prune -o -type f \( -name '*.[ch]' -o -name '*.js' \
	    -o -name '*.sh' -o -name '*.md' -o -name '*.py' -o -name '*.[0-9]' \) \
	    -print | sort
}

resolve() {
	# Twice the pages: first what they define, then what all files cite.
	# shellcheck disable=SC2046
	awk '
	BEGIN {
		gap = "[ \t]+"
		number = "([0-9]+(\\.[0-9]+)*|[A-C](\\.[0-9]+)?)"
		more = "((,|,? and| to)" gap "§" number ")*"
		sections = "§" number more
		code = "[A-Z][0-9]+"
		codes = code "((,|,? and| to)" gap code ")*"
	}

	# ---- what the pages define ----

	function define(line) {
		if (line ~ /^```/)
			fenced = !fenced
		if (fenced)
			return
		if (line ~ /^# /)
			known[page] = 1
		if (match(line, "^##+ (Part )?" number "[. ]")) {
			heading = substr(line, RSTART, RLENGTH)
			gsub(/^#+ (Part )?|[. ]+$/, "", heading)
			known[page " §" heading] = 1
		} else if (match(line, /^[0-9]+\. /)) {
			item = substr(line, 1, RLENGTH - 2)
			known[page " §" heading "." item] = 1
		} else if (page == "07" && match(line, "^- [*][*]" code " ")) {
			known[substr(line, 5, RLENGTH - 5)] = 1
		}
	}

	# ---- what a file cites ----

	function breach(at, why,    n) {
		for (n = lines; n > 1 && start[n] > at; n--)
			continue
		printf "%s:%d: %s\n", name, n, why
		bad = 1
	}

	function want(at, key, shown) {
		total++
		if (!(key in known))
			breach(at, shown " is nowhere in doc/protocol")
	}

	# Every number of a list, of which all belong to one page.
	function want_sections(at, of, list,    s) {
		while (match(list, "§" number)) {
			s = substr(list, RSTART, RLENGTH)
			list = substr(list, RSTART + RLENGTH)
			want(at, of " " s, "protocol " of " " s)
		}
	}

	function want_codes(at, list,    s) {
		while (match(list, code)) {
			s = substr(list, RSTART, RLENGTH)
			list = substr(list, RSTART + RLENGTH)
			want(at, s, "pitfall " s)
		}
	}

	# Returns the position of the next match of re, which it blanks out of
	# the text, and leaves what was matched in found; 0: there is none.
	function take(re,    at, i, blank) {
		if (!match(text, re))
			return 0
		at = RSTART
		found = substr(text, RSTART, RLENGTH)
		blank = sprintf("%" RLENGTH "s", "")
		text = substr(text, 1, at - 1) blank substr(text, at + RLENGTH)
		return at
	}

	# The page that a citation names, and then what follows it in found.
	function page_of(    of) {
		match(found, /0[0-9]|10/)
		of = substr(found, RSTART, 2)
		found = substr(found, RSTART + 2)
		return of
	}

	function judge(    at, of, own, inside) {
		inside = name ~ /doc\/protocol\//
		own = substr(name, length("doc/protocol/") + 1, 2)
		while (take("RFC" gap "[0-9]+,?" gap sections))
			continue
		while ((at = take("[Pp]rotocol" gap "(0[0-9]|10)" gap sections))) {
			of = page_of()
			want_sections(at, of, found)
		}
		while ((at = take("[Pp]rotocol" gap "(0[0-9]|10)"))) {
			of = page_of()
			want(at, of, "protocol " of)
		}
		while ((at = take("[Pp]itfalls?" gap codes)))
			want_codes(at, found)
		while (inside && (at = take("(0[1-9]|10)" gap sections))) {
			of = page_of()
			want_sections(at, of, found)
		}
		while (inside && (at = take(sections)))
			want_sections(at, own, found)
		while (own == "07" && inside && (at = take("[(]" codes "[)]")))
			want_codes(at, found)
		while ((at = take("[Ss]pec" gap "0[0-9]")))
			breach(at, "\"" found "\": write \"protocol 0N\"")
		while (!inside && (at = take("0[1-9]" gap "(§" number "|" code ")")))
			breach(at, "\"" found "\" does not begin with its word")
		while (!inside && (at = take("[(]" code "[)]")))
			if (substr(found, 2, length(found) - 2) in known)
				breach(at, "\"" found "\" does not begin with its word")
		while ((at = take("§[0-9A-Z]")))
			breach(at, "\"" found "\": a section without its page")
	}

	function begin_file() {
		name = FILENAME
		page = name
		sub(/.*\//, "", page)
		page = substr(page, 1, 2)
		heading = text = ""
		lines = fenced = 0
	}

	FNR == 1 {
		if (name != "" && pass == 2)
			judge()
		begin_file()
	}
	pass == 1 { define($0) }
	pass == 2 {
		line = $0
		sub(/^[ \t]*(\/?\*+|\/\/|#+)?[ \t]*/, "", line)
		start[++lines] = length(text) + 1
		text = text line " "
	}
	END {
		if (pass == 2)
			judge()
		if (total == 0) {
			print "no citation at all"
			bad = 1
		}
		printf "citations: %d\n", total
		exit bad
	}' pass=1 doc/protocol/[0-9]*.md pass=2 $(cited_in)
}

# Prints a line for each file of a "Relied on by:" list: the file and the names.
relied_on() {
	awk '
	/Relied on by:/ { on = 1 }
	on { text = text " " $0 }
	on && /[*]\// { exit }
	END {
		gsub(/[ \t*\/]+/, " ", text)
		while (match(text, /[a-z0-9_]+[.][ch]( [(][^)]*[)])?/)) {
			print substr(text, RSTART, RLENGTH)
			text = substr(text, RSTART + RLENGTH)
		}
	}' "$1"
}

resolve_relied_on() {
	find tests/platform -name '*.c' 2>/dev/null | sort |
	    while read -r test; do
		relied_on "$test" | while read -r file names; do
			path=$(find src -name "$file")
			[ -n "$path" ] || echo "$test: src has no $file"
			for name in $(echo "$names" | tr -c 'A-Za-z0-9_' ' '); do
				[ -z "$path" ] || grep -qw "$name" "$path" ||
				    echo "$test: $file has no $name"
			done
		done
	done
}

verdict=0
resolve || verdict=1
unresolved=$(resolve_relied_on)
if [ -n "$unresolved" ]; then
	echo "$unresolved"
	verdict=1
fi
exit "$verdict"
