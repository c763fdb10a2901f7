/* SPDX-License-Identifier: ISC */
/*
 * signal_message.h - the outer messages of connection signalling, protocol 02
 * §8.
 *
 * The values of PEER_HANDSHAKE and PEER_HOLEPUNCH. Pure codec: borrows the
 * bytes it decodes, checks the format and judges nothing; what is sealed
 * inside stays sealed. An address of family none is absent. Surplus bytes at
 * the end and unknown flags pass, as in the reference. Uses: base.
 */
#ifndef SIGNAL_SIGNAL_MESSAGE_H
#define SIGNAL_SIGNAL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"

/* Who passed the message on last; any other number decodes as well. */
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
	uint64_t id; /* the server's slot */
	struct bytes payload;
	struct addr peer;
};

/* 0 or ERR_MALFORMED. */
int handshake_decode(struct handshake *m, const uint8_t *buf, size_t len);
int holepunch_decode(struct holepunch *m, const uint8_t *buf, size_t len);

/* Bytes written, or 0 if cap is too small. */
size_t handshake_encode(const struct handshake *m, uint8_t *buf, size_t cap);
size_t holepunch_encode(const struct holepunch *m, uint8_t *buf, size_t cap);

#endif
