/* SPDX-License-Identifier: ISC */
/*
 * persistent.h - state that is stored while the daemon runs and restored when
 * it starts: nodes of the routing table and announcements.
 */
#ifndef STORE_PERSISTENT_H
#define STORE_PERSISTENT_H

#include <stdint.h>
#include <sys/queue.h>

#include "store/stored_announcements.h"

struct event;
struct event_base;
struct node;
struct node_event;

/* Called before and after each use of the node, see daemon.h. */
struct persistent_owner {
	void (*wake)(void *owner);
	void (*settle)(void *owner);
	void *owner;
};

/* An announcement that is being withdrawn with a lent key. */
struct persistent_withdrawal {
	LIST_ENTRY(persistent_withdrawal) link;
	uint32_t op; /* of the node */
	const struct key_pair *keys;
};

/* The timers and the list of what is stored. */
struct persistent_state {
	const struct state *state;
	struct keyring *keyring;
	struct node *node; /* NULL before persistent_start() */
	struct persistent_owner owner;
	struct stored_announcements announcements;
	LIST_HEAD(, persistent_withdrawal) withdrawals;
	struct event *save, *resume;
	unsigned save_s;  /* seconds until the nodes are stored again */
	uint32_t resumed; /* topics of the list that are announced again */
};

/* Reads the stored announcements, at most max. Borrows k and its state
 * directory. Returns 0 or ERR_MEMORY; persistent_fini() is called in both
 * cases. */
int persistent_init(struct persistent_state *p, struct event_base *base,
    struct keyring *k, uint32_t max, const struct persistent_owner *owner)
    __attribute__((warn_unused_result));

/* Frees the timers and the lists; keys stay lent. */
void persistent_fini(struct persistent_state *p);

/* Starts to announce the topics of the last run, a few at a time. Borrows the
 * node. */
void persistent_start(struct persistent_state *p, struct node *node);

/* Stores the nodes and stops the timers; the announcements stay on disk for
 * the next start. */
void persistent_stop(struct persistent_state *p);

/*
 * Calls node_announce() and stores the list of announcements, so that a restart
 * announces them again. A failure to store is logged. On success takes the loan
 * of a->keys. One that exists keeps its owner.
 */
int persistent_announce(struct persistent_state *p,
    const struct stored_announcement *a, uint32_t *op);

/* Calls node_unannounce() and stores the list. On success takes the loan of
 * keys. */
int persistent_unannounce(struct persistent_state *p, const uint8_t *topic,
    const struct key_pair *keys, uint32_t *op);

/* Returns the key of a withdrawal after its NODE_EV_DONE. */
void persistent_node_event(
    struct persistent_state *p, const struct node_event *ev);

#endif
