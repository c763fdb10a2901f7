/* SPDX-License-Identifier: ISC */
/*
 * persistent.h - state that is stored while the daemon runs and restored when
 * it starts: nodes of the routing table and announced topics.
 */
#ifndef STORE_PERSISTENT_H
#define STORE_PERSISTENT_H

#include <stdint.h>

#include "store/stored_announcements.h"

struct event;
struct event_base;
struct node;

/* Called before and after each use of the node, see daemon.h. */
struct persistent_owner {
	void (*wake)(void *owner);
	void (*settle)(void *owner);
	void *owner;
};

/* The timers and the list of what is stored. */
struct persistent_state {
	const struct state *state;
	struct node *node; /* NULL before persistent_start() */
	struct persistent_owner owner;
	struct stored_announcements announcements;
	struct event *save, *resume;
	unsigned save_s;  /* seconds until the nodes are stored again */
	uint32_t resumed; /* topics of the list that are announced again */
};

/* Reads the stored announcements, at most max. Borrows s. Returns 0 or
 * ERR_MEMORY; persistent_fini() is called in both cases. */
int persistent_init(struct persistent_state *p, struct event_base *base,
    const struct state *s, uint32_t max, const struct persistent_owner *owner)
    __attribute__((warn_unused_result));

/* Frees the timers and the list. */
void persistent_fini(struct persistent_state *p);

/* Starts to announce the topics of the last run, a few at a time. Borrows the
 * node. */
void persistent_start(struct persistent_state *p, struct node *node);

/* Stores the nodes and stops the timers; the announcements stay on disk for
 * the next start. */
void persistent_stop(struct persistent_state *p);

/*
 * Call node_announce() and node_unannounce() and store the list of topics, so
 * that a restart announces them again. A failure to store is logged.
 */
int persistent_announce(
    struct persistent_state *p, const uint8_t *topic, uint32_t *op);
int persistent_unannounce(
    struct persistent_state *p, const uint8_t *topic, uint32_t *op);

#endif
