/* SPDX-License-Identifier: ISC */
/*
 * node_conn.h - encrypted streams between public keys, as a node offers them.
 *
 * A listener makes one of our keys reachable; a connection is a two-way byte
 * stream with another key, dialed or accepted. Both have numbers, never 0,
 * which are not reused while a caller may still hold them. Events (node.h)
 * carry the number as `op`; peek, consume and write move the bytes, which never
 * pass through the event queue. Uses: base, crypto, peer.
 */
#ifndef NODE_NODE_CONN_H
#define NODE_NODE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"
#include "crypto/keys.h"
#include "peer/dial_record.h"
#include "peer/listener.h"

struct node;
struct node_event;
struct udx_trace;

/* Converts the oldest event of the connections and listeners to *out; returns
 * false if there is none. For node_poll() alone. */
bool node_conn_poll(struct node *n, struct node_event *out);

/* ---- listening ---- */

struct node_listen {
	/* Borrowed until NODE_EV_UNLISTENED. One listener for each key. */
	const struct key_pair *keys;
	/* Keys that may connect, copied; none: any key. Others get no reply. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	/* Each connection waits for node_answer() after NODE_EV_OFFER. A peer
	 * whose offer expires gets no reply; one that is refused gets one. */
	bool ask;
	/* Of the connections of this listener; see peer/listener.h. */
	struct peers_listen_limits limits;
	/* Key of the blind relay to name, copied; NULL: that of the node. */
	const uint8_t *relay_through;
};

/*
 * Starts to listen and stores the number of the listener. Returns 0 or
 * ERR_EXISTS, ERR_LIMIT, ERR_CLOSED or ERR_MEMORY. NODE_EV_LISTENING reports
 * each change of the set of nodes that forward to us (stored: how many; err:
 * why there are none).
 */
int node_listen(
    struct node *n, const struct node_listen *l, uint32_t *listener);

/* Withdraws the announcement; connections stay. NODE_EV_UNLISTENED ends it. */
void node_unlisten(struct node *n, uint32_t listener);

/* Accepts or refuses a NODE_EV_OFFER; ignores an unknown or expired one. */
void node_answer(struct node *n, uint32_t conn, bool accept);

/* ---- connecting ---- */

struct node_connect {
	const uint8_t *key;          /* of the peer; copied */
	const struct key_pair *keys; /* ours, borrowed until NODE_EV_CLOSED or
					node_conn_close(), for new paths;
					NULL: the node's identity */
	const struct addr *relays;   /* nodes that may know the peer; copied */
	size_t relays_len;
	/* Key of the blind relay to name, copied; NULL: that of the node. */
	const uint8_t *relay_through;
	uint32_t timeout_ms; /* overall; 0: 30 s (protocol 03 §8.1) */
};

/*
 * Dials a key and stores the number of the connection. Returns 0, then
 * NODE_EV_OPEN or NODE_EV_CLOSED follows; or ERR_LIMIT, ERR_CLOSED, ERR_MEMORY
 * or ERR_VALUE (no valid key), then no event follows.
 */
int node_connect(struct node *n, const struct node_connect *c, uint32_t *conn);

/*
 * Returns the time in milliseconds after which another node_connect() may open
 * through a relay, which is being sought, after one to the same key has ended
 * with err; 0: none is sought. node_names_relay() is true then if that dial
 * will name one that was found.
 */
uint32_t node_retry_ms(const struct node *n, int err);
bool node_names_relay(struct node *n, const uint8_t *key);

/* ---- an open connection's bytes ---- */

/*
 * Returns the decrypted bytes received so far, borrowed until the next call for
 * this connection; len 0: none now. NODE_EV_READY follows when there are more.
 */
struct bytes node_conn_peek(struct node *n, uint32_t conn);
void node_conn_consume(struct node *n, uint32_t conn, size_t len);

/* Returns whether the peer has ended its side and all bytes were consumed. */
bool node_conn_ended(struct node *n, uint32_t conn);

/*
 * Returns the number of bytes that a write would accept now. If it is 0,
 * NODE_EV_READY follows when there is space.
 */
size_t node_conn_space(struct node *n, uint32_t conn);

/* Returns the number of bytes accepted, or ERR_CLOSED. */
ptrdiff_t node_conn_write(
    struct node *n, uint32_t conn, const void *p, size_t len);

/* Returns the bytes written that the peer has not acknowledged. */
uint64_t node_conn_waiting(struct node *n, uint32_t conn);

/* Ends our side after the bytes already written. */
void node_conn_end(struct node *n, uint32_t conn);

/* Resets the connection at once, also while dialing. No events follow. */
void node_conn_close(struct node *n, uint32_t conn);

/* ---- status ---- */

struct node_conn {
	uint32_t conn, listener; /* listener 0: dialed */
	uint8_t key[KEY_LEN];    /* of the peer */
	uint8_t own_key[KEY_LEN];
	bool open;
	enum conn_path_kind path; /* none: still dialing */
	struct addr remote;
	uint64_t rtt_us, bytes_in, bytes_out, packets_out, resent, age_us;
};

/*
 * Copies the connection that follows the one of number `after` (0: the oldest)
 * to *out, or returns false at the end. Any number is valid, also that of a
 * connection that has ended since.
 */
bool node_conn(const struct node *n, uint32_t after, struct node_conn *out);

/*
 * Starts to trace the stream of a connection. The caller reads the trace with
 * the functions of udx/udx_trace.h, and must stop it before node_free().
 * Returns NULL and sets *err on failure: ERR_UNKNOWN, or as udx_trace_start().
 */
struct udx_trace *node_conn_trace(struct node *n, uint32_t conn, int *err);

struct node_listener {
	uint32_t listener;
	uint8_t key[KEY_LEN];
	bool announced;
	uint32_t relays_len; /* nodes that forward to us */
	uint32_t accepted, refused, conns_len;
	uint64_t age_us;
};

/* Does the same for listeners. */
bool node_listener(
    const struct node *n, uint32_t after, struct node_listener *out);

/*
 * A dial with its steps in order of time, for `dhtctl explain`. A bounded
 * number of them is kept; the oldest is dropped first.
 */
struct node_attempt {
	uint32_t number; /* of the attempt */
	uint8_t key[KEY_LEN];
	uint32_t conn;
	uint64_t age_us;               /* since it began */
	int err;                       /* 0: open, or under way */
	const struct dial_step *steps; /* borrowed until the next call */
	uint32_t steps_len, steps_lost;
};

/* Copies the attempt for the key (NULL: any) that precedes the one of number
 * `before` (0: the latest). Returns false at the end. */
bool node_attempt(const struct node *n, const uint8_t *key, uint32_t before,
    struct node_attempt *out);

#endif
