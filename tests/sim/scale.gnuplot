# SPDX-License-Identifier: ISC
# Draws scaling.dat into the directory `doc`; hops_a and hops_b are the fit.

set terminal svg size 640,400 font "sans-serif,12" background "#ffffff"
set logscale x
set format x "%.0f"
set xlabel "nodes"
set grid ytics lc rgb "#dddddd"
set key left top
set style line 1 lc rgb "#1f77b4" lw 2 pt 7 ps 0.6
set style line 2 lc rgb "#d62728" lw 2 pt 5 ps 0.6
set style line 3 lc rgb "#2ca02c" lw 2 pt 9 ps 0.7
set style line 4 lc rgb "#888888" lw 1 dt 2

set output doc . "/scaling-hops.svg"
set title "Hops of a lookup"
set yrange [0:*]
plot "scaling.dat" using 1:4 with linespoints ls 1 title "mean", \
    "" using 1:5 with linespoints ls 2 title "95 %", \
    log(x) / log(2) / 3 with lines ls 4 title "log2(n)/3", \
    hops_a + hops_b * log(x) / log(2) with lines ls 3 title "fit"

set output doc . "/scaling-messages.svg"
set title "Datagrams of a lookup, both ways"
plot "scaling.dat" using 1:6 with linespoints ls 1 title "mean"

set output doc . "/scaling-time.svg"
set title "Time of a lookup, ms"
plot "scaling.dat" using 1:7 with linespoints ls 1 title "found, median", \
    "" using 1:8 with linespoints ls 2 title "found, 95 %", \
    "" using 1:9 with linespoints ls 3 title "walk ended, median"

set output doc . "/scaling-cost.svg"
set title "What a node costs"
set ylabel "kB sent per idle hour"
set y2label "KiB resident"
set y2tics
set y2range [0:*]
set ytics nomirror
plot "scaling.dat" using 1:($10 / 1000) with linespoints ls 1 \
    title "kB per hour", \
    "" using 1:11 axes x1y2 with linespoints ls 2 title "KiB"
