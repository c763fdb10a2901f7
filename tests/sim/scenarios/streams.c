/* SPDX-License-Identifier: ISC */
/*
 * Runs streams over every fault of the network, one line of the table for each
 * and the last for all of them. Both ends write as fast as possible, some in
 * tiny pieces; all bytes arrive intact, and both sides end in order.
 */
#include <stdlib.h>

#include "world/mem.h"
#include "sim/party.h"
#include "sim/scenario.h"

static const struct {
	const char *name;
	struct faults faults;
	uint32_t bytes_per_s, queue_bytes;
} ways[] = {
    {"clean", {0}, 0, 0},
    {"far", {.flat_us = 250000}, 0, 0},
    {"loss", {.loss_ppm = 50000}, 0, 0},
    {"heavy loss", {.loss_ppm = 200000}, 0, 0},
    {"doubled", {.double_ppm = 200000}, 0, 0},
    {"overtaken", {.overtake_ppm = 200000, .overtake_us = 100000}, 0, 0},
    {"jitter", {.jitter_us = 30000}, 0, 0},
    {"slow line", {0}, 100000, 20000},
    {"long queue", {0}, 250000, 1000000},
    {"everything",
	{.loss_ppm = 50000,
	    .double_ppm = 50000,
	    .overtake_ppm = 100000,
	    .overtake_us = 50000,
	    .jitter_us = 10000},
	500000, 30000},
};

enum { WAYS = sizeof ways / sizeof *ways };

static void
make_line(struct party *p, int way)
{
	struct net_line line = {
	    .bytes_per_s = ways[way].bytes_per_s,
	    .queue_bytes = ways[way].queue_bytes,
	};

	p->actor->ep.up = p->actor->ep.down = line;
}

/* Bulk both ways; bulk one way; a thousand tiny writes; one byte; none. */
static const struct {
	uint64_t parts[2]; /* of the amount */
	uint64_t bytes[2]; /* and beyond it */
	uint32_t chunk;
} kinds[] = {
    {{1, 1}, {0, 0}, 0},
    {{1, 0}, {0, 0}, 0},
    {{0, 0}, {5000, 3000}, 7},
    {{0, 0}, {1, 0}, 0},
    {{0, 0}, {0, 0}, 0},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void
run_way(struct sim *s, int way)
{
	struct party **p = mem_new(s->opt.nodes * 2, sizeof(struct party *));
	struct talk **t = mem_new(s->opt.nodes, sizeof(struct talk *));
	uint64_t kb = (uint64_t)s->opt.amount * 1024, resent = 0, packets = 0;

	s->net.faults = ways[way].faults;
	for (uint32_t i = 0; i < s->opt.nodes; i++) {
		int k = (int)(i % KINDS);

		for (int side = 0; side < 2; side++) {
			p[2 * i + side] = party_new(s, NULL);
			make_line(p[2 * i + side], way);
		}
		t[i] = talk_new(p[2 * i], p[2 * i + 1],
		    kinds[k].parts[0] * kb + kinds[k].bytes[0],
		    kinds[k].parts[1] * kb + kinds[k].bytes[1]);
		t[i]->chunk = t[i]->other->chunk = kinds[k].chunk;
	}
	sim_run(s, MINUTES(s->opt.minutes));
	for (uint32_t i = 0; i < s->opt.nodes; i++) {
		sim_expect(s, talk_is_over(t[i]) && t[i]->complete,
		    "%s: %llu of %llu bytes, %llu of %llu back, error %d",
		    ways[way].name, (unsigned long long)t[i]->other->read,
		    (unsigned long long)t[i]->to_write,
		    (unsigned long long)t[i]->read,
		    (unsigned long long)t[i]->other->to_write, t[i]->err);
		sim_expect(s, !talk_is_over(t[i]) || talk_agrees(t[i]),
		    "%s: one end reports %d, the other %d", ways[way].name,
		    t[i]->err, t[i]->other->err);
		resent += t[i]->resent + t[i]->other->resent;
		packets += t[i]->packets + t[i]->other->packets;
	}
	report_milli(&s->report, ways[way].name,
	    packets > 0 ? (int64_t)(resent * 1000000 / packets) : 0);
	for (uint32_t i = 0; i < 2 * s->opt.nodes; i++)
		party_end(p[i]);
	free(p);
	free(t);
}

static void
run(struct sim *s)
{
	for (int way = 0; way < WAYS; way++)
		run_way(s, way);
}

const struct scenario scenario_streams = {
    .name = "streams",
    .text = "streams over every fault of the network: all bytes arrive",
    .nodes = 10,
    .minutes = 10,
    .amount = 4096,
    .nodes_min = 5,
    .run = run,
};
