/* SPDX-License-Identifier: ISC */
/*
 * listener_struct.h - struct listener and the table of listeners.
 *
 * listener.c owns both; session.c and accept.c read them for the handshakes
 * that arrive. Uses: listener.h, session.h, signal.
 */
#ifndef PEER_LISTENER_STRUCT_H
#define PEER_LISTENER_STRUCT_H

#include "base/hash.h"
#include "peer/event_source.h"
#include "peer/listener.h"
#include "peer/session.h"
#include "signal/announcer.h"

/*
 *	ACTIVE --peers_unlisten()--> ENDING --withdrawn--> ENDED --> freed
 */
enum listener_state {
	LISTENER_ACTIVE,
	LISTENER_ENDING, /* its announcement is being withdrawn */
	LISTENER_ENDED,  /* PEER_UNLISTENED is pending */
};

struct listener {
	UT_hash_handle hh;
	struct event_source events;
	struct listeners *ls;
	uint32_t number;
	enum listener_state state;
	const struct key_pair *keys;
	uint8_t (*allow)[KEY_LEN]; /* sorted */
	size_t allow_len;
	struct peers_listen_limits limits;
	struct slot_scope *slots; /* of the connections that it accepted */
	bool ask;
	bool relays; /* its connections control the relay of this node */
	bool names_relay;
	uint8_t relay_key[KEY_LEN];
	bool changed;         /* PEER_LISTENING is pending */
	int err;              /* of that event */
	bool refusal_pending; /* PEER_REFUSED is pending */
	uint8_t refused_key[KEY_LEN];
	struct announced *announced;
	uint32_t accepted, refused;
	uint64_t began_us;
};

struct listeners {
	struct peers *peers;
	struct announcer *announcer;
	struct listener *by_number; /* hash table, oldest first */
	struct sessions sessions;
};

/* Returns NULL if memory is short. */
struct listeners *listeners_new(struct peers *p);

/* Accepts NULL. */
void listeners_free(struct listeners *ls);

/* Returns the active listener of that number, or NULL. */
struct listener *listener_by_number(
    const struct listeners *ls, uint32_t number);

/* Returns true if the allow list has the key, or there is no list. */
bool listener_allows(const struct listener *l, const uint8_t *key);

/* Counts a peer that the allow list lacks, and reports it. If several come
 * before the report is taken, the latest is reported. */
void listener_refuse(struct listener *l, const uint8_t *key);

/* Returns true if a listener in any state has that number. */
bool listeners_have(const struct listeners *ls, uint32_t number);

/* Counts a dropped message, and returns err. */
int listener_drop(const struct listeners *ls, int err);

#endif
