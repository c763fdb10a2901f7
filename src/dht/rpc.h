/* SPDX-License-Identifier: ISC */
/*
 * rpc.h - the request and the reply datagram, protocol 01 §3 and §4.
 *
 * Codec only: decoded messages borrow the datagram, and only their format is
 * checked. A NULL pointer means that the field is absent. Uses: base.
 */
#ifndef DHT_RPC_H
#define DHT_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"
#include "dht/id.h"

enum {
	RPC_K = 20, /* closer nodes, row size, best replies */
	RPC_TOKEN_LEN = 32,
	RPC_TARGET_LEN = 32,
	RPC_CLOSER_MAX = RPC_K, /* of a reply; more are ignored */
};

/* First byte: type in the high half, version 3 in the low one. */
enum { RPC_REQUEST = 0x03, RPC_REPLY = 0x13 };

/* Internal commands, protocol 01 §7. */
enum rpc_internal {
	RPC_PING,
	RPC_PING_NAT,
	RPC_FIND_NODE,
	RPC_DOWN_HINT,
	RPC_DELAYED_PING,
};

/* The error field of a reply; 16 and 17 are those of src/records. */
enum rpc_error {
	RPC_OK = 0,
	RPC_UNKNOWN_COMMAND = 1,
	RPC_INVALID_TOKEN = 2,
	RPC_SEQ_REUSED = 16,
	RPC_SEQ_TOO_LOW = 17,
};

struct rpc_request {
	uint16_t tid;
	bool internal;
	uint64_t command;
	struct addr to;
	const uint8_t *id;
	const uint8_t *token;
	const uint8_t *target;
	struct bytes value;
};

struct rpc_reply {
	uint16_t tid;
	struct addr to;
	const uint8_t *id;
	const uint8_t *token;
	struct bytes closer; /* raw addresses, six bytes each */
	uint64_t error;
	struct bytes value;
};

/* Returns RPC_REQUEST or RPC_REPLY, by the first byte of a datagram, or
 * ERR_VERSION or ERR_KIND. */
int rpc_kind(uint8_t first);

/* Decode a message. Return 0, ERR_MALFORMED, ERR_VERSION or ERR_KIND. */
__attribute__((warn_unused_result)) int rpc_request_decode(
    struct rpc_request *m, const uint8_t *buf, size_t len);
__attribute__((warn_unused_result)) int rpc_reply_decode(
    struct rpc_reply *m, const uint8_t *buf, size_t len);

/* Encode a message. Return the bytes written, or 0 if cap is too small or an
 * address is not IPv4. */
size_t rpc_request_encode(
    const struct rpc_request *m, uint8_t *buf, size_t cap);
size_t rpc_reply_encode(const struct rpc_reply *m, uint8_t *buf, size_t cap);

/* Returns the i-th closer node of a decoded reply, i < closer.len / 6. */
struct addr rpc_closer(const struct rpc_reply *m, size_t i);

#endif
