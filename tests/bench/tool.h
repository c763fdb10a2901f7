/* SPDX-License-Identifier: ISC */
/*
 * tool.h - what every tool of the benchmark needs: clocks, numbers, an end.
 *
 * Not for the daemon: here a failed call ends the program.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdint.h>

uint64_t now_ns(void);

/* Nanoseconds of CPU that a process has used, all its threads together. */
uint64_t cpu_ns(int pid);

/* The number that the text is; one out of range ends the program. */
long number(const char *text, long low, long high);

void die(const char *what) __attribute__((noreturn));

#endif
