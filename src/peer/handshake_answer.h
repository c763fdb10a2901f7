/* SPDX-License-Identifier: ISC */
/*
 * handshake_answer.h - the server's answer to our handshake.
 *
 * Reads the reply that a node has forwarded (protocol 03 §3.3): what is inside
 * the Noise message is authenticated by the server, the rest is reported by
 * the node. Selects the path candidates (protocol 03 §8.2).
 * Uses: base, crypto, dht, signal.
 */
#ifndef PEER_HANDSHAKE_ANSWER_H
#define PEER_HANDSHAKE_ANSWER_H

#include <stdbool.h>

#include "crypto/noise.h"
#include "peer/conn.h"
#include "signal/payload.h"

struct handshake_answer {
	struct payload payload;
	struct noise_secrets secrets; /* handshake_answer_wipe() */
	struct addr node;             /* that sent the reply */
	struct addr server;           /* as the node sees it, or the node */
	struct addr us;               /* as the node sees us */
	bool relayed;                 /* the node is not the server */
	int sock;                     /* that received the reply */
	uint64_t rtt_us;              /* of the request */
};

/*
 * Decrypts and decodes the reply. Returns 0 if the server has sent it,
 * also if it refuses. Otherwise it is no answer: ERR_TIMEOUT and other errors
 * of the request, ERR_UNKNOWN (the node does not know the server),
 * ERR_MALFORMED, ERR_SIZE, ERR_SIGNATURE. Does not change *n (pitfalls S5, S6).
 */
int handshake_answer_read(struct handshake_answer *out, const struct noise *n,
    const struct dht_answer *a);

/* Returns 0, or why the server refuses; that ends the dial (pitfall H3). */
int handshake_answer_judge(const struct handshake_answer *a);

/*
 * Adds the path candidates to the connection. Returns false if there is none
 * and the server will not connect to us.
 */
bool handshake_answer_add_paths(const struct handshake_answer *a,
    const struct peers_base *b, struct conn *c);

/* Starts punching, if the server offers it, protocol 04. */
void handshake_answer_punch(
    const struct handshake_answer *a, const uint8_t *target, struct conn *c);

/* Writes the nodes to remember for the next dial, best first; returns how
 * many. */
size_t handshake_answer_relays(
    const struct handshake_answer *a, struct addr *out, size_t max);

void handshake_answer_wipe(struct handshake_answer *a);

#endif
