/* SPDX-License-Identifier: ISC */
/*
 * Migrates streams in the middle of bulk transfers both ways: to other sockets
 * of either end, again and again; to another address, with the peer following;
 * behind a box that drops its mapping. No byte is lost or delivered twice.
 */
#include "base/err.h"
#include "sim/pairs.h"
#include "sim/scenario.h"

enum { LINE_BYTES = 500000, BYTES = 20000000, MOVES = 10 };

static void
follow_all(struct pairs *c)
{
	for (uint32_t i = 0; i < c->len; i++)
		c->first[i]->follows = c->second[i]->follows = true;
}

static void
other_sockets(struct sim *s)
{
	struct pairs c;
	uint64_t changed = 0;

	pairs_init(&c, s, s->opt.nodes, LINE_BYTES);
	follow_all(&c);
	pairs_talk(&c, BYTES, BYTES);
	for (int n = 0; n < MOVES; n++) {
		sim_run(s, SECONDS(3));
		for (uint32_t i = 0; i < c.len; i++) {
			struct talk *t = c.talks[i];

			changed += talk_change_path(n % 3 == 0 ? t->other : t,
				       n & 1, n >> 1 & 1) == 0;
		}
	}
	sim_run(s, MINUTES(5));
	report_add(&s->report, "changed", changed);
	sim_expect(s, changed > c.len, "only %llu changes of path",
	    (unsigned long long)changed);
	pairs_expect(&c, "through other sockets", 0, 0);
	pairs_fini(&c);
}

static void
other_addresses(struct sim *s)
{
	struct pairs c;

	pairs_init(&c, s, s->opt.nodes, LINE_BYTES / 5);
	follow_all(&c);
	pairs_talk(&c, BYTES / 2, BYTES / 2);
	for (int n = 0; n < MOVES / 2; n++) {
		/*
		 * The peer is not notified: only a timeout makes it send to the
		 * new address.
		 */
		sim_run(s, SECONDS(20));
		for (uint32_t i = 0; i < c.len; i++)
			party_move(n % 2 == 0 ? c.first[i] : c.second[i]);
	}
	sim_run(s, MINUTES(5));
	pairs_expect(&c, "from other addresses", 0, 0);
	pairs_fini(&c);
}

static void
other_mappings(struct sim *s)
{
	static const struct nat_config config = {
	    .mapping = NAT_ADDRESS_AND_PORT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_RANDOM,
	    .timeout_s = 120,
	};
	struct nat *box = sim_nat(s, &config, NULL);
	struct party *in = party_new(s, box), *out = party_new(s, NULL);
	struct talk *t;

	out->follows = true;
	in->actor->ep.up.bytes_per_s = LINE_BYTES;
	in->actor->ep.up.queue_bytes = LINE_BYTES / 4;
	t = talk_new(in, out, BYTES, BYTES);
	for (int n = 0; n < MOVES; n++) {
		sim_run(s, SECONDS(3));
		nat_flush(box);
	}
	sim_run(s, MINUTES(5));
	sim_expect(s, talk_is_over(t) && talk_agrees(t) && t->err == 0,
	    "behind a box that restarts: %llu of %llu bytes",
	    (unsigned long long)t->other->read, (unsigned long long)BYTES);
	party_end(in);
	party_end(out);
}

static void
run(struct sim *s)
{
	other_sockets(s);
	other_addresses(s);
	other_mappings(s);
}

static void
setup(struct sim_options *o)
{
	o->faults.loss_ppm = 20000;
}

const struct scenario scenario_streammove = {
    .name = "streammove",
    .text = "streams that change sockets, addresses and mappings, 2 % lost",
    .nodes = 20,
    .nodes_min = 2,
    .setup = setup,
    .run = run,
};
