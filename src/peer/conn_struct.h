/* SPDX-License-Identifier: ISC */
/*
 * conn_struct.h - struct conn: the parts of one connection.
 *
 * conn.c creates and frees it and owns its state; each part is owned by the
 * module of the same name. The other modules of src/peer read the fields here
 * and change them through functions. Uses: conn.h and those modules.
 */
#ifndef PEER_CONN_STRUCT_H
#define PEER_CONN_STRUCT_H

#include "base/hash.h"
#include "peer/conn.h"
#include "peer/conn_ipv6.h"
#include "peer/conn_migrate.h"
#include "peer/conn_path.h"
#include "peer/conn_slot.h"
#include "peer/conn_punch.h"
#include "peer/conn_redial.h"
#include "peer/conn_relay.h"
#include "peer/peers_struct.h"
#include "peer/relay_service.h"
#include "stream/secret.h"

/* A connection only ever moves down this list; conn_set_state() in conn.c. */
enum conn_state {
	CONN_NEW,     /* the handshake is under way */
	CONN_PROVING, /* the handshake is complete, the peer's header missing */
	CONN_OPEN,
	CONN_REMOTE_ENDED, /* open; the peer has ended its side */
	CONN_DRAINING,     /* both sides have ended; unread bytes are left */
	CONN_CLOSED,       /* the streams are freed; PEER_CLOSED is pending */
};

struct conn {
	UT_hash_handle hh;
	struct key_entry *key_entry; /* key_index.c */
	TAILQ_ENTRY(conn) same_key;
	struct event_source events;
	unsigned events_pending; /* bits of enum conn_event */
	struct peers *peers;
	uint32_t number;
	uint32_t listener; /* that accepted it; 0: dialed */
	enum conn_state state;
	bool initiator;
	bool visible; /* the application has its number */
	enum conn_purpose purpose;
	uint8_t peer_features; /* PAYLOAD_NATIVE, PAYLOAD_REUSABLE */
	int err;               /* in state CLOSED */
	uint32_t dial_record;  /* its number; 0: none */
	uint64_t began_us;
	uint8_t key[KEY_LEN]; /* of the peer */
	uint8_t own_key[KEY_LEN];
	const struct key_pair *own; /* if dialed; borrowed */
	struct addr offered_addr;   /* of PEER_OFFER */
	void (*settled)(void *owner, struct conn *c, int err);
	void *owner;

	struct udx_stream *udx;
	struct secret *secret;
	uint32_t peer_udx_id;

	struct conn_paths paths;
	struct conn_ipv6 ipv6;
	struct conn_punch punch;
	struct conn_migrate migrate;
	struct conn_redial redialing;
	struct conn_relay relay;
	struct conn_slot slot;
};

/* Returns true from the verified header until the streams are freed. */
static inline bool
conn_is_open(const struct conn *c)
{
	return c->state >= CONN_OPEN && c->state < CONN_CLOSED;
}

static inline bool
conn_is_native(const struct conn *c)
{
	return (c->peer_features & PAYLOAD_NATIVE) != 0;
}

/* Returns true for connections that the application does not see. */
static inline bool
conn_is_hidden(const struct conn *c)
{
	return c->purpose != CONN_FOR_APPLICATION;
}

/* Processes the events of its udx stream. May free the connection. */
void conn_on_udx_events(struct conn *c, unsigned events);

/* Applies the keep-alive interval of DHT_EV_REPACED to all connections. */
void conns_repace(struct peers *p);

/* Appends a step to the record of its dial, if it was dialed. */
void conn_record(struct conn *c, const struct dial_step *step);

/* Returns the kind of the current path. */
enum conn_path_kind conn_path_kind(const struct conn *c);

/* Returns the peer's address on the current path, or one of family none. */
struct addr conn_remote(const struct conn *c);

/* Ends the search for paths: the current one works in both directions. */
void conn_confirm_path(struct conn *c);

/* Fails a connection that is not open yet, unless another path may still open
 * it. */
void conn_check_failed(struct conn *c, int err);

/* Has the connection look at its stream again in the next peers_poll(). */
void conn_queue(struct conn *c);

#endif
