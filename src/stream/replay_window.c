/* SPDX-License-Identifier: ISC */
#include "stream/replay_window.h"

enum {
	WORD_BITS = 64,
	WORDS = REPLAY_WINDOW / WORD_BITS,
};

static uint64_t
word_index(uint64_t counter)
{
	return counter / WORD_BITS % WORDS;
}

static uint64_t
bit_mask(uint64_t counter)
{
	return UINT64_C(1) << counter % WORD_BITS;
}

/* Returns how far the counter is ahead of the highest one, modulo 2^64. */
static int64_t
distance_ahead(const struct replay_window *w, uint64_t counter)
{
	return (int64_t)(counter - w->highest);
}

/*
 * A word is cleared whole when the first counter of its range arrives, so up
 * to WORD_BITS - 1 of the oldest counters in the window are no longer known.
 * They count as too old.
 */
bool
replay_window_is_fresh(const struct replay_window *w, uint64_t counter)
{
	int64_t ahead = distance_ahead(w, counter);

	if (!w->started || ahead > 0)
		return true;
	if (ahead <= -(REPLAY_WINDOW - WORD_BITS + 1))
		return false;
	return (w->received[word_index(counter)] & bit_mask(counter)) == 0;
}

/* Clears the words between the highest counter and a higher one. */
static void
advance_window(struct replay_window *w, uint64_t counter)
{
	uint64_t start = w->highest - w->highest % WORD_BITS;
	uint64_t words = (counter - start) / WORD_BITS;

	if (!w->started || words > WORDS)
		words = WORDS;
	for (uint64_t i = 0; i < words; i++)
		w->received[word_index(counter - i * WORD_BITS)] = 0;
	w->highest = counter;
	w->started = true;
}

void
replay_window_mark(struct replay_window *w, uint64_t counter)
{
	if (!w->started || distance_ahead(w, counter) > 0)
		advance_window(w, counter);
	w->received[word_index(counter)] |= bit_mask(counter);
}
