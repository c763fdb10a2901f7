/* SPDX-License-Identifier: ISC */
/*
 * An attacker on the path stores datagrams and sends them again later, as if
 * from the same sender; and one node of five answers only half of its requests.
 * Neither may end an operation twice, nor prevent its end.
 */
#include <string.h>

#include "sim/actor.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum { KEPT = 1024, REPLAYER_IP = 0x2e060101 };

struct replayer {
	struct actor *actor;
	uint64_t seen, replayed;
	struct {
		struct spot from, to;
		uint16_t len;
		uint8_t bytes[DGRAM_MAX];
	} kept[KEPT];
};

/* Stores one datagram of eight, in the place of an older one. */
static void
keep(struct sim *s, const struct net_packet *p)
{
	struct replayer *r = s->tap_state;
	uint32_t i;

	if (r->seen++ % 8 != 0 || p->src == &r->actor->ep)
		return;
	i = prng_below(&r->actor->rand, KEPT);
	r->kept[i].from = p->from;
	r->kept[i].to = p->to;
	r->kept[i].len = p->len;
	memcpy(r->kept[i].bytes, p->bytes, p->len);
}

static void
replay(struct sim *s, void *arg)
{
	struct replayer *r = arg;

	for (uint32_t n = 0; n < s->opt.amount; n++) {
		uint32_t i = prng_below(&r->actor->rand, KEPT);

		if (r->kept[i].len == 0)
			continue;
		r->replayed++;
		actor_send(r->actor, r->kept[i].from, r->kept[i].to,
		    r->kept[i].bytes, r->kept[i].len);
	}
}

static size_t
answer_half(
    struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	(void)h;
	(void)to;
	return buf[0] == RPC_REPLY && prng_below(&s->rand, 2) == 0 ? 0 : len;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	struct replayer *r;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i += 5)
		s->hosts[i]->mangle = answer_half;
	sim_run(s, MINUTES(3));
	r = actor_new(s, REPLAYER_IP, 1, NULL, sizeof *r)->state;
	r->actor = s->actors[0];
	s->tap = keep;
	s->tap_state = r;
	sim_every(s, MILLISECONDS(10), replay, r);
	work_topics(&w, s, 20);
	work_lookups(&w, &t, 500, MINUTES(s->opt.minutes));
	report_add(&s->report, "replayed", r->replayed);
	tally_report(s, &t);
	sim_expect(s, r->replayed > 0, "nothing was replayed");
	sim_expect(s, tally_success(&t) >= 99900, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	s->tap = NULL;
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_replay = {
    .name = "replay",
    .text = "datagrams sent again later, a fifth answers half: 99.9 %",
    .nodes = 100,
    .minutes = 10,
    .amount = 10,
    .nodes_min = 30,
    .run = run,
};
