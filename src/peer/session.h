/* SPDX-License-Identifier: ISC */
/*
 * session.h - the insides of the listening side, for the files that make it.
 *
 *	listener.c  listeners: their life, what is told of them
 *	session.c   handshakes: one entry for each, limits, copies, ends
 *	accept.c    one handshake: from the client's message to our answer
 */
#ifndef PEER_SESSION_H
#define PEER_SESSION_H

#include <sys/queue.h>

#include "base/pool.h"
#include "crypto/noise.h"
#include "peer/inside.h"
#include "peer/listener.h"
#include "signal/prefix_budget.h"
#include "signal/announcer.h"
#include "signal/payload.h"

enum {
	/* Handshakes that failed, remembered by hash: their copies cost
	 * nothing. Written over at random. */
	FAILED_MAX = 256,
	/* Copies that wait for one decision: relays times sends. */
	COPIES_MAX = 64,
};

/* What a client's message has brought. To be wiped. */
struct incoming {
	struct router_call call; /* without the message itself */
	struct noise noise;
	struct payload theirs;
};

/*
 *	session_new --ask--> ASKED --yes, no--> ANSWERED ------> DONE ---> gone
 *	     |                 |                 ^ |  client came,  10 s
 *	     +-----------------|-----------------+ |  or failed,
 *	                       +--- 10 s, closed --|  or 10 s
 *	                                           +---> DONE
 */
enum session_state { SESSION_ASKED, SESSION_ANSWERED, SESSION_DONE };

/* Waiting for the application's decision. */
struct asked {
	struct incoming in;
	struct router_ticket copies[COPIES_MAX]; /* of later copies */
	uint32_t copies_len;
};

/* A cell of the pool; it stays where it is. */
struct session {
	struct index_link link; /* first: by the hash of the message */
	uint8_t digest[HASH_LEN];
	TAILQ_ENTRY(session) age; /* in half_open or done */
	struct listeners *ls;
	uint32_t id; /* its cell; what the client quotes when it punches */
	uint32_t listener;
	enum session_state state;
	struct timer timer;
	struct addr payer;   /* of whom only so many may wait */
	struct conn *conn;   /* until it has settled */
	struct asked *asked; /* while ASKED */
	uint8_t *answer;     /* from ANSWERED on; NULL: silence */
	uint16_t answer_len;
	int answer_sock; /* WORLD_NO_SOCK: the one that was asked */
};

TAILQ_HEAD(session_list, session);

struct listener {
	TAILQ_ENTRY(listener) link; /* oldest first */
	struct stirred stirred;
	struct listeners *ls;
	uint32_t number;
	const struct key_pair *keys;
	uint8_t (*allow)[KEY_LEN]; /* sorted */
	size_t allow_len;
	bool ask;
	struct announced *announced;
	bool changed, ending, ended; /* to be told; told to end; has ended */
	int err;
	uint32_t accepted, refused;
	uint64_t began_us;
};

TAILQ_HEAD(listener_list, listener);

struct listeners {
	struct peers *peers;
	struct announcer *announcer;
	struct listener_list list;
	uint32_t len;
	struct pool sessions;
	struct index by_message;
	struct session_list half_open, done; /* oldest first */
	uint32_t half_open_len;
	struct prefix_budgets budgets;
	uint32_t failed[FAILED_MAX];
};

/* ---- listener.c: for peer.c ---- */

struct listeners *listeners_new(struct peers *p);
void listeners_free(struct listeners *ls);

/* The listener of that number that still listens, or NULL. */
struct listener *listener_of(const struct listeners *ls, uint32_t number);

/* The allow list names this key, or there is none. */
bool listener_allows(const struct listener *l, const uint8_t *key);

/* Is there one of that number, whatever its state? */
bool listeners_have(const struct listeners *ls, uint32_t number);

/* Counts, and returns err. */
int listener_drop(const struct listeners *ls, int err);

/* ---- session.c ---- */

void sessions_init(struct listeners *ls);
void sessions_limits_changed(struct listeners *ls);
void sessions_fini(struct listeners *ls);

/* A PEER_HANDSHAKE: 0, or why it was dropped (counted). */
int session_serve(struct listener *l, const struct router_call *call);

/* A PEER_HOLEPUNCH: 0, or why it was dropped (counted). */
int session_punch(struct listener *l, const struct router_call *call);

/* The offer of this connection was answered. */
void session_decide(struct listeners *ls, struct conn *c, bool accept);

/* Ends those that wait for an answer to an offer; the others go on. */
void sessions_forget(struct listeners *ls, uint32_t listener);

/* For conn_spec.settled. */
void session_settled(void *owner, struct conn *c, int err);

/* ---- accept.c ---- */

/* Opens message 1 and asks the allow list. 0 or why not; *in is wiped then. */
int accept_open(
    struct listener *l, const struct router_call *call, struct incoming *in);

/*
 * Makes the answer: error is one of enum signal_error. With SIGNAL_OK the
 * connection gets its secrets and its first path. 0, ERR_MEMORY or ERR_VALUE.
 */
int accept_answer(struct session *s, const struct incoming *in, uint64_t error);

/* The error that the client's payload calls for. */
uint64_t accept_verdict(const struct payload *theirs);

void incoming_wipe(struct incoming *in);

#endif
