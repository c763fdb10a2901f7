/* SPDX-License-Identifier: ISC */
/*
 * signal_message.h - codec of the values of PEER_HANDSHAKE and PEER_HOLEPUNCH,
 * protocol 02 §8.
 *
 * Decoders borrow the bytes and check only the format; the encrypted part is
 * not opened. An absent address has the family ADDR_NONE. Surplus bytes at the
 * end and unknown flags are accepted, as in the reference. Uses: base.
 */
#ifndef SIGNAL_SIGNAL_MESSAGE_H
#define SIGNAL_SIGNAL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"

/* The role of the latest sender. Other numbers decode as well. */
enum message_mode {
	MODE_FROM_CLIENT,
	MODE_FROM_SERVER,
	MODE_FROM_RELAY,
	MODE_FROM_SECOND_RELAY,
	MODE_REPLY,
};

struct handshake {
	uint64_t mode;
	struct bytes noise;
	struct addr peer, relay;
};

struct holepunch {
	uint64_t mode;
	uint64_t id; /* of the hole punch at the server */
	struct bytes payload;
	struct addr peer;
};

/* Each decodes a whole value. Returns 0 or ERR_MALFORMED. */
int handshake_decode(struct handshake *m, const uint8_t *buf, size_t len);
int holepunch_decode(struct holepunch *m, const uint8_t *buf, size_t len);

/* Each returns the bytes written, or 0 if cap is too small. */
size_t handshake_encode(const struct handshake *m, uint8_t *buf, size_t cap);
size_t holepunch_encode(const struct holepunch *m, uint8_t *buf, size_t cap);

#endif
