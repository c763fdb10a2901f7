/* SPDX-License-Identifier: ISC */
/*
 * conn.h - one connection: a UDX stream, the secret stream on it, its state.
 *
 *	new ----conn_complete_handshake----> proving ----header verified----> open
 *	 |                          |                               |
 *	 +----------- conn_fail, deadline of dialer or listener ----+--> closed
 *
 * Begins with a UDX id for the handshake; gets the handshake's result; then
 * paths are offered. It goes by the first one at once and knocks at the others
 * (each packet carries the peer's stream id, so only the peer can make sense
 * of it); a packet for our stream from an address that nobody offered is
 * an offer too, as long as nothing is proved. The path over which the peer's
 * header comes, and opens, wins; only then the connection is open (pitfall H6).
 *
 * The table of struct peers owns every connection, from conn_new() to the end;
 * others hold its number. Uses: base, crypto, udx, stream.
 */
#ifndef PEER_CONN_H
#define PEER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/noise.h"
#include "peer/peer.h"

enum conn_path_kind {
	CONN_PATH_NONE,
	CONN_PATH_DIRECT, /* to an open address */
	CONN_PATH_LAN,
	CONN_PATH_PUNCHED,
	CONN_PATH_RELAYED,
};

struct conn_spec {
	const uint8_t *key;         /* of the peer; copied */
	const uint8_t *own_key;     /* copied */
	const struct key_pair *own; /* of one that is dialed; borrowed */
	uint32_t listener;          /* through which it comes; 0: dialed */
	bool mends; /* only finds a path for others: nobody hears of it */
	/*
	 * Called once, when it opens (err 0) or ends before that, to whoever
	 * works on it: dialer, listener, puncher. It is still there then, and
	 * must not be closed from inside. Or NULL.
	 */
	void (*settled)(void *owner, struct conn *c, int err);
	void *owner;
};

/* Or NULL and *err: ERR_LIMIT (connections), ERR_MEMORY. */
struct conn *conn_new(struct peers *p, const struct conn_spec *spec, int *err);

uint32_t conn_number(const struct conn *c);

/* Our stream's id, for the payload of the handshake. */
uint32_t conn_udx_id(const struct conn *c);

bool conn_mends(const struct conn *c);

/* Tells PEER_OFFER: the application decides. The peer is said to be there. */
void conn_offer(struct conn *c, const struct addr *said);

/* Nobody is told any more of how it ends: the owner has let go of it. */
void conn_disown(struct conn *c);

/* How long the dialer's handshake took there and back; before a path. */
void conn_set_rtt(struct conn *c, uint64_t rtt_us);

/*
 * The handshake's result: copies the secrets, starts the secret stream. From
 * now on packets for our stream connect it. 0, ERR_MEMORY, ERR_EXISTS if there
 * was one already, ERR_RESET if the peer has ended the stream in this moment.
 */
int conn_complete_handshake(struct conn *c, const struct noise_secrets *s, bool initiator,
    uint32_t peer_udx_id);

/*
 * Offers a path, after conn_complete_handshake(): our socket, the peer's address. Nothing
 * if the connection is open; one that is offered already is knocked at again.
 */
void conn_add_path(
    struct conn *c, enum conn_path_kind kind, int sock, const struct addr *to);

/* The peer is of this project, as it says. */
void conn_set_native(struct conn *c);

/*
 * Its peer lets further connections begin over the path of this one, without
 * asking anybody else, as we do; protocol 03 §8.5.
 */
void conn_set_reusable(struct conn *c);

/* An open one to that key of which this was said, or NULL. */
struct conn *conn_to_reuse(const struct peers *p, const uint8_t *key);

/* A path was offered, or the peer came by one. */
bool conn_has_path(const struct conn *c);

/*
 * The socket by which its stream goes, or WORLD_NO_SOCK: to be left open by
 * whoever opened it. The connection closes it in its time.
 */
int conn_sock(const struct conn *c);

/*
 * Ends it with this reason, at once, and resets the peer. PEER_CLOSED is told
 * if the application knows of it: dialed, offered, or open before. c is still
 * there until the next peers_poll().
 */
void conn_fail(struct conn *c, int err);

/* ---- for the application ---- */

/* The next bytes, decrypted; borrowed until the next call. len 0: none now. */
struct bytes conn_peek(struct conn *c);
void conn_consume(struct conn *c, size_t len);

/* The peer has ended and all was consumed. */
bool conn_ended(const struct conn *c);

/* Bytes that a write takes now. */
size_t conn_write_space(const struct conn *c);

/* How many were taken, or ERR_CLOSED, ERR_MEMORY. */
ptrdiff_t conn_write(struct conn *c, const void *p, size_t len);

/* Bytes that were written and that the peer has not got, for all we know. */
uint64_t conn_unacked(const struct conn *c);

/* Our side ends after what was written. */
void conn_end(struct conn *c);

/* At once, and nothing more is told of it. c is gone. */
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

#endif
