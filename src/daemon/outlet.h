/* SPDX-License-Identifier: ISC */
/*
 * outlet.h - one socket's way out.
 *
 * Sends datagrams by as few system calls as possible, bursts uncut where the
 * kernel cuts them. What it does not take now is kept, in order, until it
 * does; whoever collects datagrams holds back while an outlet waits, so that
 * no more is ever kept than the one batch which found it clogged.
 */
#ifndef DAEMON_OUTLET_H
#define DAEMON_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/batch.h"

/* Of datagrams; a burst is as many as it is cut into. */
struct outlet_counts {
	uint64_t lost;    /* the kernel would not take them */
	uint64_t delayed; /* it took them later */
};

/* Why an outlet waits. */
enum outlet_wait {
	OUTLET_READY,
	OUTLET_FULL,   /* until the socket is writable */
	OUTLET_STARVED /* of kernel memory: the socket will not tell when */
};

struct outlet {
	int fd;
	uint16_t family; /* of its addresses */
	bool cuts;       /* the kernel cuts bursts, as far as is known */
	bool fragments;  /* the socket lets routers cut datagrams, for now */
	enum outlet_wait wait;
	struct batch *kept;
	unsigned kept_sent; /* of those kept, the first so many */
	struct outlet_counts *counts;
};

/* Asks the kernel what it can do, and forbids fragments; fd and counts are
 * borrowed. */
void outlet_init(
    struct outlet *o, int fd, uint16_t family, struct outlet_counts *counts);

/* Drops what is kept, and counts it. */
void outlet_fini(struct outlet *o);

/* Sends those from at to end, or keeps them. */
void outlet_send(struct outlet *o, struct batch *b, unsigned at, unsigned end);

/* Sends what is kept, as far as possible; o->wait tells how it went. */
void outlet_again(struct outlet *o);

#endif
