#!/bin/sh
# SPDX-License-Identifier: ISC
#
# scale.sh SIM NODES...: runs the scenario "scale" at each size, then writes
# doc/scaling.md with its table and plots. Appends the simulator's output to
# scaling.jsonl; skips sizes that it contains already. CPU time and memory
# depend on this machine, all else on the seed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
doc=${DOC:-$here/../../doc}
sim=$1
shift
results=scaling.jsonl
touch "$results"

for nodes in "$@"; do
	grep -q "\"nodes\":$nodes," "$results" && continue
	echo "$nodes nodes"
	"$sim" --scenario scale --nodes "$nodes" --json >>"$results"
done

# columns NAME...: prints these fields of each line of JSON on standard input.
columns() {
	awk -v names="$*" '
	function field(name) {
		if (!match($0, "\"" name "\":[0-9.]*"))
			return 0
		return substr($0, RSTART + length(name) + 3,
		    RLENGTH - length(name) - 3)
	}
	{
		n = split(names, name, " ")
		line = ""
		for (i = 1; i <= n; i++)
			line = line (i > 1 ? " " : "") field(name[i])
		print line
	}'
}

columns nodes success_percent hops_median \
    hops_mean hops_p95 messages_mean found_ms_median found_ms_p95 \
    ended_ms_median bytes_per_node_hour rss_kib_per_node cpu_s \
    <"$results" | sort -n >scaling.dat

# fit COLUMN: prints "a b" of column = a + b log2(nodes), over 300 nodes and
# more.
fit() {
	awk -v c="$1" '
	$1 >= 300 {
		x = log($1) / log(2)
		n++; sx += x; sy += $c; sxx += x * x; sxy += x * $c
	}
	END {
		d = n * sxx - sx * sx
		b = d == 0 ? 0 : (n * sxy - sx * sy) / d
		printf "%.3f %.3f\n", (sy - b * sx) / (n > 0 ? n : 1), b
	}' scaling.dat
}

# at FIT NODES [DECIMALS]: prints the value of the fit for so many nodes.
at() {
	echo "$1 $2" | awk '{ printf "%.'"${3:-0}"'f", $1 + $2 * log($3) / log(2) }'
}

hops=$(fit 4)
messages=$(fit 6)
found=$(fit 7)
ended=$(fit 9)
bytes=$(fit 10)
million10=10000000

gnuplot -e "hops_a=${hops% *}; hops_b=${hops#* }; doc='$doc'" \
    "$here/scale.gnuplot"

rows() {
	awk '{
		printf "| %d | %.2f %% | %d | %.2f | %.2f | %.0f | %d | %d | %d | %d | %.0f | %.0f |\n",
		    $1, $2, $3, $4, log($1) / log(2) / 3, $6, $7, $8, $9, $10,
		    $11, $12
	}' scaling.dat
}

cat >"$doc/scaling.md" <<END
# How it grows

Made by \`make sim-scale\`: real nodes, with the library that ships, in the
simulated network of \`doc/simulator.md\`, with the delays of the Internet (eight
regions, access lines from data centre to mobile) and without loss. All nodes
join through three bootstrap nodes, within minutes; 50 of them announce a topic
each; every node looks one of these up; then 25 minutes pass without lookups,
of which the last ten are measured. All runs have the same seed, so all but the
last two columns repeat exactly.

| nodes | lookups that succeed | hops, median | hops, mean | log2(n)/3 | messages per lookup | found, median ms | found, 95 % ms | walk ended, median ms | bytes per idle node and hour | KiB per node | CPU s |
|---|---|---|---|---|---|---|---|---|---|---|---|
$(rows)

- *Hops*: steps from the routing table of the node that asks to the first node
  that returned the announcer; 1 means that this node was in the table.
- *Messages*: datagrams of the lookup, in both directions.
- *Found*: time until the first record arrived; *walk ended*: until the 20
  closest nodes had replied.
- *KiB per node*: resident memory of the simulation, divided by the number of
  nodes; it includes the memory of the simulator itself.

![Hops per lookup](scaling-hops.svg)
![Messages per lookup](scaling-messages.svg)
![Time to the result](scaling-time.svg)
![What a node costs](scaling-cost.svg)

## Fitted growth

Least squares over the sizes from 300 on, with x = log2(nodes):

| | fit | at ten million nodes |
|---|---|---|
| hops, mean | ${hops% *} + ${hops#* } x | $(at "$hops" $million10 1) |
| messages per lookup | ${messages% *} + ${messages#* } x | $(at "$messages" $million10) |
| found, median ms | ${found% *} + ${found#* } x | $(at "$found" $million10) |
| walk ended, median ms | ${ended% *} + ${ended#* } x | $(at "$ended" $million10) |
| bytes per idle node and hour | ${bytes% *} + ${bytes#* } x | $(at "$bytes" $million10) |

Doubling the network adds ${hops#* } of a hop, less than the third of one that
log2(n)/3 assumes: each node replies with the 20 nodes nearest to the target
that it knows, so that each step comes more than three bits closer. From
ten thousand nodes ($(at "$hops" 10000 1) hops) to ten million ($(at "$hops" $million10 1) hops) the first
result thus comes $(($(at "$found" $million10) - $(at "$found" 10000))) ms later. The
number of datagrams hardly grows: most of them go to the 20 closest nodes, with
which each lookup ends.

The cost of a node does not depend on the size of the network: it maintains its
routing table, which gains one row of at most 20 nodes when the network doubles,
at a fixed rate. In networks of less than 300 nodes it is slightly higher, since
each node knows all others, and fewer nodes share the simulator's own memory.

Extrapolation has its limits. Real networks lose datagrams, most of their nodes
are behind NAT and ephemeral, and nodes come and go all the time; the other
scenarios show what this does to lookups (\`doc/simulator.md\`).
END
echo "written: $doc/scaling.md"
