/* SPDX-License-Identifier: ISC */
/*
 * swarm_struct.h - the state of a swarm, for the files of this module.
 *
 * swarm_topics.c owns the topics, swarm_peers.c the table of peers and its
 * queue, swarm_dials.c the connections.
 */
#ifndef SWARM_SWARM_STRUCT_H
#define SWARM_SWARM_STRUCT_H

#include <sys/queue.h>

#include "base/hash.h"
#include "swarm/swarm.h"
#include "swarm/swarm_retry.h"

/* Fixed bounds of one peer and of one swarm. */
enum {
	SWARM_PEER_TOPICS_MAX = 8, /* noted of one peer; further ones are not */
	PARALLEL_DIALS = 3,        /* protocol 08 §5 */
	SLOW_DIALS_MAX = 16, /* with those that have been dialing for long */
	SLOW_DIAL_US = 2000000,
};

enum swarm_link {
	SWARM_LINK_IDLE,
	SWARM_LINK_DIALING,
	SWARM_LINK_OPEN_DIALED,
	SWARM_LINK_OPEN_ACCEPTED,
};

struct swarm_peer {
	UT_hash_handle hh, hh_conn;
	TAILQ_ENTRY(swarm_peer) queued; /* if priority > 0 */
	struct timer retry;             /* armed: it waits to be queued */
	struct swarm *swarm;
	uint32_t number; /* in the order in which they were added */
	uint8_t key[KEY_LEN];
	struct addr relays[SWARM_RELAYS_MAX];
	size_t relays_len;
	uint32_t topics[SWARM_PEER_TOPICS_MAX];
	uint32_t topics_len;
	uint32_t attempts;
	uint32_t priority; /* 0: not queued */
	enum swarm_link link;
	uint32_t conn;
	uint64_t since_us; /* when the link became what it is */
	struct addr remote;
	bool proven; /* connected by our dial since the last reset */
	bool client; /* the last connection was our dial */
	bool banned, explicit_peer;
	bool force_relay;
	bool resumes; /* dialed again by swarm_resume() */
};

struct swarm_session {
	TAILQ_ENTRY(swarm_session) link;
	uint32_t number;
	unsigned roles;
	uint32_t limit;
};

struct swarm_topic {
	TAILQ_ENTRY(swarm_topic) link;
	struct swarm *swarm;
	struct timer timer; /* the next refresh */
	uint32_t number;
	uint8_t topic[KEY_LEN];
	TAILQ_HEAD(, swarm_session) sessions;
	unsigned roles; /* of the last refresh */
	uint32_t limit;
	uint32_t early;           /* lookups soon after the join, so far */
	uint32_t failures;        /* refreshes in a row */
	int err;                  /* of the last one */
	bool looking, announcing; /* in progress */
	bool announced;           /* records may exist */
	bool waits;               /* to announce, for the listener */
};

struct swarm_flush {
	void (*done)(void *owner, bool complete);
	void *owner;
	bool refreshing;
	uint32_t missing; /* dials whose end it waits for */
};

struct swarm {
	const struct core *core;
	struct swarm_config config;
	struct swarm_clocks clocks;
	TAILQ_HEAD(, swarm_topic) topics;
	uint32_t topics_len;
	uint32_t last_number; /* of topics and sessions */
	uint32_t last_peer;   /* number of a peer */
	struct swarm_peer *peers, *by_conn;
	TAILQ_HEAD(swarm_queue, swarm_peer) queue[SWARM_PRIORITY_MAX + 1];
	uint32_t queue_len[SWARM_PRIORITY_MAX + 1];
	uint32_t dialing_len, dialed_len, accepted_len; /* links */
	uint32_t explicit_len;
	struct timer slow; /* a dial stops to count as one of the parallel */
	struct swarm_flush flush;
	bool listening, listen_ordered;
	bool suspended;
};

static inline uint64_t
swarm_now_us(const struct swarm *s)
{
	return s->core->world->now_us;
}

/* ---- swarm_topics.c ---- */

void swarm_topics_init(struct swarm *s);
void swarm_topics_fini(struct swarm *s);

struct swarm_topic *swarm_topic_find(
    const struct swarm *s, const uint8_t *topic);

/* Refreshes all topics, spread over time, or at once. */
void swarm_topics_refresh(struct swarm *s, bool spread);
void swarm_topics_suspend(struct swarm *s);
bool swarm_topics_refreshing(const struct swarm *s);

/* ---- swarm_peers.c ---- */

struct swarm_peer *swarm_peer_find(const struct swarm *s, const uint8_t *key);

/* Returns the peer of that key, which is added if need be; NULL if the table is
 * full or memory is short. */
struct swarm_peer *swarm_peer_get(struct swarm *s, const uint8_t *key);

/* Frees the peer if nothing is known of it that is worth to keep. */
void swarm_peer_forget(struct swarm_peer *p);

/* Puts the peer into the queue, unless it is given up; ends its wait. */
void swarm_peer_queue(struct swarm_peer *p);
void swarm_peer_unqueue(struct swarm_peer *p);

/* Returns the next peer to dial, or NULL. */
struct swarm_peer *swarm_queue_next(struct swarm *s);
uint32_t swarm_queue_len(const struct swarm *s);

/* Returns whether it is explicit or was found under a topic that is joined as a
 * client. */
bool swarm_peer_is_wanted(const struct swarm_peer *p);
bool swarm_peer_in(const struct swarm_peer *p, const struct swarm_topic *t);

/* Forgets that peers were found under the topic; stops those who wait to be
 * dialed for no other reason. */
void swarm_peers_leave_topic(struct swarm *s, const struct swarm_topic *t);
void swarm_peers_fini(struct swarm *s);

/* ---- swarm_dials.c ---- */

bool swarm_may_connect(const struct swarm *s, const struct swarm_peer *p);

/* Dials queued and explicit peers while the limits permit. */
void swarm_pump(struct swarm *s);
void swarm_dials_init(struct swarm *s);
void swarm_dials_suspend(struct swarm *s);

/* Closes the dials that are not open yet. */
void swarm_dials_close(struct swarm *s);
void swarm_report(struct swarm *s, enum swarm_change change, const uint8_t *key,
    uint32_t conn, int err);

/* ---- swarm.c ---- */

/* Continues a flush, as a refresh or `dials` dials have ended. */
void swarm_flush_check(struct swarm *s, uint32_t dials);

#endif
