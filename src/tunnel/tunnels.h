/* SPDX-License-Identifier: ISC */
/*
 * tunnels.h - all tunnels of the daemon, which are stored and open again after
 * a restart.
 *
 * Only what the operator has named is ever connected to or listened at. Bytes
 * move with back-pressure and half-close, protocol 09 §2.1.
 */
#ifndef TUNNEL_TUNNELS_H
#define TUNNEL_TUNNELS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tunnel/node_loop.h"
#include "tunnel/tunnel.h"

struct event;
struct fault;
struct keyring;
struct node_event;

enum { TUNNELS_MAX = 256 };

struct tunnels {
	struct node_loop loop;
	struct keyring *keyring; /* with the state directory */
	TAILQ_HEAD(, tunnel) list;
	uint32_t len, last_number;
	struct tunnel_conn_table conns;
	struct event *again; /* opens what could not be opened */
	bool unreadable;     /* the file: it must not be replaced */
};

/* Borrows the keyring and what the loop points to. Returns 0 or ERR_MEMORY;
 * tunnels_fini() is called in both cases. */
int tunnels_init(struct tunnels *t, const struct node_loop *loop,
    struct keyring *k) __attribute__((warn_unused_result));

/* Opens the stored tunnels. Logs those that cannot be opened and tries them
 * again every few seconds. */
void tunnels_start(struct tunnels *t);

/* Resets all connections and frees the tunnels; they stay stored. Does nothing
 * if t was not initialised. */
void tunnels_fini(struct tunnels *t);

/*
 * Opens and stores a tunnel. Returns 0 and the tunnel, which stays owned by t;
 * or a negative code with *f set: the name or address has a tunnel already,
 * there are TUNNELS_MAX, it cannot listen, or the file cannot be written.
 */
int tunnels_add(struct tunnels *t, const struct tunnel_spec *spec,
    const struct tunnel **added, struct fault *f)
    __attribute__((warn_unused_result));

/* Resets the connections of a tunnel and forgets it; the key of a service
 * stays. Returns 0, or a negative code with *f set. */
int tunnels_remove(struct tunnels *t, enum tunnel_kind kind, const char *name,
    struct fault *f) __attribute__((warn_unused_result));

/* Handles an event of the node. Returns false if it belongs to no tunnel. */
bool tunnels_node_event(struct tunnels *t, const struct node_event *ev);

/* Returns the tunnel with the lowest number above `after`, or NULL. */
const struct tunnel *tunnels_next(const struct tunnels *t, uint32_t after);

/* Opens again, some seconds later, what is not open. For tunnel.c. */
void tunnels_retry(struct tunnels *t);

#endif
