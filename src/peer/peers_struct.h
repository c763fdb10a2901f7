/* SPDX-License-Identifier: ISC */
/*
 * peers_struct.h - struct peers: the parts that peer.c creates and frees.
 *
 * Each part is a struct of the module that is named beside it; other modules
 * reach it through that module's functions. Uses: peer.h and those modules.
 */
#ifndef PEER_PEERS_STRUCT_H
#define PEER_PEERS_STRUCT_H

#include "peer/conn_relay.h"
#include "peer/dial_record.h"
#include "peer/event_source.h"
#include "peer/ipv6_socket.h"
#include "peer/key_index.h"
#include "peer/lingering_sockets.h"
#include "peer/slot.h"
#include "peer/peer.h"
#include "peer/relay_finder.h"
#include "peer/relay_memory.h"
#include "peer/relay_service.h"
#include "stream/secret.h"

enum { MIGRATE_SECRET_LEN = 32 };

struct listeners;

struct peers {
	const struct core *core;
	struct peers_base base;
	struct conn *conns; /* conn.c: hash table by number, oldest first */
	struct key_index by_key;  /* the same, by the key of the peer */
	struct slot_scope *slots; /* of accepted connections */
	uint32_t dials;           /* dialer.c: number of dials under way */
	uint32_t last_number;
	struct event_source_list events;
	struct ipv6_socket ipv6;
	uint8_t migrate_secret[MIGRATE_SECRET_LEN]; /* conn_migrate.c */
	struct frame_budget frames; /* bytes of large frames, all connections */
	struct lingering_sockets lingering;
	struct relay_memory relays;
	struct followed_relays followed;
	struct relay_finder finder;
	struct relay_service relaying;
	struct dial_records dial_records;
	struct listeners *listeners; /* listener_struct.h */
};

/* Returns a number that no connection and no listener has. */
uint32_t peers_new_number(struct peers *p);

/* Returns true if the socket is one of the node's own, open for its life. */
bool peers_has_socket(const struct peers *p, int sock);

/* Writes our addresses, as both sides of a handshake describe themselves. */
void peers_describe(const struct peers *p, struct payload *out);

/* Returns the monotonic time in microseconds, `ms` milliseconds from now. */
uint64_t peers_after_ms(const struct peers *p, uint32_t ms);

#endif
