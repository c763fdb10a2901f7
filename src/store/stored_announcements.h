/* SPDX-License-Identifier: ISC */
/*
 * stored_announcements.h - the topics that this node announces, stored across
 * restarts.
 */
#ifndef STORE_STORED_ANNOUNCEMENTS_H
#define STORE_STORED_ANNOUNCEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/state.h"

enum { TOPIC_LEN = 32 };

/* The list of topics, as it is on disk. */
struct stored_announcements {
	uint8_t (*list)[TOPIC_LEN];
	uint32_t len, cap;
	uint32_t max; /* limit of len */
};

/* Reads the stored topics, at most max. */
void stored_announcements_load(
    struct stored_announcements *t, const struct state *s, uint32_t max);
void stored_announcements_fini(struct stored_announcements *t);

/*
 * Adds a topic and writes the file unless the list has it. Failures are logged.
 */
void stored_announcements_add(struct stored_announcements *t,
    const struct state *s, const uint8_t *topic);

/* Removes a topic and writes the file. Returns its former place in the list, or
 * UINT32_MAX if the list does not have it. */
uint32_t stored_announcements_del(struct stored_announcements *t,
    const struct state *s, const uint8_t *topic);

#endif
