/* SPDX-License-Identifier: ISC */
/*
 * answer.h - what a server's answer to our handshake says, and what follows.
 *
 * Reads the reply that came through a node (protocol 03 §3.3): all within the
 * Noise message is the server's word, the rest the node's. Decides which paths
 * are tried (protocol 03 §8.2). Uses: base, crypto, dht, signal.
 */
#ifndef PEER_ANSWER_H
#define PEER_ANSWER_H

#include <stdbool.h>

#include "crypto/noise.h"
#include "peer/conn.h"
#include "signal/payload.h"

struct answer {
	struct payload payload;
	struct noise_secrets secrets; /* to be wiped */
	struct addr node;             /* through which it came */
	struct addr server; /* as that node sees it, or the node itself */
	struct addr us;     /* as that node sees us */
	bool relayed;       /* the node is not the server */
	int sock;           /* on which it came */
	uint64_t rtt_us;    /* there and back */
};

/*
 * 0: a genuine answer, whatever it says. Else the reply is none: ERR_TIMEOUT
 * and others of the request, ERR_UNKNOWN (the node knows no such server),
 * ERR_MALFORMED, ERR_SIZE, ERR_SIGNATURE. *n does not change (pitfalls S5, S6).
 */
int answer_read(
    struct answer *out, const struct noise *n, const struct dht_answer *a);

/* 0, or why the server does not want this connection; terminal (pitfall H3). */
int answer_verdict(const struct answer *a);

/*
 * Offers to the connection what paths follow from the answer. False: there is
 * none, nor will the server come to us by itself.
 */
bool answer_paths(
    const struct answer *a, const struct peers_base *b, struct conn *c);

/* Begins to punch, if that is the server's offer, protocol 04. */
void answer_punch(
    const struct answer *a, const uint8_t *target, struct conn *c);

/* Nodes to remember for the next dial, best first; returns how many. */
size_t answer_relays(const struct answer *a, struct addr *out, size_t max);

void answer_wipe(struct answer *a);

#endif
