/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>

#include "pipe.h"
#include "world/prng.h"

enum {
	NS = 1000000000,
	/*
	 * Space for more packets than fit the link at full size: most are
	 * smaller. When it is used up, the queue counts as full.
	 */
	SMALLER = 4,
	PACKETS_MIN = 4096,
};

struct packet {
	uint64_t due;
	uint32_t len;
	uint8_t bytes[PIPE_PACKET_MAX];
};

struct pipe {
	struct pipe_setup setup;
	struct pipe_counts counts;
	struct prng losses;
	uint64_t line_free; /* when all that was put has left the queue */
	/* A ring: head is filled next, tail comes out next. */
	size_t head, tail, cap;
	struct packet ring[];
};

struct pipe *
pipe_new(const struct pipe_setup *setup)
{
	uint64_t under_way = setup->rate / 8 * setup->delay_ns / NS;
	size_t cap = (size_t)((setup->queue + under_way) / PIPE_PACKET_MAX);
	struct pipe *p;

	cap = cap * SMALLER + PACKETS_MIN;
	p = calloc(1, sizeof *p + cap * sizeof p->ring[0]);
	if (p == NULL)
		return NULL;
	p->setup = *setup;
	p->cap = cap;
	prng_init(&p->losses, setup->seed, PRNG_LINK, 0);
	return p;
}

void
pipe_free(struct pipe *p)
{
	free(p);
}

uint8_t *
pipe_room(struct pipe *p)
{
	return p->ring[p->head].bytes;
}

/* Returns the bytes that wait for the line. */
static uint64_t
backlog(const struct pipe *p, uint64_t now)
{
	uint64_t wait = p->line_free > now ? p->line_free - now : 0;

	return (uint64_t)((__uint128_t)wait * p->setup.rate / 8 / NS);
}

void
pipe_put(struct pipe *p, uint64_t now, size_t len)
{
	size_t next = (p->head + 1) % p->cap;

	assert(len <= PIPE_PACKET_MAX);
	p->counts.in++;
	p->counts.bytes_in += len;
	if (backlog(p, now) + len > p->setup.queue || next == p->tail) {
		p->counts.full++;
		return;
	}
	if (p->line_free < now)
		p->line_free = now;
	p->line_free += (uint64_t)len * 8 * NS / p->setup.rate;
	if (prng_chance(&p->losses, p->setup.loss_ppm)) {
		p->counts.lost++;
		return;
	}
	p->ring[p->head].due = p->line_free + p->setup.delay_ns;
	p->ring[p->head].len = (uint32_t)len;
	p->head = next;
}

uint64_t
pipe_due(const struct pipe *p)
{
	return p->tail == p->head ? PIPE_NEVER : p->ring[p->tail].due;
}

const uint8_t *
pipe_get(struct pipe *p, uint64_t now, size_t *len)
{
	const struct packet *packet = &p->ring[p->tail];

	if (pipe_due(p) > now || p->tail == p->head)
		return NULL;
	p->tail = (p->tail + 1) % p->cap;
	p->counts.out++;
	p->counts.bytes_out += packet->len;
	*len = packet->len;
	return packet->bytes;
}

const struct pipe_counts *
pipe_counts(const struct pipe *p)
{
	return &p->counts;
}
