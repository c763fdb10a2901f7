/* SPDX-License-Identifier: ISC */
/*
 * persistent.h - what a daemon writes down while it runs and takes up when it
 * starts: good nodes, and the topics it announces.
 */
#ifndef STORE_PERSISTENT_H
#define STORE_PERSISTENT_H

#include <stdint.h>

#include "store/stored_announcements.h"

struct event;
struct event_base;
struct node;

/* Begin and end of every callback that touches the node. */
struct persistent_owner {
	void (*wake)(void *owner);
	void (*settle)(void *owner);
	void *owner;
};

struct persistent_state {
	const struct state *state;
	struct node *node; /* NULL before persistent_start() */
	struct persistent_owner owner;
	struct stored_announcements announcements;
	struct event *save, *resume;
	unsigned save_s;  /* from this save of the nodes to the next */
	uint32_t resumed; /* topics of the list that are taken up */
};

/* Reads the announcements kept, at most max. 0 or -1; s is borrowed. */
int persistent_init(struct persistent_state *p, struct event_base *base,
    const struct state *s, uint32_t max, const struct persistent_owner *owner);
void persistent_fini(struct persistent_state *p);

/*
 * Takes up the announcements of the last run, a few at a time; the node is
 * borrowed.
 */
void persistent_start(struct persistent_state *p, struct node *node);

/* Saves a last time; the announcements stay for the next start. */
void persistent_stop(struct persistent_state *p);

/*
 * node_announce() and node_unannounce(), kept across restarts: the list of
 * topics is on disk when these return (or the log says why it is not).
 */
int persistent_announce(
    struct persistent_state *p, const uint8_t *topic, uint32_t *op);
int persistent_unannounce(
    struct persistent_state *p, const uint8_t *topic, uint32_t *op);

#endif
