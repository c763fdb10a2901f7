/* SPDX-License-Identifier: ISC */
/*
 * tool.h - needed by every tool of the benchmark: clocks, numbers, exit.
 *
 * Not for the daemon: a failed call ends the program.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdint.h>

uint64_t now_ns(void);

/* Returns the CPU time of a process and all its threads in nanoseconds. */
uint64_t cpu_ns(int pid);

/* Parses a number; exits if it is out of range. */
long number(const char *text, long low, long high);

void die(const char *what) __attribute__((noreturn));

#endif
