/* SPDX-License-Identifier: ISC */
/*
 * flow.h - one encrypted stream of streamer, from its first byte to its end.
 *
 * Options and results are in peer.h. Borrows everything.
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

/* Shared by all flows. */
struct flows {
	const struct peer_options *options;
	struct world *world;
	struct timers *timers;
	struct udx *udx;
	int sock, other_sock; /* the other one: to migrate to */
	bool initiator, moved, paused;
	uint32_t open;             /* flows that have not ended */
	struct peer_result result; /* of all flows that have ended */
};

struct flow {
	struct flows *all;
	struct udx_stream *raw; /* NULL when over */
	struct secret *secret;
	uint32_t index, peer_id;
	uint64_t in, out, total, messages;
	bool ending;
};

/* Creates a stream with an id, not yet connected. Returns 0 or an error. */
int flow_open(struct flow *f, struct flows *all, uint32_t index);

/* Connects and sends the header. Returns 0 or an error. */
int flow_start(struct flow *f, uint32_t peer_id);

/* Writes as much as there is space for. */
void flow_write(struct flow *f);

/* Continues to read after a pause. */
void flow_read(struct flow *f);

/* Handles events of its stream. */
void flow_event(struct flow *f, unsigned events);

#endif
