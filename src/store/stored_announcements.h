/* SPDX-License-Identifier: ISC */
/*
 * stored_announcements.h - what this machine announces, kept across restarts.
 */
#ifndef STORE_STORED_ANNOUNCEMENTS_H
#define STORE_STORED_ANNOUNCEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/state.h"

enum { TOPIC_LEN = 32 };

struct stored_announcements {
	uint8_t (*list)[TOPIC_LEN];
	uint32_t len, cap;
	uint32_t max; /* no more than these are kept */
};

/* Reads those kept, at most max. */
void stored_announcements_load(
    struct stored_announcements *t, const struct state *s, uint32_t max);
void stored_announcements_fini(struct stored_announcements *t);

/* On disk when they return, or the log says why not; nothing new: no write. */
void stored_announcements_add(struct stored_announcements *t,
    const struct state *s, const uint8_t *topic);

/* Where in the list it was, or UINT32_MAX. */
uint32_t stored_announcements_del(struct stored_announcements *t,
    const struct state *s, const uint8_t *topic);

#endif
