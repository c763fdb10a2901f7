/* SPDX-License-Identifier: ISC */
/*
 * relay_server.h - the server of a blind relay: its sessions and pairings,
 * protocol 06 §C.1.
 *
 * Each control connection of a client is a session, which has proved a key.
 * Two places of one token, initiator and responder, make a pairing. Does no
 * I/O and knows no stream: the owner passes the messages that it has received,
 * sends those that are pending, and executes the orders that
 * relay_server_next() returns: it creates the two streams of a pairing, which
 * it connects to the two control connections' own addresses and to nothing
 * that a message names.
 *
 *	WAITING --the other place is taken--> MATCHED --RELAY_ORDER_LINK
 *taken--> LINKED --unpair, a session ends--> ENDING --RELAY_ORDER_UNLINK
 *taken--> freed WAITING --unpair, session ends, relay-wait-seconds--> freed
 *
 * Nothing is ever evicted for a newcomer: what exceeds a limit is refused.
 * Uses: base, crypto, stream.
 */
#ifndef RELAY_RELAY_SERVER_H
#define RELAY_RELAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"
#include "base/wire.h"
#include "relay/relay_message.h"

struct relay_server;
struct relay_session;
struct relay_pairing;

/* Returns NULL if memory is short. Borrows the core. */
struct relay_server *relay_server_new(const struct core *core);

/* Frees it; the caller has freed all sessions. Accepts NULL. */
void relay_server_free(struct relay_server *s);

/* ---- sessions ---- */

struct relay_peer {
	const uint8_t *key; /* that the client has proved; copied */
	struct addr addr;   /* of the control connection */
	bool exempt;        /* no share binds it */
	bool native;        /* it understands RELAY_REFUSED */
	uint32_t number;    /* by which orders name the session, not 0 */
};

/* Creates a session, whose first message is pending: it opens the channel.
 * Returns 0, ERR_LIMIT (counted) or ERR_MEMORY. */
int relay_session_new(struct relay_server *s, const struct relay_peer *peer,
    struct relay_session **out) __attribute__((warn_unused_result));

/* Ends a session and its pairings. Accepts NULL. */
void relay_session_free(struct relay_session *ss);

/* Refuses all that the session requests: closes its channel, which ends its
 * pairings. A native client is sent the reason. */
void relay_session_refuse(
    struct relay_session *ss, const struct relay_refusal *why);

/* Reads one message of the client. Returns 0, or the error that breaks the
 * stream to it: ERR_MALFORMED, ERR_LIMIT (counted) or ERR_MEMORY. */
int relay_session_read(struct relay_session *ss, struct bytes message)
    __attribute__((warn_unused_result));

/* Returns the next message to send, borrowed until any other call; p is NULL
 * if there is none. relay_session_consume() removes it. */
struct bytes relay_session_peek(const struct relay_session *ss);
void relay_session_consume(struct relay_session *ss);

/* ---- orders: drain them after each call ---- */

enum relay_order_kind {
	/* Create two streams, then call relay_server_linked(), or
	 * relay_server_ended() if that fails. */
	RELAY_ORDER_LINK,
	RELAY_ORDER_UNLINK, /* free the two streams of the owner */
	RELAY_ORDER_EXPEL,  /* end the control connection end[0].session */
};

/* The two places of a pairing. */
enum relay_role { RELAY_ROLE_RESPONDER, RELAY_ROLE_INITIATOR, RELAY_ROLE_MAX };

struct relay_order {
	enum relay_order_kind kind;
	struct relay_pairing *pairing; /* of RELAY_ORDER_LINK */
	void *owner;                   /* of RELAY_ORDER_UNLINK */
	struct relay_end {
		uint32_t session;   /* its number */
		uint32_t stream_id; /* of the client's stream */
	} end[RELAY_ROLE_MAX];
};

/* Removes the next order; returns false if there is none. */
bool relay_server_next(struct relay_server *s, struct relay_order *out);

/*
 * Reports the ids of the streams that face the clients, which are sent to
 * them: messages of both sessions are pending then. The pairing may be used
 * until RELAY_ORDER_UNLINK, which names this owner, or relay_server_ended().
 */
void relay_server_linked(struct relay_server *s, struct relay_pairing *p,
    void *owner, const uint32_t stream_id[RELAY_ROLE_MAX]);

/* Reports that the streams of a pairing do not exist any more;
 * RELAY_ORDER_UNLINK does not follow. */
void relay_server_ended(struct relay_server *s, struct relay_pairing *p);

/* ---- status ---- */

struct relay_server_status {
	uint32_t sessions, waiting, linked;
};

void relay_server_status(
    const struct relay_server *s, struct relay_server_status *out);

#endif
