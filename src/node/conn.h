/* SPDX-License-Identifier: ISC */
/*
 * conn.h - encrypted streams between public keys, as a node offers them.
 *
 * A listener makes one of our keys reachable; a connection is a two-way byte
 * stream with another key, dialed or accepted. Both are numbers, never 0, and
 * not given out again while anybody may still hold them. What happens comes as
 * news (node.h), op being the number; bytes are moved by peek, consume and
 * write, never copied through the queue. Uses: base, crypto, peer.
 */
#ifndef NODE_CONN_H
#define NODE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"
#include "crypto/keys.h"
#include "peer/dial_record.h"

struct node;

/* ---- listening ---- */

struct node_listen {
	/* Borrowed until NEWS_UNLISTENED. ERR_EXISTS if it listens already. */
	const struct key_pair *keys;
	/* Who may connect; none: everybody. Copied. Others get silence. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	/* Each connection waits for node_answer() after NEWS_OFFER, which the
	 * peer is told of only if it is refused explicitly. */
	bool ask;
};

/*
 * 0 and the listener's number; ERR_EXISTS, ERR_LIMIT, ERR_CLOSED, ERR_MEMORY.
 * NEWS_LISTENING comes each time the set of nodes that forward to us has
 * changed (stored: how many; err: why there are none).
 */
int node_listen(
    struct node *n, const struct node_listen *l, uint32_t *listener);

/* Withdraws the announcement; connections stay. NEWS_UNLISTENED ends it. */
void node_unlisten(struct node *n, uint32_t listener);

/* Says yes or no to NEWS_OFFER; unknown or late: nothing. */
void node_answer(struct node *n, uint32_t conn, bool accept);

/* ---- connecting ---- */

struct node_connect {
	const uint8_t *key;          /* of the peer; copied */
	const struct key_pair *keys; /* ours, borrowed until NEWS_CLOSED or
					node_conn_close(), for new paths;
					NULL: the node's identity */
	const struct addr *relays;   /* nodes that may know the peer; copied */
	size_t relays_len;
	uint32_t timeout_ms; /* overall; 0: 30 s (protocol 03 §8.1) */
};

/*
 * 0 and the connection's number, then NEWS_OPEN or NEWS_CLOSED; or
 * ERR_LIMIT, ERR_CLOSED, ERR_MEMORY, ERR_VALUE (no valid key).
 */
int node_connect(struct node *n, const struct node_connect *c, uint32_t *conn);

/* ---- an open connection's bytes ---- */

/*
 * What has arrived, decrypted: borrowed until the next call for this
 * connection. len 0: nothing now. NEWS_READY comes when there is more.
 */
struct bytes node_conn_peek(struct node *n, uint32_t conn);
void node_conn_consume(struct node *n, uint32_t conn, size_t len);

/* The peer has ended and all was consumed. */
bool node_conn_ended(struct node *n, uint32_t conn);

/* Bytes that a write would take now; NEWS_READY comes when it was 0. */
size_t node_conn_room(struct node *n, uint32_t conn);

/* Returns how many of the bytes were taken, or ERR_CLOSED. */
ptrdiff_t node_conn_write(
    struct node *n, uint32_t conn, const void *p, size_t len);

/* Bytes that were written and that the peer has not got, for all we know. */
uint64_t node_conn_waiting(struct node *n, uint32_t conn);

/* Our side ends after what was written. */
void node_conn_end(struct node *n, uint32_t conn);

/* At once, also while dialing: the peer sees a reset. No news follow. */
void node_conn_close(struct node *n, uint32_t conn);

/* ---- what may be asked ---- */

struct node_conn {
	uint32_t conn, listener; /* listener 0: dialed */
	uint8_t key[KEY_LEN];    /* of the peer */
	uint8_t own_key[KEY_LEN];
	bool open;
	enum conn_path_kind path; /* none: still dialing */
	struct addr remote;
	uint64_t rtt_us, bytes_in, bytes_out, packets_out, resent, age_us;
};

/* The i-th connection; false if there is none. */
bool node_conn(const struct node *n, uint32_t i, struct node_conn *out);

struct node_listener {
	uint32_t listener;
	uint8_t key[KEY_LEN];
	bool announced;
	uint32_t relays_len; /* nodes that forward to us */
	uint32_t accepted, refused;
	uint64_t age_us;
};

bool node_listener(const struct node *n, uint32_t i, struct node_listener *out);

/*
 * The last attempts to connect, for `dhtctl explain`: steps in order of time.
 * Kept for a bounded number of attempts, oldest forgotten first.
 */
struct node_attempt {
	uint8_t key[KEY_LEN];
	uint32_t conn;
	uint64_t age_us;               /* since it began */
	int err;                       /* 0: open, or under way */
	const struct dial_step *steps; /* borrowed until the next call */
	uint32_t steps_len, steps_lost;
};

/* The i-th attempt for the key (NULL: any), latest first; false at the end. */
bool node_attempt(const struct node *n, const uint8_t *key, uint32_t i,
    struct node_attempt *out);

#endif
