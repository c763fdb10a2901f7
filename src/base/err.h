/* SPDX-License-Identifier: ISC */
/*
 * err.h - the error codes.
 *
 * Core functions return 0 or one of these negative codes. A code that drops a
 * datagram is also a counter (stats.h), so that an operator sees what arrives.
 * Uses: nothing.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* clang-format off */
/*    code              name           text */
#define ERR_LIST(X) \
	X(ERR_MALFORMED,    "malformed",     "the message breaks its format") \
	X(ERR_VERSION,      "version",       "the protocol version is not ours") \
	X(ERR_KIND,         "kind",          "the datagram is of no known kind") \
	X(ERR_SIZE,         "size",          "the message or value is too long or too short") \
	X(ERR_PORT,         "port",          "the source port is 0") \
	X(ERR_UNMATCHED,    "unmatched",     "the reply matches no request of ours") \
	X(ERR_SPOOFED,      "spoofed",       "the reply is from another address than the request") \
	X(ERR_PRIVATE,      "private",       "the address is private and the node is public") \
	X(ERR_BUDGET,       "budget",        "the sender has used up its budget") \
	X(ERR_LIMIT,        "limit",         "a limit was reached") \
	X(ERR_INCOMPLETE,   "incomplete",    "the request lacks a field that it needs") \
	X(ERR_SIGNATURE,    "signature",     "the signature does not verify") \
	X(ERR_TARGET,       "target",        "the target does not belong to the value") \
	X(ERR_TOKEN,        "token",         "the token is wrong or has expired") \
	X(ERR_UNKNOWN,      "unknown",       "nothing is known by that name") \
	X(ERR_EXISTS,       "exists",        "there is one already") \
	X(ERR_SEQ_REUSED,   "seq-reused",    "another value has that sequence number") \
	X(ERR_SEQ_LOW,      "seq-low",       "a later sequence number is stored") \
	X(ERR_REFUSED,      "refused",       "the other node refused") \
	X(ERR_TIMEOUT,      "timeout",       "no reply was received in time") \
	X(ERR_NO_ANSWER,    "no-answer",     "the peer is offline, or does not serve this key") \
	X(ERR_CANCELLED,    "cancelled",     "the operation was cancelled") \
	X(ERR_UNREACHABLE,  "unreachable",   "no node of the network answered") \
	X(ERR_NOT_FOUND,    "not-found",     "nothing was found") \
	X(ERR_BUSY,         "busy",          "too many operations are in progress") \
	X(ERR_FULL,         "full",          "the outgoing batch is full") \
	X(ERR_TOO_BIG,      "too-big",       "the datagram exceeds the path's size") \
	X(ERR_ADDRESS_USED, "address-used",  "the address or port is taken") \
	X(ERR_SOCKET,       "socket",        "the socket could not be opened") \
	X(ERR_PEER_REFUSED, "peer-refused",  "the owner of the key refused the connection") \
	X(ERR_PEER_VERSION, "peer-version",  "the peer uses another version of the protocol") \
	X(ERR_PEER_BUSY,    "peer-busy",     "the peer is busy, try again later") \
	X(ERR_NO_PATH,      "no-path",       "the peer answered, but no path leads to it") \
	X(ERR_PUNCH,        "punch",         "hole punching does not work between these NATs") \
	X(ERR_NAT_UNKNOWN,  "nat-unknown",   "the type of one NAT could not be determined") \
	X(ERR_NAT_RANDOM,   "nat-random",    "both NATs choose ports at random") \
	X(ERR_ABORTED,      "aborted",       "the peer gave up hole punching") \
	X(ERR_RELAY_UNREACHABLE, "relay-unreachable", "the relay could not be reached") \
	X(ERR_RELAY_REFUSED, "relay-refused", "the relay refused the pairing") \
	X(ERR_RELAY_TIMEOUT, "relay-timeout", "the peer did not connect to the relay in time") \
	X(ERR_RELAY_FULL,   "relay-full",    "the relay has as many clients as it accepts") \
	X(ERR_RELAY_SPENT,  "relay-spent",   "the relay has spent the volume that it gives") \
	X(ERR_RELAY_LOST,   "relay-lost",    "the relay has stopped forwarding") \
	X(ERR_RESET,        "reset",         "the peer ended the stream abruptly") \
	X(ERR_IDLE,         "idle",          "no data moved for as long as the listener allows") \
	X(ERR_CLOSED,       "closed",        "the node is stopping") \
	X(ERR_MEMORY,       "memory",        "out of memory") \
	X(ERR_VALUE,        "value",         "the value is not acceptable") \
	X(ERR_FILE,         "file",          "a file could not be read or written") \
	X(ERR_NOT_YOURS,    "not-yours",     "it belongs to another user")
/* clang-format on */

enum err_index {
	ERR_INDEX_NONE,
#define X(code, name, text) code##_INDEX,
	ERR_LIST(X)
#undef X
	    ERR_INDEX_MAX
};

enum err {
#define X(code, name, text) code = -code##_INDEX,
	ERR_LIST(X)
#undef X
};

/* Returns the name for counters and JSON ("malformed"), or "ok" for 0. */
const char *err_name(int err);

/* Returns the text of an error, without a full stop. */
const char *err_text(int err);

#endif
