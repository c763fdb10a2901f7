/* SPDX-License-Identifier: ISC */
/*
 * announced.h - what this machine announces, kept across restarts.
 */
#ifndef DAEMON_ANNOUNCED_H
#define DAEMON_ANNOUNCED_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state.h"

enum { TOPIC_LEN = 32 };

struct announced {
	uint8_t (*list)[TOPIC_LEN];
	uint32_t len, cap;
	uint32_t max; /* no more than these are kept */
};

/* Reads those kept, at most max. */
void announced_load(struct announced *t, const struct state *s, uint32_t max);
void announced_fini(struct announced *t);

/* On disk when they return, or the log says why not; nothing new: no write. */
void announced_add(
    struct announced *t, const struct state *s, const uint8_t *topic);

/* Where in the list it was, or UINT32_MAX. */
uint32_t announced_del(
    struct announced *t, const struct state *s, const uint8_t *topic);

#endif
