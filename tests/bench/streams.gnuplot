# SPDX-License-Identifier: ISC
# Draws cost.dat and link.dat, as doc.js writes them, into the file `out`.

set terminal svg size 960,380 font "sans-serif,12" background "#ffffff"
set output out
set multiplot layout 1,2
set grid ytics lc rgb "#dddddd"
set yrange [0:*]

set title "CPU-seconds per GB on loopback"
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 border -1
set boxwidth 0.6
set key top right
plot "cost.dat" using 2:xtic(1) lc rgb "#1f77b4" title "sender", \
    "" using 3 lc rgb "#9ecae1" title "receiver"

set title "Mbit/s on a link of 1 Gbit/s, 50 ms"
set style data linespoints
set xlabel "loss, %"
set xtics 1
set xrange [-0.2:5.2]
set logscale y
set yrange [0.5:1000]
set key at graph 0.95, 0.6 right
plot "link.dat" using 1:2 lc rgb "#1f77b4" lw 2 pt 7 title "ours", \
    "" using 1:3 lc rgb "#d62728" lw 2 pt 5 title "JavaScript", \
    "" using 1:4 lc rgb "#2ca02c" lw 2 pt 9 title "TCP BBR", \
    "" using 1:5 lc rgb "#888888" lw 2 pt 11 title "TCP CUBIC"
unset multiplot
