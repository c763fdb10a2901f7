/* SPDX-License-Identifier: ISC */
/*
 * payload.h - what the two Noise messages carry, protocol 03 §5.
 *
 * Pure codec, judges nothing. Which fields are present is said by `flags`,
 * the same bits as on the wire; of a list longer than its place here the rest
 * is skipped. Bits of 128 and more are left to extensions between nodes of
 * this project: they announce fields behind the last one, which others ignore.
 * Uses: base, crypto.
 */
#ifndef SIGNAL_PAYLOAD_H
#define SIGNAL_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "crypto/keys.h"

enum {
	PAYLOAD_VERSION = 1,
	PAYLOAD_ADDRS_MAX = 16, /* a machine with many networks has more */
	PAYLOAD_RELAYS_MAX = 8, /* the reference names 3 */
	PAYLOAD_TOKEN_LEN = 32,
	PAYLOAD_LEN_MAX = 1004, /* NOISE_MESSAGE_MAX without message 1's own */
};

/* What is present. */
enum payload_flag {
	PAYLOAD_HOLEPUNCH = 1, /* holepunch_id and relays */
	PAYLOAD_ADDRS4 = 2,
	PAYLOAD_ADDRS6 = 4,
	PAYLOAD_UDX = 8, /* features, udx_id, udx_seq */
	PAYLOAD_SECRET_STREAM = 16,
	PAYLOAD_RELAY_THROUGH = 32,
	PAYLOAD_RELAY_ADDRS = 64,
};

/* Bits of `features`. */
enum payload_feature {
	PAYLOAD_REUSABLE = 1, /* the socket serves further connections */
	/* A path is sought for open streams between the same keys, and nothing
	 * else is wanted; only to PAYLOAD_NATIVE, which says it back. */
	PAYLOAD_MENDS = 32,
	PAYLOAD_NATIVE = 64, /* a node of this project, and what it can do */
};

/* Why a side refuses; any other number does too. Protocol 03 §10. */
enum signal_error {
	SIGNAL_OK,
	SIGNAL_ABORTED,
	SIGNAL_VERSION_MISMATCH,
	SIGNAL_TRY_LATER,
};

/* How a side is reached, as it says itself. */
enum signal_firewall {
	FIREWALL_UNKNOWN,
	FIREWALL_OPEN,
	FIREWALL_CONSISTENT,
	FIREWALL_RANDOM,
};

struct payload_relay {
	struct addr relay; /* a node that forwards to the server */
	struct addr peer;  /* the server as that node sees it */
};

struct payload {
	uint64_t version, flags, error, firewall;
	uint64_t holepunch_id;
	struct payload_relay relays[PAYLOAD_RELAYS_MAX];
	uint8_t relays_len;
	struct addr addrs4[PAYLOAD_ADDRS_MAX];
	uint8_t addrs4_len;
	struct addr addrs6[PAYLOAD_ADDRS_MAX];
	uint8_t addrs6_len;
	uint64_t features, udx_seq;
	uint32_t udx_id;
	uint8_t relay_key[KEY_LEN]; /* of a blind relay */
	uint8_t relay_token[PAYLOAD_TOKEN_LEN];
	struct addr relay_addrs[PAYLOAD_RELAYS_MAX]; /* worth remembering */
	uint8_t relay_addrs_len;
};

/*
 * 0 or ERR_MALFORMED. Of another version than ours nothing else is read, which
 * is no error (pitfall C7). The secrets within are the caller's to wipe.
 */
int payload_decode(struct payload *p, const uint8_t *buf, size_t len);

/* Returns the length, or 0 if it does not fit or cannot be said. */
size_t payload_encode(const struct payload *p, uint8_t *buf, size_t cap);

static inline bool
payload_has(const struct payload *p, enum payload_flag flag)
{
	return (p->flags & flag) != 0;
}

#endif
