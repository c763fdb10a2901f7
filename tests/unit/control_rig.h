/* SPDX-License-Identifier: ISC */
/*
 * control_rig.h - test fixture: the control socket above a fake node.
 *
 * The real control files run on a real socket and event loop; node and daemon
 * are fakes (control_node.c), so that a test decides which events occur and
 * what connections carry. Clients are sockets of the test.
 */
#ifndef TESTS_CONTROL_RIG_H
#define TESTS_CONTROL_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/control.h"
#include "control/control_server.h"
#include "node/node_conn.h"
#include "punch/netcheck.h"
#include "store/keyring.h"
#include "store/state.h"
#include "store/peer_names.h"
#include "store/stored_announcements.h"
#include "tunnel/tunnels.h"

enum { EVENTS_MAX = 512, MADE_CONNS_MAX = 8, MADE_BYTES_MAX = 1 << 21 };

/* A connection of the fake node. */
struct made_conn {
	bool used, ended_here, ended_there, closed;
	size_t room;            /* bytes that writes accept */
	size_t lied;            /* promised beyond that */
	int fails;              /* what writes return, if not 0 */
	size_t in_len, in_used; /* from the peer */
	size_t out_len;         /* to the peer */
	uint64_t waiting;       /* of them, not acknowledged */
	uint8_t in[MADE_BYTES_MAX], out[MADE_BYTES_MAX];
};

struct node {
	uint32_t last_op;
	uint32_t cancelled[1024], cancelled_len;
	struct node_event queue[EVENTS_MAX];
	size_t queue_len;
	uint32_t nodes; /* in the routing table */
	struct netcheck_result netcheck;
	struct mapping mapping;
	bool lifetime; /* passed to the last node_netcheck() */
	bool local;    /* every address is the machine's own */
	bool stopped, reload_fails;

	/* What the last node_listen() and node_connect() received. */
	int refuse; /* what they return, 0: they work */
	uint8_t own_key[KEY_LEN], key[KEY_LEN];
	size_t allow_len, relays_len;
	uint8_t allow[KEY_LEN];
	bool ask;
	struct peers_listen_limits listen_limits;
	uint32_t timeout_ms;
	uint32_t retry_ms;  /* after which a second dial may succeed */
	bool names_relay;   /* in that dial */
	bool named_by_user; /* the last dial had a relay_through */
	uint32_t unlistened, answered; /* the last; 0: none */
	unsigned roles;                /* of the last node_swarm_join() */
	uint32_t left;                 /* the last session; 0: none */
	uint8_t shared[KEY_LEN];       /* topic of every peer */
	bool answer;
	uint64_t seq; /* of the last node_put_mutable() */
	uint32_t operations_limit, listeners_limit, announcements_limit;
	uint32_t connections_limit;
	uint32_t listed; /* connections, listeners and attempts to show */
	struct udx_stream *traced; /* of connection 1; NULL: there is none */
};

/* What the daemon owns besides the node. */
struct made_daemon {
	struct event_base *base;
	struct control *control;
	struct state state;
	struct keyring keyring;
	struct stored_announcements announcements;
	struct peer_names names;
	struct tunnels tunnels;
	char path[108]; /* of the control socket */
};

/* The fixture of a test; set_up() starts it anew. */
struct control_rig {
	struct node node;
	struct made_conn conns[MADE_CONNS_MAX]; /* by number */
	struct made_daemon daemon;
	struct key_pair identity;
	char dir[64];
	struct fault fault; /* of the last function that failed */
};

extern struct control_rig rig;

/*
 * Opens a control socket for d at d->path. Returns NULL and sets rig.fault on
 * failure.
 */
struct control *made_control(struct made_daemon *d);

/* Prepares the tunnels of the rig. */
void make_tunnels(void);

/* Queues an event of the node; deliver_event() also delivers all queued. */
void queue_event(const struct node_event *n);
void deliver_event(const struct node_event *n);

/* Creates an open connection of that number, without an event. */
struct made_conn *open_made_conn(uint32_t number);

/* ---- a client ---- */

struct peer_end {
	int fd;
	char buf[1 << 17];
	size_t len;
	bool end;
};

struct peer_end *client_new(void);
void client_free(struct peer_end *p);
void run_loop(void);
int open_socket(const char *path);

void client_write(struct peer_end *p, const char *text, size_t len);
void client_write_line(struct peer_end *p, const char *line);

/* Returns the next message, or NULL if the daemon has closed the connection. */
json_t *client_read(struct peer_end *p);
json_t *client_call(struct peer_end *p, const char *line);

/* Sends a request and asserts that it fails with that code, or succeeds. */
void assert_error(struct peer_end *p, const char *line, int code);
void assert_result(struct peer_end *p, const char *line);

/* ---- set-up ---- */

void set_up(void);
void tear_down(void);

#endif
