/* SPDX-License-Identifier: ISC */
/*
 * payload.h - codec of the payload of both Noise messages, protocol 03 §5.
 *
 * Checks only the format. `flags` holds the bits as received, which tell the
 * fields that are present. Entries of a list beyond its capacity here are
 * skipped. Bits from 128 up are reserved for extensions between nodes of this
 * project: they stand for fields after the last one, which others ignore. Uses:
 * base, crypto.
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
	PAYLOAD_ADDRS_MAX = 16, /* of each family */
	PAYLOAD_RELAYS_MAX = 8, /* the reference sends 3 */
	PAYLOAD_TOKEN_LEN = 32,
	PAYLOAD_LEN_MAX =
	    1004, /* NOISE_MESSAGE_MAX less the overhead of message 1 */
};

/* The fields that are present. */
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
	/* The handshake only looks for a new path for open streams of the same
	 * keys. Sent to PAYLOAD_NATIVE alone, which repeats the bit. */
	PAYLOAD_REDIAL = 32,
	PAYLOAD_NATIVE = 64, /* a node of this project with its extensions */
};

/* Why a side refuses, protocol 03 §10. Other numbers refuse as well. */
enum signal_error {
	SIGNAL_OK,
	SIGNAL_ABORTED,
	SIGNAL_VERSION_MISMATCH,
	SIGNAL_TRY_LATER,
};

/* The NAT type of a side as it reports it. */
enum signal_firewall {
	FIREWALL_UNKNOWN,
	FIREWALL_OPEN,
	FIREWALL_CONSISTENT,
	FIREWALL_RANDOM,
};

struct payload_relay {
	struct addr relay; /* a node that forwards to the server */
	struct addr peer;  /* the address of the server as that node sees it */
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
	struct addr relay_addrs[PAYLOAD_RELAYS_MAX]; /* for later dials */
	uint8_t relay_addrs_len;
};

/*
 * Decodes a payload. Returns 0 or ERR_MALFORMED. Only the version is read if it
 * is not ours, which is not an error (pitfall C7). The caller wipes the secrets
 * in *p.
 */
int payload_decode(struct payload *p, const uint8_t *buf, size_t len);

/* Encodes a payload. Returns its length, or 0 if it does not fit or cannot be
 * encoded. */
size_t payload_encode(const struct payload *p, uint8_t *buf, size_t cap);

static inline bool
payload_has(const struct payload *p, enum payload_flag flag)
{
	return (p->flags & flag) != 0;
}

#endif
