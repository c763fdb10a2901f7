#!/bin/sh
# SPDX-License-Identifier: ISC
#
# rooms.sh [TREE]: holds every #include in src/ against the rule of the house.
#
# A room may include itself, the rooms that the "Uses:" line of its main header
# names, and the few system headers below; what that line names must lie on a
# lower floor. The daemon may include what it likes of the rooms below and of
# the system, dhtctl only api and base. Prints each breach as file:line: why.
set -u

tree=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$tree" || exit 2
export LC_ALL=C

# From the ground up.
floors="base crypto dht records udx stream signal punch relay peer node"

# All that the core and api may have of the system: nothing that does I/O by
# itself. What they call of these, core-purity.sh sees.
headers="arpa/inet.h assert.h inttypes.h limits.h stdarg.h stdbool.h stddef.h
    stdint.h stdio.h stdlib.h string.h sys/queue.h sodium.h uthash.h"

# The header that speaks for a room.
main_header() {
	for name in "$1" keys router secret; do
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

# below ROOM: the rooms on lower floors.
below() {
	for floor in $floors; do
		[ "$floor" = "$1" ] && return
		echo "$floor"
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

# allowed_rooms ROOM: prints what it may include besides itself.
allowed_rooms() {
	case $1 in
	base) return ;;
	daemon) echo "api $floors" && return ;;
	dhtctl) echo "api base" && return ;;
	api) lower=base ;;
	*) lower=$(below "$1") ;;
	esac
	header=$(main_header "$1")
	if [ -z "$header" ]; then
		echo "src/$1: no main header says what this room uses" >&3
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

check_room() {
	room=$1
	rooms=$(allowed_rooms "$room" | tr '\n' ' ')
	case $room in
	daemon | dhtctl) system=any ;;
	api) system="$headers jansson.h malloc.h" ;;
	*) system=$headers ;;
	esac
	find "src/$room" -name '*.[ch]' | sort | xargs awk \
	    -v room="$room" -v rooms="$rooms" -v system_headers="$system" '
	function breach(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }
	BEGIN {
		n = split(rooms, list, " ")
		for (i = 1; i <= n; i++) may[list[i]] = 1
		may[room] = 1
		n = split(system_headers, list, /[ \t\n]+/)
		for (i = 1; i <= n; i++) sys[list[i]] = 1
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\"")
		path = part[2]
		if (path == "config.h" && "any" in sys)
			next
		if (path !~ /^[a-z]+\/[a-z0-9_]+\.h$/)
			breach("\"" path "\" is not of the form room/file.h")
		else if (!(substr(path, 1, index(path, "/") - 1) in may))
			breach(room " may not include " path)
		next
	}
	/^[ \t]*#[ \t]*include/ {
		path = $0
		sub(/^[^<]*</, "", path)
		sub(/>.*/, "", path)
		if (!("any" in sys) && !(path in sys))
			breach(room " may not include <" path ">")
	}' >&3
}

breaches=$(
	for dir in src/*/; do
		room=$(basename "$dir")
		[ -n "$(find "$dir" -name '*.[ch]')" ] || continue
		check_room "$room"
	done 3>&1
)
[ -z "$breaches" ] && exit 0
echo "$breaches"
echo "rooms: $(echo "$breaches" | wc -l) breaches" >&2
exit 1
