/* SPDX-License-Identifier: ISC */
/*
 * One node of five is honest in everything but its replies: it hides what it
 * stores and names accomplices, and unused addresses whose ids are close to the
 * target.
 */
#include <string.h>

#include "sim/actor.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum { MADE_UP = 8, GRIND = 48 };

/* Returns an unused address with an id closer to the target than most. */
static struct spot
made_up(struct sim *s, const uint8_t *target)
{
	struct spot best = {0, 0};
	uint8_t best_id[ID_LEN], id[ID_LEN];

	for (int i = 0; i < GRIND; i++) {
		struct spot at = {0x2d000000 + prng_below(&s->rand, 1 << 24),
		    (uint16_t)(1024 + prng_below(&s->rand, 60000))};

		spot_id(id, at);
		if (best.ip == 0 || id_compare(target, id, best_id) < 0) {
			best = at;
			memcpy(best_id, id, sizeof best_id);
		}
	}
	return best;
}

static struct spot
accomplice(struct sim *s)
{
	for (int i = 0; i < 1000; i++) {
		struct host *h = s->hosts[prng_below(&s->rand, s->hosts_len)];

		if (h->mangle != NULL)
			return host_spot(h);
	}
	return host_spot(s->hosts[0]);
}

static size_t
lie(struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	uint8_t closer[RPC_K * ADDR_WIRE4_LEN], out[DGRAM_MAX];
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_request rq;
	struct rpc_reply m;
	size_t n;

	(void)to;
	if (buf[0] != RPC_REPLY || h->request == NULL ||
	    rpc_reply_decode(&m, buf, len) != 0 || m.closer.len == 0 ||
	    rpc_request_decode(&rq, h->request, h->request_len) != 0 ||
	    rq.target == NULL)
		return len;
	for (int i = 0; i < RPC_K; i++) {
		struct addr a = spot_addr(
		    i < MADE_UP ? made_up(s, rq.target) : accomplice(s));

		wr_addr4(&w, &a);
	}
	m.closer = (struct bytes){.p = closer, .len = sizeof closer};
	m.value = (struct bytes){.p = NULL};
	n = rpc_reply_encode(&m, out, sizeof out);
	memcpy(buf, out, n);
	return n;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint32_t liars = 0;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i++)
		if (prng_below(&s->rand, 1000) < s->opt.amount) {
			s->hosts[i]->mangle = lie;
			liars++;
		}
	sim_run(s, MINUTES(10));
	work_topics(&w, s, 20);
	work_lookups(&w, &t, 500, MINUTES(s->opt.minutes));
	report_add(&s->report, "liars", liars);
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 95000, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_liars = {
    .name = "liars",
    .text = "200 per mille lie about closer nodes: 95 % of lookups",
    .nodes = 200,
    .minutes = 20,
    .amount = 200,
    .nodes_min = 40,
    .run = run,
};
