/* SPDX-License-Identifier: ISC */
/*
 * relay_service.h - the blind relay of this node, protocol 06 §C.1.
 *
 * A listener of its own accepts the control connections of clients, which the
 * application does not see. relay_server.h decides who is paired; here the
 * streams of each pair are created, connected and ended. A stream sends only to
 * where its client's first packet comes from, on the host of the client's
 * control connection. Uses: base, relay, udx.
 */
#ifndef PEER_RELAY_SERVICE_H
#define PEER_RELAY_SERVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "crypto/keys.h"
#include "relay/relay_server.h"
#include "relay/relay_volume.h"

struct conn;
struct peers;
struct relay_link;
struct udx_stream;

struct relay_service {
	struct relay_server *server;        /* NULL: never started */
	uint32_t listener;                  /* 0: off */
	TAILQ_HEAD(, relay_link) lingering; /* oldest first */
	uint32_t lingering_len;
	struct relay_volume volume;
	uint8_t (*friends)[KEY_LEN]; /* owned */
	size_t friends_len;
};

struct peers_relay {
	const struct key_pair *keys; /* borrowed for the life of peers */
	/* The keys that may use the relay; none: all. Copied. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	/* Keys without a share of their network or key. Copied. */
	const uint8_t (*friends)[KEY_LEN];
	size_t friends_len;
};

void relay_service_init(struct relay_service *r, const struct core *core);

/* Frees it after all connections. */
void relay_service_fini(struct peers *p);

/* Starts to relay. Returns 0 or an error of peers_listen(). */
int peers_relay_start(struct peers *p, const struct peers_relay *spec);

/* Stops: ends all control connections and with them what they relay. */
void peers_relay_stop(struct peers *p);

/* Writes zeros while the relay is off. */
void peers_relay_status(const struct peers *p, struct relay_server_status *out);

/* Returns what the relay may receive and send. Never NULL. */
struct relay_volume *peers_relay_volume(struct peers *p);

/* ---- for conn.c and peer.c ---- */

/* Reads and sends what is pending on a control connection. May fail it. */
void relay_service_run(struct conn *k);

/* Ends the session of a connection that is being closed, if it has one. */
void relay_service_leave(struct conn *k);

/* Handles the events of a relay's stream. */
void relay_service_on_events(
    struct peers *p, struct udx_stream *stream, unsigned events);

#endif
