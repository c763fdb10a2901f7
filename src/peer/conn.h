/* SPDX-License-Identifier: ISC */
/*
 * conn.h - one connection: a UDX stream, the secret stream on it, its state.
 *
 *	NEW
 *	 |  conn_complete_handshake()
 *	PROVING
 *	 |  the peer's header is verified
 *	OPEN ------------------------.
 *	 |  the peer ends its side   |
 *	REMOTE_ENDED                 |  both sides have ended,
 *	 |                           |  bytes are unread
 *	 '---------> DRAINING <------'
 *	                 |  all is read
 *	              CLOSED   (from each state: error, conn_fail())
 *
 * The handshake uses the id of the UDX stream. Its result starts the secret
 * stream; then path candidates are added. The stream uses the first one at
 * once and probes the others: each packet carries the stream id of its
 * receiver, so no other host can use it. The source address of a packet for
 * our stream is a candidate too until the peer has proved itself. The path
 * over which the peer's header was received and verified wins; only then the
 * connection is open (pitfall H6).
 *
 * struct peers owns every connection, from conn_new() to its end; others keep
 * the number. Uses: base, crypto, udx, stream.
 */
#ifndef PEER_CONN_H
#define PEER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/noise.h"
#include "peer/peer.h"

struct udx_trace;

/* Purpose of a connection. The application sees only the first kind. */
enum conn_purpose {
	CONN_FOR_APPLICATION,
	CONN_FOR_REDIAL, /* finds a new path: conn_redial.h */
	CONN_FOR_RELAY,  /* controls a blind relay: relay_control.h */
	/* A client controls the blind relay of this node: relay_service.h */
	CONN_OF_RELAY_CLIENT,
};

struct conn_spec {
	const uint8_t *key;         /* of the peer; copied */
	const uint8_t *own_key;     /* copied */
	const struct key_pair *own; /* if dialed; borrowed */
	uint32_t listener;          /* that accepts it; 0: dialed */
	enum conn_purpose purpose;
	/*
	 * Notifies the owner (dialer, listener) once, when the connection
	 * opens (err 0) or fails before that. The connection still exists then
	 * and must not be closed from inside. May be NULL.
	 */
	void (*settled)(void *owner, struct conn *c, int err);
	void *owner;
};

/* Returns a new connection, or NULL and sets *err: ERR_LIMIT (connections,
 * unless a listener accepts it: see conn_slot.h), ERR_MEMORY. */
struct conn *conn_new(struct peers *p, const struct conn_spec *spec, int *err);

uint32_t conn_number(const struct conn *c);

/* Returns the id of our stream, for the payload of the handshake. */
uint32_t conn_udx_id(const struct conn *c);

bool conn_is_redial(const struct conn *c);

/* Queues PEER_OFFER: the application decides. `addr` is reported as the
 * peer's address. */
void conn_offer(struct conn *c, const struct addr *addr);

/* Detaches the owner: settled() will not be called for this connection. */
void conn_disown(struct conn *c);

/* Sets the round-trip time of the dialer's handshake. Call it before a path is
 * added. */
void conn_set_rtt(struct conn *c, uint64_t rtt_us);

/*
 * Sets the features that the peer lists in its payload: it is a node of this
 * project; it accepts further handshakes over the path of this connection
 * (protocol 03 §8.5), as we do.
 */
void conn_set_features(struct conn *c, uint64_t features);

/*
 * Applies the result of the handshake: copies the secrets and starts the
 * secret stream. From now on packets for our stream connect it. Returns 0,
 * ERR_MEMORY, ERR_EXISTS if it was called before, or ERR_RESET if the peer has
 * ended the stream in this moment.
 */
int conn_complete_handshake(struct conn *c, const struct noise_secrets *s,
    bool initiator, uint32_t peer_udx_id);

/*
 * Adds a path candidate after conn_complete_handshake(): our socket, the
 * peer's address. Probes it again if it is known; does nothing if the
 * connection is open.
 */
void conn_add_path(
    struct conn *c, enum conn_path_kind kind, int sock, const struct addr *to);

/* Accepts packets from any port of a host that the peer named in the sealed
 * handshake, until its header is verified: it may send from another socket than
 * the one it named. */
void conn_allow_host(struct conn *c, const struct addr *host);

/* Returns an open connection to that key over whose path a handshake may be
 * sent, or NULL. */
struct conn *conn_to_reuse(const struct peers *p, const uint8_t *key);

/* Reports that an open connection uses another path now. */
void conn_report_move(struct conn *c);

/* Returns true if there is a path candidate. */
bool conn_has_path(const struct conn *c);

/*
 * Returns the socket of the current path, or WORLD_NO_SOCK. The module that
 * opened it leaves it open; the connection closes it.
 */
int conn_sock(const struct conn *c);

/*
 * Fails the connection at once and resets the peer. Queues PEER_CLOSED if the
 * connection is visible to the application: dialed, offered or open before.
 * c stays valid until the next peers_poll().
 */
void conn_fail(struct conn *c, int err);

/* ---- for the application ---- */

/* Returns the next decrypted bytes, borrowed until the next call; length 0:
 * none now. */
struct bytes conn_peek(struct conn *c);
void conn_consume(struct conn *c, size_t len);

/* Returns true if the peer has ended its side and all was consumed. */
bool conn_ended(const struct conn *c);

/* Returns the number of bytes that a write accepts now. */
size_t conn_write_space(const struct conn *c);

/* Returns how many bytes were accepted, or ERR_CLOSED, ERR_MEMORY. */
ptrdiff_t conn_write(struct conn *c, const void *p, size_t len);

/* Returns the number of bytes written that the peer has not acknowledged. */
uint64_t conn_unacked(const struct conn *c);

/* Sends an empty frame, so that a dead connection is noticed. */
void conn_send_empty(struct conn *c);

/* Returns whether both sides have sent a frame after the header. */
bool conn_has_exchanged(const struct conn *c);

/* Ends our side after what was written. */
void conn_end(struct conn *c);

/* Closes the connection at once and frees it; no event follows. */
void conn_close(struct conn *c);

struct conn_status {
	uint32_t number, listener;
	const uint8_t *key, *own_key; /* borrowed */
	bool open;
	enum conn_path_kind path;
	struct addr remote;
	uint64_t age_us;
	struct udx_status udx;
};

void conn_status(const struct conn *c, struct conn_status *out);

/* Starts to trace its stream, see udx_trace_start(). */
struct udx_trace *conn_trace(struct conn *c, int *err);

#endif
