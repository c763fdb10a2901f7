/* SPDX-License-Identifier: ISC */
/*
 * node_relay.h - the blind relay of a node, protocol 06 §C.
 *
 * It listens on a key of its own (node_config.relay_keys), so that programs
 * may listen on the node's identity. Uses: crypto, peer.
 */
#ifndef NODE_NODE_RELAY_H
#define NODE_NODE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "relay/relay_volume.h"

struct node;

enum node_relay_mode {
	NODE_RELAY_OFF,
	NODE_RELAY_FRIENDS,
	NODE_RELAY_OPEN,
	NODE_RELAY_AUTO, /* as open; by default, because of the role */
};

struct node_relaying {
	bool on;
	enum node_relay_mode mode; /* for status alone */
	/* The keys that may use the relay; none: all. Copied. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	/* Keys that a relay for all serves without a share. Copied. */
	const uint8_t (*friends)[KEY_LEN];
	size_t friends_len;
};

/*
 * Starts to relay, or stops. Ends all that is being relayed, also if only the
 * list of keys has changed. Returns 0, ERR_VALUE (the node has no relay_keys)
 * or ERR_CLOSED, ERR_EXISTS, ERR_LIMIT, ERR_MEMORY; after an error it does not
 * relay.
 */
int node_set_relaying(struct node *n, const struct node_relaying *r);

/* Sets the bytes that the relay may receive and send in a month, at most
 * RELAY_VOLUME_MAX; 0: no limit. */
void node_set_relay_volume(struct node *n, uint64_t month);

/* Restores what a former run has stored. */
void node_restore_relay_volume(
    struct node *n, const struct relay_volume_saved *saved);

/*
 * Returns true if the volume has to be stored, and what; `last`: as the last
 * one of this run. A node that does not relay stores none. Then call
 * node_relay_volume_stored(): the relay spends nothing that was not stored
 * before.
 */
bool node_save_relay_volume(
    struct node *n, bool last, struct relay_volume_saved *out);
void node_relay_volume_stored(
    struct node *n, const struct relay_volume_saved *saved);

struct node_relay_status {
	bool on;
	enum node_relay_mode mode;
	struct relay_volume_status volume;
	size_t allow_len;           /* keys that may use it; 0: all */
	const uint8_t *key;         /* of the relay; NULL: none */
	uint32_t used_conns;        /* own connections that a relay forwards */
	uint32_t sessions;          /* control connections, with the pairings
				       beyond the first of each */
	uint32_t waiting, pairings; /* half pairings and complete ones */
	uint64_t bytes, packets;    /* relayed since the start */
};

void node_relay_status(const struct node *n, struct node_relay_status *out);

#endif
