/* SPDX-License-Identifier: ISC */
/*
 * flow.h - one encrypted stream of streamer, from its first byte to its end.
 *
 * What the peer is known to be, peer.h says. Borrows everything.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "base/world.h"
#include "peer.h"
#include "stream/secret.h"
#include "udx/udx.h"

/* What all flows share. */
struct flows {
	const struct peer_options *options;
	struct world *world;
	struct timers *timers;
	struct udx *udx;
	int sock, other_sock; /* the other one: to move to */
	bool initiator, moved, paused;
	uint32_t open;             /* flows that have not ended */
	struct peer_result result; /* of those that have, and of all */
};

struct flow {
	struct flows *all;
	struct udx_stream *raw; /* NULL when over */
	struct secret *secret;
	uint32_t index, peer_id;
	uint64_t in, out, total, messages;
	bool ending;
};

/* A stream with an id, not connected yet. 0 or an error. */
int flow_open(struct flow *f, struct flows *all, uint32_t index);

/* Connects, and says the first word. 0 or an error. */
int flow_start(struct flow *f, uint32_t peer_id);

/* Writes what there is to write and room for. */
void flow_write(struct flow *f);

/* Reads on, after a pause. */
void flow_read(struct flow *f);

/* Something happened to its stream. */
void flow_event(struct flow *f, unsigned events);

#endif
