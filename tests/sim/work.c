/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "sim/work.h"

void
work_topic(uint8_t topic[32], uint64_t number)
{
	uint8_t text[8];

	for (int i = 0; i < 8; i++)
		text[i] = (uint8_t)(number >> 8 * i);
	hash_blake2b(topic, text, sizeof text);
}

/* ---- announcements ---- */

static void
announced(struct sim *s, struct op *op)
{
	struct topic *t = op->spec.arg;

	(void)s;
	t->announced = op->err == 0 && op->stored > 0;
}

static void
announce(struct work *w, struct topic *t)
{
	struct op_spec spec = {
	    .kind = OP_ANNOUNCE, .done = announced, .arg = t};

	t->host = sim_any(w->sim);
	t->announced = false;
	if (t->host == NULL)
		return;
	t->born_us = t->host->born_us;
	memcpy(spec.target, t->topic, sizeof spec.target);
	op_start(t->host, &spec);
}

/* Returns whether the announcer still runs the node that announced it. */
static bool
alive(const struct topic *t)
{
	return t->host != NULL && t->host->state == HOST_UP &&
	       t->host->born_us == t->born_us;
}

void
work_topics(struct work *w, struct sim *s, uint32_t n)
{
	*w = (struct work){.sim = s, .topics_len = n};
	w->topics = mem_new(n, sizeof *w->topics);
	for (uint32_t i = 0; i < n; i++) {
		work_topic(w->topics[i].topic, i);
		announce(w, &w->topics[i]);
		sim_run(s, MILLISECONDS(100));
	}
	sim_quiesce(s);
}

void
work_fini(struct work *w)
{
	sim_quiesce(w->sim);
	free(w->topics);
}

/* ---- lookups ---- */

static uint32_t
to_ms(uint64_t us)
{
	return (uint32_t)((us + 500) / 1000);
}

static void
looked_up(struct sim *s, struct op *op)
{
	struct tally *t = op->spec.arg;

	(void)s;
	if (op->err == ERR_CLOSED) {
		t->closed++;
		return;
	}
	samples_add(&t->end_ms, to_ms(op->ended_us - op->started_us));
	samples_add(&t->messages, op->sent + op->received);
	if (!op->found)
		return;
	t->found++;
	samples_add(&t->time_ms, to_ms(op->found_us - op->started_us));
	if (op->hops > 0)
		samples_add(&t->hops, op->hops);
}

static struct topic *
topic_any(struct work *w)
{
	for (int i = 0; i < 256; i++) {
		struct topic *t =
		    &w->topics[prng_below(&w->sim->rand, w->topics_len)];

		if (t->announced && alive(t))
			return t;
	}
	return NULL;
}

static void
look_up(struct work *w, struct tally *t)
{
	struct topic *topic = topic_any(w);
	struct host *h = sim_any(w->sim);
	struct op_spec spec = {
	    .kind = OP_LOOKUP, .watch = true, .done = looked_up, .arg = t};

	if (topic == NULL || h == NULL) {
		sim_fail(w->sim, "no host or no announcer is left");
		return;
	}
	memcpy(spec.target, topic->topic, sizeof spec.target);
	spec.want = topic->host->identity.public_key;
	t->asked++;
	op_start(h, &spec);
}

void
work_lookups(struct work *w, struct tally *t, uint32_t count, uint64_t over_us)
{
	for (uint32_t i = 0; i < count; i++) {
		look_up(w, t);
		sim_run(w->sim, over_us / count);
	}
	sim_quiesce(w->sim);
}

/* ---- comings and goings ---- */

static void
mourn(struct work *w)
{
	for (uint32_t i = 0; i < w->topics_len; i++)
		if (!alive(&w->topics[i]))
			announce(w, &w->topics[i]);
}

static void
replace_one(struct sim *s, void *arg)
{
	struct work *w = arg;
	struct host *h;

	/* The first hosts are in all bootstrap lists: they stay. */
	do
		h = s->hosts[SIM_BOOTSTRAPS +
			     prng_below(
				 &s->rand, s->hosts_len - SIM_BOOTSTRAPS)];
	while (h->state != HOST_UP);
	host_crash(h);
	sim_join(s, h->role, NULL);
	w->churned++;
	mourn(w);
}

void
work_churn(struct work *w, uint32_t permille)
{
	uint64_t per_hour = (uint64_t)w->sim->opt.nodes * permille / 1000;

	w->churn_task = sim_every(
	    w->sim, HOURS(1) / (per_hour > 0 ? per_hour : 1), replace_one, w);
}

/* ---- the true result ---- */

struct near {
	uint8_t id[ID_LEN];
	struct spot at;
};

/* Keeps the list sorted by distance, nearest first. */
static uint32_t
near_add(struct near *list, uint32_t len, const uint8_t *target,
    const struct near *n)
{
	uint32_t i = len;

	if (len == RPC_K) {
		if (id_compare(target, n->id, list[len - 1].id) >= 0)
			return len;
		i = --len;
	}
	for (; i > 0 && id_compare(target, n->id, list[i - 1].id) < 0; i--)
		list[i] = list[i - 1];
	list[i] = *n;
	return len + 1;
}

static uint32_t
truly_near(struct sim *s, const uint8_t *target, struct near *list)
{
	uint32_t len = 0;
	struct dht_status st;
	struct near n;

	for (uint32_t i = 0; i < s->hosts_len; i++) {
		struct host *h = s->hosts[i];

		if (h->state != HOST_UP)
			continue;
		dht_status(node_dht(h->node), &st);
		if (st.ephemeral)
			continue;
		memcpy(n.id, st.id, sizeof n.id);
		n.at = host_spot(h);
		len = near_add(list, len, target, &n);
	}
	return len;
}

uint32_t
work_nearest(struct sim *s, const uint8_t target[32], struct spot near[RPC_K])
{
	struct near truth[RPC_K];
	uint32_t len = truly_near(s, target, truth);

	for (uint32_t i = 0; i < len; i++)
		near[i] = truth[i].at;
	return len;
}

uint32_t
work_recall(struct sim *s, const uint8_t target[32], const struct spot *list,
    uint32_t len, uint32_t *of)
{
	struct spot truth[RPC_K];
	uint32_t hits = 0;

	*of = work_nearest(s, target, truth);
	for (uint32_t i = 0; i < *of; i++)
		for (uint32_t j = 0; j < len; j++)
			hits += spot_equal(truth[i], list[j]);
	return hits;
}
