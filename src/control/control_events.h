/* SPDX-License-Identifier: ISC */
/*
 * control_events.h - sends events to the clients that watch them.
 *
 * Sending may close a client, which ends its operations and connections. Events
 * of connections are therefore queued and sent by the event loop, so that they
 * can be reported from anywhere. The queue holds no more than
 * CONTROL_EVENTS_MAX; what comes while it is full is lost, and logged.
 */
#ifndef CONTROL_CONTROL_EVENTS_H
#define CONTROL_CONTROL_EVENTS_H

#include <stdint.h>

#include <sys/queue.h>

#include "base/addr.h"
#include "crypto/keys.h"
#include "node/node_conn.h"

struct control;
struct node_event;

enum { CONTROL_EVENTS_MAX = 1024 };

struct event;
struct event_base;
struct queued_event;

struct control_events {
	STAILQ_HEAD(, queued_event) queue;
	uint32_t len;
	uint32_t lost; /* since the queue was last empty */
	struct event *send;
};

/* Returns 0 or ERR_MEMORY. */
int control_events_init(struct control *c);
void control_events_fini(struct control *c);

/* Sends the event of the node, if it is one that clients can watch. */
void control_events_node(struct control *c, const struct node_event *n);

/* Sends "stopping". */
void control_events_stopping(struct control *c);

enum control_change {
	CONTROL_OPENED,
	CONTROL_MOVED,
	CONTROL_CLOSED,
	CONTROL_REFUSED,
};

/* What has happened to a connection. */
struct control_conn_event {
	enum control_change change;
	uint32_t conn;     /* 0: refused before it had a number */
	uint32_t listener; /* 0: dialed */
	uint8_t key[KEY_LEN];
	struct addr addr;         /* family none: unknown */
	enum conn_path_kind path; /* CONN_PATH_NONE: none yet */
	int err;
};

/* Queues "connection". */
void control_events_conn(struct control *c, const struct control_conn_event *e);

/* Queues "offer": the connection waits for an answer. */
void control_events_offer(
    struct control *c, const struct control_conn_event *e);

/* Returns the name of a kind of path, or NULL for CONN_PATH_NONE. */
const char *control_path_name(enum conn_path_kind path);

#endif
