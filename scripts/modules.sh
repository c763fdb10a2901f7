#!/bin/sh
# SPDX-License-Identifier: ISC
#
# modules.sh [TREE]: checks every #include in src/ against the order of the modules.
#
# One directory is one module. A module may include itself, the modules that the
# "Uses:" line of its main header names, and the few system headers below; that
# line may name only lower modules. The modules of the daemon, from log upwards,
# may include any system header; dhtctl may use only api, base and log. Prints each
# breach as file:line: why.
set -u

tree=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$tree" || exit 2
export LC_ALL=C

# From the lowest upwards: the core, and what does I/O for it.
core="base crypto dht records udx stream signal punch relay peer swarm node"
shell="log net store config tunnel control daemon"
order="$core api $shell"

# All that the core and api may have of the system: nothing that does I/O by
# itself. What they call of these, core-purity.sh sees.
headers="arpa/inet.h assert.h inttypes.h limits.h stdarg.h stdbool.h stddef.h
    stdint.h stdio.h stdlib.h string.h sys/queue.h sodium.h uthash.h"

# The header that has the "Uses:" line of a module.
main_header() {
	for name in "$1" keys router secret relay_message real_world state; do
		if [ -f "src/$1/$name.h" ]; then
			echo "src/$1/$name.h"
			return
		fi
	done
}

# The words of the "Uses:" line, up to its full stop.
uses() {
	awk '/Uses:/ { on = 1; sub(/.*Uses:/, "") }
	    on { sub(/^ \*/, ""); line = line " " $0 }
	    on && /\./ { exit }
	    END { sub(/\..*/, "", line); gsub(/[,\n]|and /, " ", line)
		print line }' "$1"
}

# below MODULE: prints the lower modules.
below() {
	for lower in $order; do
		[ "$lower" = "$1" ] && return
		echo "$lower"
	done
}

is_one_of() {
	word=$1
	shift
	for other in "$@"; do
		[ "$word" = "$other" ] && return 0
	done
	return 1
}

# allowed_modules MODULE: prints what it may include besides itself.
allowed_modules() {
	case $1 in
	base) return ;;
	dhtctl) echo "api base log" && return ;;
	api) lower=base ;;
	*) lower=$(below "$1") ;;
	esac
	header=$(main_header "$1")
	if [ -z "$header" ]; then
		echo "src/$1: no main header says what this module uses" >&3
		return
	fi
	if ! grep -q 'Uses:' "$header"; then
		echo "$header: no \"Uses:\" line" >&3
		return
	fi
	for used in $(uses "$header"); do
		# shellcheck disable=SC2086
		if is_one_of "$used" $lower; then
			echo "$used"
		elif [ -d "src/$used" ] && [ "$used" != "$1" ]; then
			echo "$header: $1 may not use $used, above or beside it" >&3
		fi
	done
}

check_module() {
	module=$1
	modules=$(allowed_modules "$module" | tr '\n' ' ')
	case $module in
	dhtctl) system=any ;;
	api) system="$headers jansson.h malloc.h" ;;
	*)
		system=$headers
		# shellcheck disable=SC2086
		is_one_of "$module" $shell && system=any
		;;
	esac
	find "src/$module" -name '*.[ch]' | sort | xargs awk \
	    -v module="$module" -v modules="$modules" -v system_headers="$system" '
	function breach(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }
	BEGIN {
		n = split(modules, list, " ")
		for (i = 1; i <= n; i++) may[list[i]] = 1
		may[module] = 1
		n = split(system_headers, list, /[ \t\n]+/)
		for (i = 1; i <= n; i++) sys[list[i]] = 1
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\"")
		path = part[2]
		if (path == "config.h" && "any" in sys)
			next
		if (path !~ /^[a-z]+\/[a-z0-9_]+\.(h|def)$/)
			breach("\"" path "\" is not of the form module/file.h")
		else if (!(substr(path, 1, index(path, "/") - 1) in may))
			breach(module " may not include " path)
		next
	}
	/^[ \t]*#[ \t]*include/ {
		path = $0
		sub(/^[^<]*</, "", path)
		sub(/>.*/, "", path)
		if (!("any" in sys) && !(path in sys))
			breach(module " may not include <" path ">")
	}' >&3
}

breaches=$(
	for dir in src/*/; do
		module=$(basename "$dir")
		[ -n "$(find "$dir" -name '*.[ch]')" ] || continue
		check_module "$module"
	done 3>&1
)
[ -z "$breaches" ] && exit 0
echo "$breaches"
echo "modules: $(echo "$breaches" | wc -l) breaches" >&2
exit 1
