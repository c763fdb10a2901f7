/* SPDX-License-Identifier: ISC */
/*
 * record.h - the commands of records and the codec of what they carry.
 *
 * Implements protocol 02 §1 and §3: peer records, announces and values.
 *
 * Decoders borrow the bytes and check only the format; surplus bytes at the end
 * are accepted, as in the reference. They return 0 or ERR_MALFORMED. Encoders
 * return the bytes written, or 0 if the buffer is too small. Signatures are
 * made and verified here too. Uses: base, crypto.
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
	PEER_RELAYS_MAX = 3, /* stored and served; all are signed */
	PEER_LEN_MAX = KEY_LEN + 1 + PEER_RELAYS_MAX * ADDR_WIRE4_LEN,
	LOOKUP_PEERS_MAX = 20, /* in one reply */
	LOOKUP_LEN_MAX = 1 + LOOKUP_PEERS_MAX * PEER_LEN_MAX + 9,
	/* Bytes of a value that we put; larger ones are stored if a datagram
	 * holds them, protocol 02 §5. */
	VALUE_PUT_MAX = 1000,
	MUTABLE_OVERHEAD = KEY_LEN + 9 + 3 + SIGNATURE_LEN,
};

/* Fields that a request must have. */
enum {
	FIELD_TARGET = 1,
	FIELD_VALUE = 2,
	FIELD_TOKEN = 4, /* a valid one */
	FIELDS_WRITE = FIELD_TARGET | FIELD_VALUE | FIELD_TOKEN,
};

/*
 * Commands of requests, protocol 02 §1: number, name, the function that serves
 * it and the fields that it needs. The functions are declared and called by
 * peer_service.h and value_service.h.
 */
/* clang-format off */
#define PEER_COMMAND_LIST(X) \
	X(2, FIND_PEER, peer_service_find_peer, FIELD_TARGET) \
	X(3, LOOKUP, peer_service_lookup, FIELD_TARGET) \
	X(4, ANNOUNCE, peer_service_announce, FIELDS_WRITE) \
	X(5, UNANNOUNCE, peer_service_unannounce, FIELDS_WRITE)
#define VALUE_COMMAND_LIST(X) \
	X(6, MUTABLE_PUT, value_service_mutable_put, FIELDS_WRITE) \
	X(7, MUTABLE_GET, value_service_mutable_get, FIELD_TARGET | FIELD_VALUE) \
	X(8, IMMUTABLE_PUT, value_service_immutable_put, FIELDS_WRITE) \
	X(9, IMMUTABLE_GET, value_service_immutable_get, FIELD_TARGET)

enum records_command {
	CMD_PEER_HANDSHAKE = 0,
	CMD_PEER_HOLEPUNCH = 1,
#define X(number, name, serve, needs) CMD_##name = (number),
	PEER_COMMAND_LIST(X)
	VALUE_COMMAND_LIST(X)
#undef X
	CMD_PLUGIN = 10,
};
/* clang-format on */

struct peer_record {
	const uint8_t *key;
	struct bytes relays; /* encoded, six bytes each */
};

static inline size_t
peer_relays_len(const struct peer_record *p)
{
	return p->relays.len / ADDR_WIRE4_LEN;
}

/* Returns the i-th relay address, i < peer_relays_len(). */
struct addr peer_relay(const struct peer_record *p, size_t i);

int peer_decode(struct peer_record *p, const uint8_t *buf, size_t len);
size_t peer_encode(const struct peer_record *p, uint8_t *buf, size_t cap);

/* An absent field is NULL; an absent peer has a NULL key. */
struct announce {
	struct peer_record peer;
	const uint8_t *refresh;
	const uint8_t *signature;
	uint64_t bump;
};

int announce_decode(struct announce *a, const uint8_t *buf, size_t len);
size_t announce_encode(const struct announce *a, uint8_t *buf, size_t cap);

/* What a signature is bound to: one target, one node and its token. */
struct announce_scope {
	const uint8_t *target, *id, *token;
};

void announce_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    enum key_namespace ns, const struct announce_scope *s,
    const struct announce *a);

/*
 * Verifies an announce that has a peer and a signature. Returns 0 or
 * ERR_SIGNATURE.
 */
int announce_verify(const struct announce *a, enum key_namespace ns,
    const struct announce_scope *s);

/* A lookup reply, which is read peer by peer. */
struct lookup_reply {
	struct rd r;
	size_t left; /* peers not read yet */
};

/*
 * Decodes a whole reply before the first peer is read, so that nothing of a
 * malformed one is used.
 */
int lookup_decode(
    struct lookup_reply *l, uint64_t *bump, const uint8_t *buf, size_t len);

/* Reads the next peer of a decoded reply. Returns false at the end. */
bool lookup_next(struct lookup_reply *l, struct peer_record *p);
size_t lookup_encode(const struct peer_record *peers, size_t peers_len,
    uint64_t bump, uint8_t *buf, size_t cap);

/* A mutable value. The form that is stored and returned has no key. */
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

/* Verifies a value in either form. Returns 0 or ERR_SIGNATURE. */
int mutable_verify(const struct mutable_value *m, const uint8_t key[KEY_LEN]);

#endif
