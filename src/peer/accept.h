/* SPDX-License-Identifier: ISC */
/*
 * accept.h - one handshake: from the client's message to our answer.
 * Uses: crypto, dht, signal.
 */
#ifndef PEER_ACCEPT_H
#define PEER_ACCEPT_H

#include "crypto/noise.h"
#include "signal/payload.h"
#include "signal/router.h"

struct listener;
struct session;

/* A client's decrypted message; incoming_wipe() it. */
struct incoming {
	struct router_call call; /* without the message itself */
	struct noise noise;
	struct payload theirs;
};

/*
 * Decrypts message 1 and checks the allow list. Returns 0, or the reason for
 * dropping it; then *in is wiped.
 */
int accept_open(
    struct listener *l, const struct router_call *call, struct incoming *in);

/* Returns the error (enum signal_error) that the client's payload calls for. */
uint64_t accept_judge(const struct payload *theirs);

/*
 * Writes the answer with this error into *s. With SIGNAL_OK it completes the
 * handshake of the connection and adds its first path. Returns 0, ERR_MEMORY,
 * ERR_VALUE, or an error of conn_complete_handshake().
 */
int accept_answer(struct session *s, const struct incoming *in, uint64_t error);

void incoming_wipe(struct incoming *in);

#endif
