/* SPDX-License-Identifier: ISC */
/*
 * replay_window.h - recognises counters that were received before (RFC 6479).
 *
 * Remembers which of the latest REPLAY_WINDOW counters have been marked;
 * anything older is refused. Counters start anywhere and wrap around. Uses:
 * nothing.
 */
#ifndef STREAM_REPLAY_WINDOW_H
#define STREAM_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* Counters by which messages may overtake each other. */
	REPLAY_WINDOW = 256,
};

/* All zero: no counter has been received yet. */
struct replay_window {
	bool started;
	uint64_t highest; /* its bit is highest % REPLAY_WINDOW */
	uint64_t received[REPLAY_WINDOW / 64];
};

/* Returns true if the counter was not marked and is inside the window. */
bool replay_window_is_fresh(const struct replay_window *w, uint64_t counter);

/*
 * Marks a fresh counter as received. Call it only after the message has been
 * authenticated, or a forged counter moves the window.
 */
void replay_window_mark(struct replay_window *w, uint64_t counter);

#endif
