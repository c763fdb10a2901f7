/* SPDX-License-Identifier: ISC */
/*
 * One address announces `amount` keys to a topic that twenty honest nodes
 * share, at every node that stores it, as fast as these permit. The honest
 * announcements must still be found.
 */
#include <string.h>

#include "records/record.h"
#include "sim/actor.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum { FLOODER_IP = 0x2e050101, HONEST = 20, PER_STEP = 8, STEP_MS = 100 };

struct store {
	struct host *host;
	uint8_t token[RPC_TOKEN_LEN];
	bool has_token;
	uint32_t done; /* keys announced here */
};

struct flooder {
	uint8_t topic[32];
	struct store stores[RPC_K];
	uint32_t stores_len;
	uint64_t sent, confirmed;
};

static struct spot
flooder_spot(struct actor *a)
{
	return (struct spot){
	    FLOODER_IP, (uint16_t)(1024 + prng_below(&a->rand, 60000))};
}

static void
take_reply(struct actor *a, struct spot from, struct spot to,
    const uint8_t *buf, size_t len)
{
	struct flooder *f = a->state;
	struct rpc_reply m;

	(void)to;
	if (buf[0] != RPC_REPLY || rpc_reply_decode(&m, buf, len) != 0)
		return;
	f->confirmed += m.token == NULL && m.error == 0;
	for (uint32_t i = 0; i < f->stores_len; i++)
		if (m.token != NULL &&
		    spot_equal(host_spot(f->stores[i].host), from)) {
			memcpy(f->stores[i].token, m.token, RPC_TOKEN_LEN);
			f->stores[i].has_token = true;
		}
}

static void
ask_token(struct sim *s, void *arg)
{
	struct actor *a = arg;
	struct flooder *f = a->state;

	(void)s;
	for (uint32_t i = 0; i < f->stores_len; i++) {
		struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
		    .command = CMD_LOOKUP,
		    .target = f->topic};

		actor_request(a, flooder_spot(a), host_spot(f->stores[i].host),
		    false, &m);
	}
}

static void
key_of(struct sim *s, struct key_pair *k, uint32_t number)
{
	struct prng r;
	uint8_t seed[KEY_SEED_LEN];

	prng_init(&r, s->opt.seed, PRNG_KEY, (1ull << 40) + number);
	prng_fill(&r, seed, sizeof seed);
	key_pair_from_seed(k, seed);
}

static void
announce_one(struct actor *a, struct store *st)
{
	struct flooder *f = a->state;
	struct key_pair k;
	uint8_t sig[SIGNATURE_LEN], buf[DGRAM_MAX], id[ID_LEN];
	struct announce an = {.signature = sig};
	struct announce_scope scope = {
	    .target = f->topic, .id = id, .token = st->token};
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
	    .command = CMD_ANNOUNCE,
	    .target = f->topic,
	    .token = st->token};

	key_of(a->sim, &k, st->done++);
	spot_id(id, host_spot(st->host));
	an.peer.key = k.public_key;
	announce_sign(sig, &k, NS_ANNOUNCE, &scope, &an);
	m.value.p = buf;
	m.value.len = announce_encode(&an, buf, sizeof buf);
	f->sent++;
	actor_request(a, flooder_spot(a), host_spot(st->host), false, &m);
}

static void
announce_some(struct sim *s, void *arg)
{
	struct actor *a = arg;
	struct flooder *f = a->state;

	for (uint32_t i = 0; i < f->stores_len; i++)
		for (uint32_t k = 0; k < PER_STEP; k++)
			if (f->stores[i].has_token &&
			    f->stores[i].done < s->opt.amount)
				announce_one(a, &f->stores[i]);
}

/* Finds the nodes close enough to the topic to store it. */
static void
choose_stores(struct sim *s, struct flooder *f)
{
	struct spot near[RPC_K];
	uint32_t n = work_nearest(s, f->topic, near);

	for (uint32_t i = 0; i < n; i++)
		f->stores[f->stores_len++].host = container_of(
		    net_find(&s->net, near[i].ip), struct host, ep);
}

static void
honest_announce(struct sim *s, const uint8_t *topic)
{
	for (uint32_t i = 0; i < HONEST; i++) {
		struct op_spec spec = {.kind = OP_ANNOUNCE};

		memcpy(spec.target, topic, sizeof spec.target);
		op_start(s->hosts[SIM_BOOTSTRAPS + i], &spec);
	}
	sim_run(s, SECONDS(20));
}

struct seen {
	uint32_t lookups, complete, honest;
};

static bool
knows(const struct op *op, const struct host *h)
{
	for (uint32_t i = 0; i < op->keys_len; i++)
		if (memcmp(op->keys[i], h->identity.public_key, 4) == 0)
			return true;
	return false;
}

static void
count_honest(struct sim *s, struct op *op)
{
	struct seen *c = op->spec.arg;
	uint32_t n = 0;

	for (uint32_t i = 0; i < HONEST; i++)
		n += knows(op, s->hosts[SIM_BOOTSTRAPS + i]);
	c->lookups++;
	c->honest += n;
	c->complete += n == HONEST;
}

static void
look(struct sim *s, const uint8_t *topic, uint32_t count, struct seen *c)
{
	for (uint32_t i = 0; i < count; i++) {
		struct op_spec spec = {
		    .kind = OP_LOOKUP, .done = count_honest, .arg = c};

		memcpy(spec.target, topic, sizeof spec.target);
		op_start(sim_any(s), &spec);
		sim_run(s, SECONDS(1));
	}
	sim_quiesce(s);
}

static void
run(struct sim *s)
{
	struct actor *a;
	struct flooder *f;
	struct seen c = {0};
	uint32_t asking, flooding, seconds;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(2));
	a = actor_new(s, FLOODER_IP, 1, take_reply, sizeof *f);
	f = a->state;
	work_topic(f->topic, 1);
	choose_stores(s, f);
	honest_announce(s, f->topic);
	ask_token(s, a);
	asking = sim_every(s, SECONDS(20), ask_token, a);
	flooding = sim_every(s, MILLISECONDS(STEP_MS), announce_some, a);
	seconds = s->opt.amount * STEP_MS / 1000 / PER_STEP;
	look(s, f->topic, seconds + 60, &c);
	sim_stop(s, asking);
	sim_stop(s, flooding);
	report_add(&s->report, "stores", f->stores_len);
	report_add(&s->report, "flood_sent", f->sent);
	report_add(&s->report, "flood_confirmed", f->confirmed);
	report_add(&s->report, "lookups", c.lookups);
	report_add(&s->report, "lookups_complete", c.complete);
	report_milli(&s->report, "honest_found_mean",
	    c.honest * 1000 / (c.lookups > 0 ? c.lookups : 1));
	sim_expect(s, f->confirmed > 0, "the flood never began");
	sim_expect(s, c.complete * 10 >= c.lookups * 9,
	    "only %u of %u lookups find all %d honest ones", c.complete,
	    c.lookups, HONEST);
}

const struct scenario scenario_flood = {
    .name = "flood",
    .text = "one address floods a topic: the 20 honest ones are found",
    .nodes = 40,
    .minutes = 1,
    .amount = 1500,
    .nodes_min = 30,
    .run = run,
};
