/* SPDX-License-Identifier: ISC */
/*
 * record.h - what record commands carry: peers, announces, values; protocol 02
 * §3.
 *
 * Pure codec: borrows the bytes it decodes, checks the format and judges
 * nothing. Surplus bytes at the end pass, as in the reference. Encoders return
 * the bytes written, or 0 if the room is too small. Uses: base, crypto.
 */
#ifndef RECORDS_RECORD_H
#define RECORDS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"
#include "crypto/keys.h"

enum {
	PEER_RELAYS_MAX = 3, /* stored and served; signed are all */
	PEER_LEN_MAX = KEY_LEN + 1 + PEER_RELAYS_MAX * ADDR_WIRE4_LEN,
	LOOKUP_PEERS_MAX = 20, /* in one reply */
	LOOKUP_LEN_MAX = 1 + LOOKUP_PEERS_MAX * PEER_LEN_MAX + 9,
	VALUE_PUT_MAX =
	    1000, /* that we put; what fits is stored, protocol 02 §5 */
	MUTABLE_OVERHEAD = KEY_LEN + 9 + 3 + SIGNATURE_LEN,
};

/* Commands of requests, protocol 02 §1. */
enum records_command {
	CMD_PEER_HANDSHAKE,
	CMD_PEER_HOLEPUNCH,
	CMD_FIND_PEER,
	CMD_LOOKUP,
	CMD_ANNOUNCE,
	CMD_UNANNOUNCE,
	CMD_MUTABLE_PUT,
	CMD_MUTABLE_GET,
	CMD_IMMUTABLE_PUT,
	CMD_IMMUTABLE_GET,
	CMD_PLUGIN,
};

struct peer_record {
	const uint8_t *key;
	struct bytes relays; /* wire form, six bytes each */
};

static inline size_t
peer_relays_len(const struct peer_record *p)
{
	return p->relays.len / ADDR_WIRE4_LEN;
}

/* The i-th relay address, i < peer_relays_len(). */
struct addr peer_relay(const struct peer_record *p, size_t i);

/* 0 or ERR_MALFORMED. */
int peer_decode(struct peer_record *p, const uint8_t *buf, size_t len);
size_t peer_encode(const struct peer_record *p, uint8_t *buf, size_t cap);

/* A field that is absent is NULL, a peer that is absent has no key. */
struct announce {
	struct peer_record peer;
	const uint8_t *refresh;
	const uint8_t *signature;
	uint64_t bump;
};

int announce_decode(struct announce *a, const uint8_t *buf, size_t len);
size_t announce_encode(const struct announce *a, uint8_t *buf, size_t cap);

/* What an announce or an unannounce is signed for: one node, one token. */
struct announce_scope {
	const uint8_t *target, *id, *token;
};

void announce_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    enum key_namespace ns, const struct announce_scope *s,
    const struct announce *a);

/* 0 or ERR_SIGNATURE; a has a peer and a signature. */
int announce_verify(const struct announce *a, enum key_namespace ns,
    const struct announce_scope *s);

/* A lookup reply, read peer by peer. */
struct lookup_reply {
	struct rd r;
	size_t left; /* peers not read yet */
};

/* 0 or ERR_MALFORMED: then nothing of the reply may be used. */
int lookup_decode(
    struct lookup_reply *l, uint64_t *bump, const uint8_t *buf, size_t len);

/* The next peer of a decoded reply; false at the end. */
bool lookup_next(struct lookup_reply *l, struct peer_record *p);
size_t lookup_encode(const struct peer_record *peers, size_t peers_len,
    uint64_t bump, uint8_t *buf, size_t cap);

/* A mutable value; key is NULL in the form that is stored and returned. */
struct mutable_value {
	const uint8_t *key;
	uint64_t seq;
	struct bytes value;
	const uint8_t *signature;
};

int mutable_put_decode(struct mutable_value *m, const uint8_t *buf, size_t len);
size_t mutable_put_encode(
    const struct mutable_value *m, uint8_t *buf, size_t cap);
int mutable_value_decode(
    struct mutable_value *m, const uint8_t *buf, size_t len);
size_t mutable_value_encode(
    const struct mutable_value *m, uint8_t *buf, size_t cap);

void mutable_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    uint64_t seq, struct bytes value);

/* 0 or ERR_SIGNATURE; the key is given, as the stored form lacks it. */
int mutable_verify(const struct mutable_value *m, const uint8_t key[KEY_LEN]);

#endif
