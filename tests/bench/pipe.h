/* SPDX-License-Identifier: ISC */
/*
 * pipe.h - one direction of a link: delays packets, and drops some.
 *
 * Implements a line with a queue before it:
 *
 *	put --> [ drop-tail queue ] --> line of so many bit/s --> delay --> get
 *	          full: dropped          lost: has taken its time
 *
 * Keeps the order. Knows no clock and no descriptor: the caller passes the
 * time in nanoseconds, which may not go back. Bytes are those of IP packets.
 */
#ifndef BENCH_PIPE_H
#define BENCH_PIPE_H

#include <stddef.h>
#include <stdint.h>

enum { PIPE_PACKET_MAX = 1500 };

#define PIPE_NEVER UINT64_MAX

struct pipe_setup {
	uint64_t rate;     /* bit/s */
	uint64_t delay_ns; /* of the way, without the line's time */
	uint64_t queue;    /* bytes that may wait for the line */
	uint32_t loss_ppm; /* of the packets that have left the queue */
	uint64_t seed;     /* of the losses */
};

struct pipe_counts {
	uint64_t in, out, lost, full; /* packets */
	uint64_t bytes_in, bytes_out;
};

struct pipe;

/* Returns NULL if memory is exhausted. */
struct pipe *pipe_new(const struct pipe_setup *setup);
void pipe_free(struct pipe *p);

/* Returns space for a packet of PIPE_PACKET_MAX bytes, which put keeps. */
uint8_t *pipe_room(struct pipe *p);
void pipe_put(struct pipe *p, uint64_t now, size_t len);

/* Returns when the next packet leaves, or PIPE_NEVER. */
uint64_t pipe_due(const struct pipe *p);

/*
 * Returns the packet that has left by now, valid until the next call, or NULL.
 */
const uint8_t *pipe_get(struct pipe *p, uint64_t now, size_t *len);

const struct pipe_counts *pipe_counts(const struct pipe *p);

#endif
