/* SPDX-License-Identifier: ISC */
/*
 * relay_client.h - the client of a blind relay: one pairing, protocol 06 §C.3.
 *
 * Has one protomux session for the messages of one encrypted stream to the
 * relay. Does no I/O and knows no stream or timer: the owner passes the
 * messages that it has received, sends those that are pending, and bounds the
 * time. Uses: base, crypto, stream.
 */
#ifndef RELAY_RELAY_CLIENT_H
#define RELAY_RELAY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wire.h"
#include "relay/relay_message.h"

struct relay_client;

struct relay_client_spec {
	const uint8_t *key;   /* ours, by which the relay knows us; copied */
	const uint8_t *token; /* copied; NULL: opens the channel alone */
	bool initiator;       /* our side has named the relay */
	uint32_t stream_id;   /* of our stream to the peer */
};

/* Returns a client whose first messages are pending: it opens the channel and
 * requests the pairing, if there is a token, at once. Returns NULL if memory is
 * short. */
struct relay_client *relay_client_new(const struct relay_client_spec *spec);

/* Accepts NULL. */
void relay_client_free(struct relay_client *c);

/* Reads one message of the relay. Returns 0, or the error that breaks the
 * stream to it: ERR_MALFORMED, ERR_LIMIT or ERR_MEMORY. */
int relay_client_read(struct relay_client *c, struct bytes message);

/* Returns the next message to send, borrowed until any other call; p is NULL
 * if there is none. relay_client_consume() removes it. */
struct bytes relay_client_peek(const struct relay_client *c);
void relay_client_consume(struct relay_client *c);

enum relay_client_state {
	RELAY_CLIENT_PAIRING,
	RELAY_CLIENT_PAIRED, /* final, the channel may close */
	RELAY_CLIENT_CLOSED, /* the relay has closed or rejected the channel */
};

enum relay_client_state relay_client_state(const struct relay_client *c);

/* Returns true once the relay has opened the channel: it is one. */
bool relay_client_is_open(const struct relay_client *c);

/* Returns the reason of the relay's refusal and its end, or NULL if the relay
 * has sent none. */
const struct relay_refusal *relay_client_refusal(const struct relay_client *c);

/* Returns the id of the relay's stream; only in state PAIRED. */
uint32_t relay_client_stream_id(const struct relay_client *c);

#endif
