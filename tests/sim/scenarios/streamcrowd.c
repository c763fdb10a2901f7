/* SPDX-License-Identifier: ISC */
/*
 * One server sends to many clients through one socket and one line, and each
 * must get its share. Then the same again with clients that misbehave: some
 * never read, so that their windows stay closed; one floods the socket with
 * garbage, with guessed ids, with forged acknowledgements and ENDs of other
 * streams, from addresses of its own and from forged ones. The others lose
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/mem.h"
#include "sim/party.h"
#include "sim/scenario.h"
#include "udx/udx.h"

enum {
	LINE_BYTES = 2000000, /* of the server */
	SECONDS_LONG = 60,
	DEAF = 5,
	FLOODER_IP = 0x2e070101,
	FLOOD_EVERY_US = 200,
};

struct crowd {
	struct sim *sim;
	struct party *server, **clients;
	struct talk **talks; /* the clients' ends */
	uint32_t len, deaf;
	struct actor *flooder;
	uint32_t flood;
};

static void
crowd_init(struct crowd *c, struct sim *s, uint32_t deaf)
{
	*c = (struct crowd){.sim = s, .len = s->opt.nodes, .deaf = deaf};
	c->clients = mem_new(c->len, sizeof(struct party *));
	c->talks = mem_new(c->len, sizeof(struct talk *));
	c->server = party_new(s, NULL);
	c->server->actor->ep.up = (struct net_line){
	    .bytes_per_s = LINE_BYTES, .queue_bytes = LINE_BYTES / 10};
	for (uint32_t i = 0; i < c->len; i++) {
		c->clients[i] = party_new(s, NULL);
		/* Writes more than the line carries in that time. */
		c->talks[i] = talk_new(c->clients[i], c->server, 0,
		    (uint64_t)LINE_BYTES * SECONDS_LONG);
		c->talks[i]->deaf = i < deaf;
	}
}

static void
crowd_fini(struct crowd *c)
{
	for (uint32_t i = 0; i < c->len; i++)
		party_end(c->clients[i]);
	party_end(c->server);
	free(c->clients);
	free(c->talks);
}

/*
 * Sends a packet as the peer of a stream would send it, with forged contents.
 */
static size_t
forge(struct prng *r, const struct talk *victim, uint8_t *p)
{
	/* END, DESTROY, an acknowledgement of all; protocol 05 §1 */
	static const uint8_t types[] = {0x00, 0x01, 0x02, 0x04, 0x10, 0x20};
	size_t len = UDX_HEADER_LEN + prng_below(r, 40);
	uint32_t id = (uint32_t)prng_next(r);

	/* An attacker off the path has to guess; this one guesses right. */
	if (victim->udx != NULL)
		id = udx_id(victim->udx);
	prng_fill(r, p, len);
	p[0] = 0xff;
	p[1] = 1;
	p[2] = types[prng_below(r, sizeof types)];
	p[3] = 0;
	for (int i = 0; i < 4; i++)
		p[4 + i] = (uint8_t)(id >> 8 * i);
	return len;
}

static void
flood(struct sim *s, void *arg)
{
	struct crowd *c = arg;
	struct prng *r = &c->flooder->rand;
	const struct talk *t = c->talks[prng_below(r, c->len)];
	struct spot from = {FLOODER_IP, (uint16_t)prng_below(r, 65536)};
	uint8_t p[256];
	size_t len = forge(r, t->other, p);

	(void)s;
	if (prng_below(r, 4) == 0) {
		len = 1 + prng_below(r, sizeof p - 1);
		prng_fill(r, p, len);
	}
	actor_send(c->flooder, from, party_spot(c->server, 0), p, len);
}

/*
 * Returns what the honest clients have received so far: the least and the sum.
 */
static void
measure(const struct crowd *c, const char *when, uint64_t *all)
{
	uint64_t least = UINT64_MAX, fair;

	*all = 0;
	for (uint32_t i = c->deaf; i < c->len; i++) {
		const struct talk *t = c->talks[i];

		sim_expect(c->sim, !t->closed, "%s: a stream ends: %s", when,
		    err_text(t->err));
		*all += t->read;
		if (t->read < least)
			least = t->read;
	}
	fair = *all / (c->len - c->deaf);
	sim_expect(c->sim, least >= fair / 2,
	    "%s: one stream has %llu bytes, the others %llu", when,
	    (unsigned long long)least, (unsigned long long)fair);
	report_milli(&c->sim->report, when, (int64_t)(least * 1000 / fair));
}

static void
run(struct sim *s)
{
	struct crowd c;
	uint64_t calm, rough;
	uint32_t task;

	crowd_init(&c, s, 0);
	sim_run(s, SECONDS(SECONDS_LONG));
	measure(&c, "all behave", &calm);
	crowd_fini(&c);
	sim_expect(s, calm >= (uint64_t)LINE_BYTES * SECONDS_LONG * 9 / 10,
	    "%llu bytes in all through a line of %llu",
	    (unsigned long long)calm,
	    (unsigned long long)LINE_BYTES * SECONDS_LONG);

	crowd_init(&c, s, DEAF);
	c.flooder = actor_new(s, FLOODER_IP, 1, NULL, 0);
	/* The first packet with an id decides the address of the peer. */
	sim_run(s, SECONDS(1));
	task = sim_every(s, FLOOD_EVERY_US, flood, &c);
	sim_run(s, SECONDS(SECONDS_LONG - 1));
	sim_stop(s, task);
	measure(&c, "some do not", &rough);
	sim_expect(s, rough >= calm * 95 / 100,
	    "%llu bytes arrive with misbehaving clients, %llu without",
	    (unsigned long long)rough, (unsigned long long)calm);
	sim_run(s, SECONDS(1));
	crowd_fini(&c);
}

static void
setup(struct sim_options *o)
{
	o->faults.flat_us = 20000;
}

const struct scenario scenario_streamcrowd = {
    .name = "streamcrowd",
    .text = "many streams on one socket and line: fair under attack",
    .nodes = 20,
    .nodes_min = 10,
    .setup = setup,
    .run = run,
};
