/* SPDX-License-Identifier: ISC */
/*
 * announcement.h - this node's own topics: announced, renewed, withdrawn.
 *
 * Also leaves the network: withdraws all topics, waits for the listeners and
 * then queues NODE_EV_LEFT, after a bounded time in any case.
 */
#ifndef NODE_ANNOUNCEMENT_H
#define NODE_ANNOUNCEMENT_H

#include "base/hash.h"

#include "base/addr.h"
#include "base/timer.h"
#include "crypto/keys.h"
#include "dht/dht.h"
#include "node/event_queue.h"
#include "peer/listener.h"
#include "records/records_client.h"

struct node_op;
struct records_op;

/* Without padding: it is hashed and compared as bytes. */
struct announcement_id {
	uint8_t topic[HASH_LEN];
	uint8_t key[KEY_LEN];
};

struct announcement {
	UT_hash_handle hh; /* in the order in which they were made */
	struct node *node;
	uint32_t number; /* ascending, never reused */
	struct announcement_id id;
	const struct key_pair *keys; /* borrowed */
	struct timer timer;          /* the next round is due */
	struct records_op *client;   /* the round in progress, or NULL */
	struct node_op *op;          /* waits for the round, or NULL */
	bool announced;              /* some node may store it */
	bool internal;               /* users do not see it */
	bool manual;                 /* node_swarm.h begins its rounds */
	bool listing; /* holders of the round in progress are being added */
	struct addr holders[RPC_K]; /* of the last round, nearest first */
	uint32_t holders_len;
	int err;         /* of the last round */
	uint32_t stored; /* nodes that stored it in the last round */
	struct addr relays[PEERS_RELAYS_MAX]; /* named in the last round */
	uint32_t relays_len;
	uint32_t failures; /* failed rounds in a row */
	uint64_t last_us;  /* end of the last round; 0: none yet */
};

struct announcements {
	struct announcement *by_id;
	uint32_t last_number;
	uint32_t internal; /* how many of them users do not see */
};

struct node_leave {
	struct timer timer;      /* the withdrawals have taken too long */
	uint32_t pending;        /* withdrawals in progress */
	struct event_item *left; /* NODE_EV_LEFT until it is queued */
	bool started;
};

/*
 * Renews every topic soon, at random times, after a sleep or a network change.
 */
void announcements_renew(struct node *n);
void announcements_fini(struct node *n);

/*
 * Announces the key again soon if none of the relays that its announcements
 * name forwards to it any more. For a change of its listener's relays. Looks at
 * every announcement, which is cheap enough: the relays of one listener change
 * at the end of a cycle of its announcer, whatever packets arrive.
 */
void announcements_relays_changed(struct node *n, const uint8_t *key);

/* Returns how many announcements users have made. */
uint32_t announcements_count(const struct node *n);

/*
 * Announces a topic for the node itself, until it is withdrawn or dropped,
 * which sends nothing: its records then expire. Each does nothing for a topic
 * that is in that state already, and after node_leave(). Borrows the keys.
 */
void announcements_add_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic);
/* Returns whether it has started an operation, which borrows the keys until its
 * RECORDS_EV_DONE. */
bool announcements_withdraw_internal(struct node *n,
    const struct key_pair *keys, const uint8_t *topic,
    struct records_sink sink);
void announcements_drop_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic);

/* Begins a round soon, of an announcement that is added if need be and has no
 * other rounds; node_swarms_announced() is called at its end. */
void announcements_round_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic);

/* Continues to leave, as a listener has ended: it may have been the last. */
void node_leave_continue(struct node *n);

#endif
