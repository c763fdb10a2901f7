/* SPDX-License-Identifier: ISC */
/*
 * control_client.h - one client of the control socket: reads its requests,
 * queues messages for it, and hands its connection over to a stream.
 *
 * A client is freed only from its own event callbacks and by control_free(),
 * never from within a call that may have been made on its behalf.
 */
#ifndef CONTROL_CONTROL_CLIENT_H
#define CONTROL_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/line.h"
#include "control/control_peer.h"

struct bufferevent;
struct control;
struct control_conn;

/* A client only moves forward through its states. */
enum control_client_state {
	CONTROL_CLIENT_OPEN,      /* its lines are requests */
	CONTROL_CLIENT_UPGRADING, /* further bytes belong to a stream to come */
	CONTROL_CLIENT_JOINING,   /* its stream begins after what is queued */
	CONTROL_CLIENT_CLOSING,   /* what is queued is sent, then it is freed */
};

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct control *control;
	struct bufferevent *bev;
	struct line_cutter cutter;
	struct control_peer peer;
	struct control_user *user; /* counts it; NULL: memory was exhausted */
	enum control_client_state state;
	bool input_ended; /* it has shut down its sending side */
	bool dropped;     /* CONTROL_CLIENT_CLOSING: its requests end soon */
	uint32_t operations_len;
	uint32_t watched;          /* set of enum api_event, as bits */
	json_t *watch_id;          /* owned: id of the latest watch request */
	struct control_conn *conn; /* CONTROL_CLIENT_JOINING: borrowed */
};

TAILQ_HEAD(control_clients, control_client);

struct control_client_list {
	struct control_clients all;
	uint32_t len;
};

/* Takes ownership of the descriptor and sends the greeting. */
void control_client_new(
    struct control *c, int fd, const struct control_peer *peer);
void control_client_free(struct control_client *cl);

/* Writes what the socket accepts at once, for a client about to be freed. */
void control_client_flush(struct control_client *cl);

/* Ends its operations and listeners, and frees it once its queue is sent. */
void control_client_close(struct control_client *cl);

/* Makes its connection the stream of conn once its queue is sent. */
void control_client_join(struct control_client *cl, struct control_conn *conn);

/* Returns whether more than CLIENT_QUEUE_HIGH_BYTES wait for it to read: then
 * what can wait had better do so. */
bool control_client_is_behind(const struct control_client *cl);

/*
 * Queues a message and takes the reference. NULL (memory was exhausted) drops
 * the client, as does a queue that has grown too long: what the client holds
 * ends later, from the event loop, so that the caller may go on to use it.
 */
void control_client_send(struct control_client *cl, json_t *message);

#endif
