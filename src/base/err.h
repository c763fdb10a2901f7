/* SPDX-License-Identifier: ISC */
/*
 * err.h - every reason for which something is refused or fails.
 *
 * Core functions return 0 or one of these negative codes. A code that drops a
 * datagram is also a counter (stats.h), so an operator sees what strangers
 * send. Uses: nothing.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Bytes of a reason in words, which functions write to their "err". */
enum { ERR_REASON_MAX = 512 };

/* clang-format off */
/*    code              name           what is said of it */
#define ERR_LIST(X)                                                            \
	X(ERR_MALFORMED,    "malformed",    "the message breaks its format")       \
	X(ERR_VERSION,      "version",      "the protocol version is not ours")    \
	X(ERR_KIND,         "kind",         "the datagram is of no known kind")    \
	X(ERR_SIZE,         "size",         "the message or value is too long or too short") \
	X(ERR_PORT,         "port",         "the source port is 0")                \
	X(ERR_UNMATCHED,    "unmatched",    "the reply matches no request of ours")\
	X(ERR_SPOOFED,      "spoofed",      "the reply came from an address that was not asked") \
	X(ERR_PRIVATE,      "private",      "the address is private and the node is public") \
	X(ERR_BUDGET,       "budget",       "the sender has used up its budget")   \
	X(ERR_LIMIT,        "limit",        "a limit was reached")                 \
	X(ERR_INCOMPLETE,   "incomplete",   "the request lacks a field that it needs") \
	X(ERR_SIGNATURE,    "signature",    "the signature does not verify")       \
	X(ERR_TARGET,       "target",       "the target does not belong to the value") \
	X(ERR_TOKEN,        "token",        "the token is wrong or has expired")   \
	X(ERR_UNKNOWN,      "unknown",      "nothing is known under that name")    \
	X(ERR_EXISTS,       "exists",       "there is one already")                \
	X(ERR_SEQ_REUSED,   "seq-reused",   "another value is stored under that sequence number") \
	X(ERR_SEQ_LOW,      "seq-low",      "a later sequence number is stored")   \
	X(ERR_REFUSED,      "refused",      "the other node refused")              \
	X(ERR_TIMEOUT,      "timeout",      "no answer came")                      \
	X(ERR_NO_ANSWER,    "no-answer",    "the peer is offline, or does not serve this key") \
	X(ERR_CANCELLED,    "cancelled",    "it was cancelled")                    \
	X(ERR_UNREACHABLE,  "unreachable",  "no node of the network answered")     \
	X(ERR_NOT_FOUND,    "not-found",    "nothing was found")                   \
	X(ERR_BUSY,         "busy",         "too much is under way")               \
	X(ERR_FULL,         "full",         "the outgoing batch is full")          \
	X(ERR_TOO_BIG,      "too-big",      "the datagram exceeds the path's size") \
	X(ERR_ADDRESS_USED, "address-used", "the address or port is taken")        \
	X(ERR_SOCKET,       "socket",       "the socket could not be opened")      \
	X(ERR_PEER_REFUSED, "peer-refused", "the owner of the key refused the connection") \
	X(ERR_PEER_VERSION, "peer-version", "the peer speaks another version of the protocol") \
	X(ERR_PEER_BUSY,    "peer-busy",    "the peer has too much under way, try again later") \
	X(ERR_NO_PATH,      "no-path",      "the peer answered, but no path leads to it") \
	X(ERR_PUNCH,        "punch",        "no way of hole punching fits both networks") \
	X(ERR_NAT_UNKNOWN,  "nat-unknown",  "the NAT of one side could not be made out") \
	X(ERR_NAT_RANDOM,   "nat-random",   "the NATs of both sides choose ports at random") \
	X(ERR_ABORTED,      "aborted",      "the peer gave up hole punching")      \
	X(ERR_RESET,        "reset",        "the peer ended the stream abruptly")      \
	X(ERR_CLOSED,       "closed",       "the node is stopping")                \
	X(ERR_MEMORY,       "memory",       "out of memory")                       \
	X(ERR_VALUE,        "value",        "the value is not acceptable")
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

/* Short name for counters and JSON ("malformed"); "ok" for 0. Never NULL. */
const char *err_name(int err);

/* The same in words, without a full stop. Never NULL. */
const char *err_text(int err);

#endif
