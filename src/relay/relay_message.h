/* SPDX-License-Identifier: ISC */
/*
 * relay_message.h - codec of the messages between a blind relay and its
 * clients, protocol 06 §C.
 *
 * They travel on the channel RELAY_PROTOCOL of a protomux session, whose id is
 * the client's public key. Checks only the format. Uses: base, crypto, udx,
 * stream.
 */
#ifndef RELAY_RELAY_MESSAGE_H
#define RELAY_RELAY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"

#define RELAY_PROTOCOL "blind-relay"

enum {
	RELAY_TOKEN_LEN = 32,
	/* The longest encoding: flags, token, and two integers. */
	RELAY_MESSAGE_MAX = 1 + RELAY_TOKEN_LEN + 2 * 9,
};

/* The types of the channel's messages. */
enum relay_message_type {
	RELAY_PAIR,
	RELAY_UNPAIR,
	/* Sent to clients with PAYLOAD_NATIVE alone, before the relay closes
	 * the channel. The reference would ignore it. */
	RELAY_REFUSED,
};

/*
 * A client requests to be paired with the other holder of the token; the relay
 * replies with the same message once both are there.
 */
struct relay_pair {
	bool initiator;
	uint8_t token[RELAY_TOKEN_LEN];
	uint32_t stream_id; /* of the sender's UDX stream */
	uint64_t seq;       /* 0; receivers ignore it */
};

struct relay_unpair {
	uint8_t token[RELAY_TOKEN_LEN];
};

/* Why a relay refuses. Other numbers refuse as well. */
enum relay_reason { RELAY_REASON_FULL = 1, RELAY_REASON_SPENT = 2 };

struct relay_refusal {
	uint64_t reason;
	uint64_t retry_s; /* seconds after which to ask again */
};

/*
 * Decode a message without its type. Return 0 or ERR_MALFORMED, which breaks
 * the connection. Surplus bytes and unknown flags are ignored, as in the
 * reference.
 */
int relay_pair_decode(struct relay_pair *m, const uint8_t *buf, size_t len);
int relay_unpair_decode(struct relay_unpair *m, const uint8_t *buf, size_t len);
int relay_refusal_decode(
    struct relay_refusal *m, const uint8_t *buf, size_t len);

/* Encode a message without its type. Return its length, or 0 if the buffer is
 * too small; RELAY_MESSAGE_MAX is enough. */
size_t relay_pair_encode(const struct relay_pair *m, uint8_t *buf, size_t cap);
size_t relay_unpair_encode(
    const struct relay_unpair *m, uint8_t *buf, size_t cap);
size_t relay_refusal_encode(
    const struct relay_refusal *m, uint8_t *buf, size_t cap);

#endif
