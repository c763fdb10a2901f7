/* SPDX-License-Identifier: ISC */
/*
 * progress.h - shows on one line how long a request takes.
 *
 * Writes to standard error, and only if that is a terminal.
 */
#ifndef DHTCTL_PROGRESS_H
#define DHTCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_MS = 200 }; /* between two updates */

struct progress {
	const char *what;
	bool wanted, shown;
	unsigned frame; /* of the animation */
};

void progress_init(struct progress *p, const char *what, bool wanted);

/* Updates the line. */
void progress_show(struct progress *p, uint64_t elapsed_ms, unsigned found);

/* Removes the line. To be called before anything else is written. */
void progress_clear(struct progress *p);

#endif
