/* SPDX-License-Identifier: ISC */
/*
 * calls.h - hosts that listen on their keys, and others that connect to them.
 *
 * A caller writes a pattern of bytes and ends its side, at once or later; the
 * listener returns all bytes and ends its side, too. The run fails unless each
 * accepted dial ends exactly once and in time, has one session at the other
 * end, and returns the exact bytes. Uses: node, host.
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "node/node_conn.h"
#include "node/node.h"
#include "sim/dial_cost.h"
#include "world/net.h"

struct sim;
struct host;
struct call;

typedef void call_done(struct sim *s, struct call *c);

struct call_spec {
	const struct host *to;     /* the listener */
	const struct addr *relays; /* nodes that may know it; borrowed */
	uint32_t relays_len;
	uint32_t bytes;   /* of the pattern */
	uint64_t hold_us; /* the caller keeps its side open at least so long */
	uint32_t late;    /* of the bytes, written after that */
	struct dial_bound bound; /* of this dial, before the scenario's */
	call_done *done;         /* when it has ended, or NULL */
	void *arg;
};

/* One end of a connection. */
struct call {
	struct call *next; /* of the host */
	struct host *host;
	uint32_t conn;
	bool dialed, open, held, ended;
	struct call_spec spec;  /* of one that was dialed */
	uint8_t key[KEY_LEN];   /* of the peer, of one that was accepted */
	uint64_t number;        /* of the call, as the pattern encodes it */
	uint64_t written, read; /* bytes */
	uint8_t head[8];        /* of what was read */
	struct dial_cost cost;  /* of one that was dialed, until it is open */
	int err;                /* once it is over */
	uint64_t started_us, opened_us, heard_us, over_us;
	uint64_t clock_us; /* of the host, at the start */
};

/* What is known of a call by its number, also after its end. */
struct call_record {
	uint32_t caller; /* index of the host */
	uint32_t callee;
	uint32_t sessions;
};

struct calls {
	uint64_t refused, opened, failed,
	    answered;            /* answered: all was read back */
	uint64_t sessions, lost; /* lost: with a host that went down */
	uint32_t open;           /* dialed and not over */
	struct call_record *records;
	uint32_t records_len, records_cap; /* one for each that was dialed */
};

void calls_init(struct calls *c);
void calls_fini(struct calls *c);

/* Starts to listen on the host's identity, until the host goes down. */
void call_listen(struct host *h);

/* Listens for one key only; other keys get no answer. */
void call_listen_for(struct host *h, const uint8_t key[KEY_LEN]);

/* Returns whether nodes forward to the host, as far as it knows. */
bool call_reachable(const struct host *h);

/* Stores in the uint64_t at `arg` when the first call opened, or 0. */
call_done call_first_open;

/*
 * Returns a host that others can connect to, which a call without hole punching
 * requires of one side; or NULL.
 */
struct host *call_caller(struct sim *s);

/* Returns whether `h` has a connection with `other`, or dials it. */
bool calls_between(const struct host *h, const struct host *other);

/* Starts a call. Returns 0 or an error; then `done` is not called. */
int call_start(struct host *h, const struct call_spec *spec);

/* Cancels every dial of the host that is not open yet, as the end of a program
 * does. */
void calls_hang_up(struct host *h);

/* Handles events of listeners and connections. Returns false for others. */
bool calls_node_event(struct host *h, const struct node_event *n);

/* Ends the connections of a host that is gone with ERR_CLOSED. */
void calls_drop(struct host *h);

/* Checks that no dial of the host is overdue. */
void calls_check(struct host *h);

#endif
