/* SPDX-License-Identifier: ISC */
/*
 * progress.h - one line on the terminal that says what is going on.
 *
 * On standard error, and only if that is a terminal.
 */
#ifndef DHTCTL_PROGRESS_H
#define DHTCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_MS = 200 }; /* between two looks */

struct progress {
	const char *what;
	bool wanted, shown;
	unsigned turn;
};

void progress_init(struct progress *p, const char *what, bool wanted);

/* Shows it anew. */
void progress_show(struct progress *p, uint64_t elapsed_ms, unsigned found);

/* Before anything else is written. */
void progress_clear(struct progress *p);

#endif
