/* SPDX-License-Identifier: ISC */
/*
 * calls.h - hosts that listen on their keys, and others that connect to them.
 *
 * A caller says a pattern of bytes and ends, at once or later; whoever listens
 * says all back and ends, too. Each connection that a node accepted to dial
 * ends once, in time, and is met by one session at the other end, whose bytes
 * are exact: what does not hold breaks the run. Uses: node, host.
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "node/node_conn.h"
#include "node/node.h"
#include "world/net.h"

struct sim;
struct host;
struct call;

typedef void call_done(struct sim *s, struct call *c);

struct call_spec {
	const struct host *to;     /* whose identity listens */
	const struct addr *relays; /* nodes that may know it; borrowed */
	uint32_t relays_len;
	uint32_t bytes;   /* of the pattern */
	uint64_t hold_us; /* the caller does not end before so long after */
	uint32_t late;    /* of the bytes, said after that */
	call_done *done;  /* when it has ended, or NULL */
	void *arg;
};

/* One end of a connection. */
struct call {
	struct call *next; /* of the host */
	struct host *host;
	uint32_t conn;
	bool dialed, open, held, ended;
	struct call_spec spec; /* of one that was dialed */
	uint8_t key[KEY_LEN];  /* of the peer, of one that was accepted */
	uint64_t number;       /* the pattern says which call it belongs to */
	uint64_t said, heard;  /* bytes */
	uint8_t head[8];       /* of what was heard */
	int err;               /* once it is over */
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
	    answered;            /* answered: all was heard */
	uint64_t sessions, lost; /* lost: with a host that went down */
	uint32_t open;           /* dialed and not over */
	struct call_record *records;
	uint32_t records_len, records_cap; /* one for each that was dialed */
};

void calls_init(struct calls *c);
void calls_fini(struct calls *c);

/* The host listens on its identity until it goes down. */
void call_listen(struct host *h);

/* Nodes forward to it, as far as it knows. */
bool call_reachable(const struct host *h);

/* For `done`: the uint64_t at `arg` is when the first of them opened, or 0. */
call_done call_first_open;

/* A host that others can connect to: without hole punching one side must be. */
struct host *call_caller(struct sim *s);

/* 0, or why not; then done is not called. */
int call_start(struct host *h, const struct call_spec *spec);

/* Events of a listener or a connection; false: of something else. */
bool calls_node_event(struct host *h, const struct node_event *n);

/* The host is gone: its connections end with ERR_CLOSED. */
void calls_drop(struct host *h);

/* All that the host has dialed is in time. */
void calls_check(struct host *h);

#endif
