/* SPDX-License-Identifier: ISC */
/*
 * control_rig.h - the control socket above a made-up node, for its tests.
 *
 * The real control files on a real socket and loop; node and daemon are made
 * up (control_node.c), so that news come when a test wants, and connections
 * carry what a test puts in. Clients are sockets of the test's own.
 */
#ifndef TESTS_CONTROL_RIG_H
#define TESTS_CONTROL_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/control.h"
#include "control/control_client.h"
#include "punch/netcheck.h"
#include "store/keyring.h"
#include "store/state.h"

enum { NEWS_QUEUE = 64, MADE_CONNS_MAX = 8, MADE_BYTES_MAX = 1 << 21 };

/* A connection, as the node would have it. */
struct made_conn {
	bool used, ended_here, ended_there, closed;
	size_t room;            /* bytes that writes may still take */
	size_t lied;            /* more than that is promised */
	int fails;              /* what writes return, if not 0 */
	size_t in_len, in_used; /* from the peer */
	size_t out_len;         /* to the peer */
	uint64_t waiting;       /* of them, not acknowledged */
	uint8_t in[MADE_BYTES_MAX], out[MADE_BYTES_MAX];
};

struct node {
	uint32_t last_op;
	uint32_t cancelled[CONNS_MAX], cancelled_len;
	struct news queue[NEWS_QUEUE];
	size_t queue_len;
	uint32_t nodes; /* in the routing table */
	struct netcheck_result netcheck;
	struct mapping mapping;
	bool lifetime; /* asked for by the last node_netcheck() */
	bool local;    /* every address is the machine's own */
	bool stopped, reload_fails;

	/* What the last node_listen() and node_connect() were given. */
	int refuse; /* what they return, 0: they work */
	uint8_t own_key[KEY_LEN], key[KEY_LEN];
	size_t allow_len, relays_len;
	uint8_t allow[KEY_LEN];
	bool ask;
	uint32_t timeout_ms;
	uint32_t unlistened, answered; /* the last; 0: none */
	bool answer;
	uint32_t listed; /* connections, listeners and attempts to show */
};

/* What the daemon has besides the node. */
struct made_daemon {
	struct event_base *base;
	struct control *control;
	struct state state;
	struct keyring keyring;
	char path[108]; /* of the control socket */
};

extern struct node node;
extern struct made_conn made[MADE_CONNS_MAX]; /* by number */
extern struct made_daemon daemon_;
extern struct key_pair identity;
extern char dir[64], err[ERR_REASON_MAX];

/* Opens a control socket for d at d->path; NULL with the reason in err. */
struct control *made_control(struct made_daemon *d);

/* Queues news of the node, and hands out all that is queued. */
void push(const struct news *n);
void tell(const struct news *n);

/* Makes an open connection of that number; its news is the test's to tell. */
struct made_conn *made_open(uint32_t number);

/* ---- a client ---- */

struct peer_end {
	int fd;
	char buf[1 << 17];
	size_t len;
	bool end;
};

struct peer_end *client_new(void);
void client_free(struct peer_end *p);
void turn_loop(void);
int connect_to(const char *path);

void say(struct peer_end *p, const char *text, size_t len);
void say_line(struct peer_end *p, const char *line);

/* The next message, or NULL if the other end has hung up. */
json_t *hear(struct peer_end *p);
json_t *ask(struct peer_end *p, const char *line);

/* The answer must be an error of that code, or a result. */
void ask_wrong(struct peer_end *p, const char *line, int code);
void ask_right(struct peer_end *p, const char *line);

/* ---- set-up ---- */

void set_up(void);
void tear_down(void);

#endif
