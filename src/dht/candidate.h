/* SPDX-License-Identifier: ISC */
/*
 * candidate.h - admission to the routing table, and eviction from it.
 *
 * A node enters the table only by answering a request of ours. A node that
 * sends a request with a verified id is a candidate and is sent one PING. Nodes
 * of the table are checked by a PING now and then, and when another node
 * reports them down; a full row gives up its oldest node if that does not
 * answer and a newcomer waits for its place (protocol 01 §8.3).
 *
 * The number of checks in progress that other nodes cause is small, and none of
 * them waits in front of own requests. A few dozen candidates are deferred
 * until a check ends, so that a crowd that joins at once is admitted; the
 * others are refused. A candidate with a validated address takes the place of
 * the oldest one without, in both lists.
 */
#ifndef DHT_CANDIDATE_H
#define DHT_CANDIDATE_H

#include <sys/queue.h>

#include "dht/local_node.h"
#include "dht/rate_limiter.h"

struct requests;

enum {
	PING_BYTES = 43,   /* length of a PING with an id, the longest form */
	TICKS_DOUBT = 240, /* 20 min: age at which a node may be swapped out */
};

/* Why a node is being checked. */
enum check_kind {
	CHECK_CANDIDATE, /* it sent a request but has not answered one; sent
			  * once */
	CHECK_NODE,      /* node of the table; removed if it does not answer */
	CHECK_HINT,      /* likewise, after a DOWN_HINT */
	CHECK_SWAP,      /* likewise, and a newcomer takes its place */
	CHECK_KINDS,
};

TAILQ_HEAD(check_list, check);

/* The checks in progress. dht.c sets the first three members before init. */
struct candidates {
	struct local_node *self;
	struct requests *requests;
	struct rate_limiter *limiter;
	struct check_list checks; /* oldest first */
	struct check_list
	    deferred; /* candidates without a PING, oldest first */
	uint32_t deferred_len;
	uint32_t len[CHECK_KINDS]; /* checks of each kind */
	uint32_t caused;           /* of these, caused by other nodes */
	uint32_t known;            /* of an earlier run, no limit applies */
};

void candidates_init(struct candidates *cs);

/* Frees what is left once requests_end() has completed every request. */
void candidates_fini(struct candidates *cs);

/*
 * Starts a check of a node that sent a request with the verified id `id`, if
 * the table has a place for it and the budget `source` of its host permits.
 */
void candidates_request_received(struct candidates *cs, const uint8_t *id,
    const struct addr *a, uint32_t source);

/*
 * Adds a node that answered to the table, or moves it to the recent end. id is
 * verified, or NULL. Returns true if the address at which the node sees us is
 * to be sampled: the reply shows the socket that own requests leave from
 * (shows_us), and no sample was taken from this node for TICKS_OLD.
 */
bool candidates_reply_received(struct candidates *cs, const uint8_t *id,
    const struct addr *a, bool shows_us);

/* Sends a PING to a node of the table, which removes it unless it answers.
 * hinted: another node has reported it down; then the check may be refused. */
void candidates_check_node(struct candidates *cs, uint32_t node, bool hinted);

/* Sends a PING to an address of an earlier run; if it answers it is added. */
void candidates_ping_known(struct candidates *cs, const struct addr *a);

/*
 * Counts a reply from this address that matches no request. After
 * DHT_CANDIDATE_GUESSES_MAX of them the candidate there is abandoned: its
 * address may be forged by a host that guesses the tid of our PING.
 */
void candidates_reply_unmatched(struct candidates *cs, const struct addr *a);

/* Removes a node from the table that did not answer a request. */
void candidates_node_failed(struct candidates *cs, const uint8_t *id);

#endif
