/* SPDX-License-Identifier: ISC */
/*
 * session.h - handshakes that arrive: one session for each message.
 *
 * Copies of a message get the same answer. Before anything is computed, the
 * length and the budget of the source are checked; a message that fails leaves
 * no state. Answered sessions wait for their client within limits; the oldest
 * one of an unvalidated source is evicted first. Uses: base, crypto, signal.
 */
#ifndef PEER_SESSION_H
#define PEER_SESSION_H

#include <sys/queue.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/prefix_groups.h"
#include "base/timer.h"
#include "peer/accept.h"
#include "peer/handshake_budget.h"

struct conn;
struct listener;
struct listeners;

/*
 *	new --too many of its key--> HELD --2 s--> as if new
 *	new --ask--> ASKED --peers_answer()--> ANSWERED --------> DONE --> freed
 *	 |             |                        ^  |  opened,       10 s
 *	 '-------------|------------------------'  |  failed, or 10 s
 *	               '--- 10 s, unlisten --------|------> DONE
 */
enum session_state {
	/* The key has its number of connections; these are probed. */
	SESSION_HELD,
	SESSION_ASKED,
	SESSION_ANSWERED,
	SESSION_DONE,
};

/* The state of a session that waits for a decision. */
struct session_offer {
	struct incoming in;
	struct router_ticket *copies; /* SESSION_COPIES_MAX at most, or NULL */
	uint32_t copies_len, copies_cap;
};

/* An element of the pool; its address does not change. */
struct session {
	struct pool_index_link link; /* first: by the hash of the message */
	uint8_t digest[HASH_LEN];
	TAILQ_ENTRY(session) age;    /* in a list of half-open ones, or done */
	struct prefix_member prefix; /* of its payer, while half-open */
	struct prefix_member relay;  /* that forwarded it, while half-open */
	uint64_t relay_prefix;       /* of that relay; 0: none */
	uint8_t relay_changes;       /* each has charged another relay */
	enum handshake_trust trust;  /* of its source */
	struct listeners *ls;
	uint32_t id; /* its index; the client sends it to punch; 0: free */
	uint32_t listener;
	enum session_state state;
	uint64_t held_us; /* when state HELD began */
	struct timer expiry;
	struct conn *conn;           /* until it has settled */
	struct session_offer *offer; /* in states HELD and ASKED */
	uint8_t *answer;             /* from ANSWERED on; NULL: silence */
	uint16_t answer_len;
	int answer_sock; /* WORLD_NO_SOCK: the one that received the request */
};

TAILQ_HEAD(session_list, session);

/* The sessions in state ASKED or ANSWERED whose source is of one trust. */
struct half_open {
	struct session_list list; /* oldest first */
	uint32_t len;
	struct prefix_groups by_prefix;
};

struct sessions {
	struct pool pool;
	struct pool_index by_message;
	struct half_open half_open[HANDSHAKE_CLASSES];
	struct prefix_groups by_relay; /* validated half-open ones */
	struct session_list done;      /* oldest first */
	struct handshake_budget budget;
	uint32_t copies_cap; /* of all offers together */
	uint32_t failed[SESSION_FAILED_HASHES_MAX];
};

/* Returns what the sessions take with these limits, at most; without the
 * budgets and the connections. */
size_t sessions_bytes_max(const struct limits *l);

void sessions_init(struct listeners *ls);
void sessions_limits_changed(struct listeners *ls);
void sessions_fini(struct listeners *ls);

/* Serves a PEER_HANDSHAKE. Returns 0, or why it was dropped (counted). */
int session_serve(struct listener *l, const struct router_call *call);

/* Serves a PEER_HOLEPUNCH. Returns 0, or why it was dropped (counted). */
int session_punch(struct listener *l, const struct router_call *call);

/* Applies the application's decision about the offer of this connection. */
void session_decide(struct listeners *ls, struct conn *c, bool accept);

/* Fails the sessions of a listener that wait for a decision. */
void sessions_close_offers(struct listeners *ls, uint32_t listener);

#endif
