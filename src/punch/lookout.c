/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"

enum {
	/* More than the reference's four: six show whether ports count up,
	 * protocol 04 §17.7. */
	SAMPLES = 6,
	PASSES = 2, /* protocol 04 §2 */
	PING_MS = 1000,
	/* Latest of the table are left out: they may serve as relays, and tell
	 * us then (pitfall N5). */
	NEWEST_SKIPPED = 5,
	TABLE_SMALL = 8,
	/* While it is not known how long mappings live: 30 s in the stricter
	 * NATs, RFC 4787 says 120. */
	RENEW_S = 20,
	SAMPLE_RENEWALS = 6, /* that a sample lives for */
	REFRESH = 2,
	LOOKED_AT_MAX = 256, /* nodes of a large table */
};

static void on_renew(struct timer *t);

struct lookout *
lookout_open(struct punch *p, int *err)
{
	struct lookout *o = calloc(1, sizeof *o);

	*err = ERR_MEMORY;
	if (o == NULL)
		return NULL;
	o->room = p;
	o->hole.lookout = o;
	o->renew.fire = on_renew;
	if ((*err = room_open_hole(p, &o->hole, &o->port)) != 0) {
		free(o);
		return NULL;
	}
	gauge_init(&o->gauge, true);
	lookout_sample(o, SAMPLES);
	return o;
}

void
lookout_close(struct lookout *o)
{
	/* The PINGs in flight end here, and must not begin others. */
	o->closing = true;
	timer_disarm(o->room->core->timers, &o->renew);
	room_close_hole(o->room, &o->hole);
	free(o);
}

/* ---- destinations ---- */

/* How far back we still know. */
static uint32_t
kept(const struct lookout *o)
{
	return o->dests_len < LOOKOUT_DESTS_MAX ? o->dests_len
						: LOOKOUT_DESTS_MAX;
}

static const struct addr *
dest(const struct lookout *o, uint32_t order)
{
	return &o->dests[order % LOOKOUT_DESTS_MAX];
}

uint32_t
lookout_order(const struct lookout *o, const struct addr *to)
{
	for (uint32_t i = 1; i <= kept(o); i++)
		if (addr_equal(dest(o, o->dests_len - i), to))
			return o->dests_len - i;
	return o->dests_len;
}

uint32_t
lookout_order_host(const struct lookout *o, const struct addr *host)
{
	for (uint32_t i = o->dests_len - kept(o); i < o->dests_len; i++)
		if (addr_same_host(dest(o, i), host))
			return i;
	return o->dests_len;
}

void
lookout_sent(struct lookout *o, const struct addr *to)
{
	if (lookout_order(o, to) == o->dests_len)
		o->dests[o->dests_len++ % LOOKOUT_DESTS_MAX] = *to;
}

static bool
near_a_dest(const struct lookout *o, const struct addr *a)
{
	for (uint32_t i = 0; i < o->dests_len && i < LOOKOUT_DESTS_MAX; i++)
		if (addr_same_prefix(&o->dests[i], a))
			return true;
	return false;
}

/* ---- samples ---- */

void
lookout_saw(struct lookout *o, const struct addr *us, const struct addr *by)
{
	struct gauge_sample s = {.saw = *us,
	    .by = *by,
	    .order = lookout_order(o, by),
	    .at_us = o->room->core->world->now_us};

	/* Nobody outside sees us at a private address. */
	if (!addr_usable(us) ||
	    (addr_scope(us) != ADDR_PUBLIC && addr_scope(by) == ADDR_PUBLIC))
		return;
	gauge_add(&o->gauge, &s);
}

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct lookout *o = owner;

	o->pending--;
	if (o->closing)
		return;
	if (a->err == 0)
		lookout_saw(o, &a->reply->to, &a->from);
	if (o->pending == 0 && a->err != ERR_CLOSED) {
		if (o->gauge.len < GAUGE_SAMPLES_WANTED && o->passes < PASSES)
			lookout_sample(o, GAUGE_SAMPLES_WANTED - o->gauge.len);
		if (o->pending == 0)
			gauge_finish(&o->gauge);
	}
	if (o->sampled != NULL)
		o->sampled(o->owner);
}

static bool
ping(struct lookout *o, const struct addr *to)
{
	struct dht_call c = {.to = *to,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = 1,
	    .timeout_ms = PING_MS};
	struct dht_done done = {.call = on_pong, .owner = o};

	if (dht_call_from(o->room->d, o->hole.sock, &c, done, NULL) != 0)
		return false;
	lookout_sent(o, to);
	o->pending++;
	return true;
}

/* How choosy we are about whom to ask. */
enum choice { CHOICE_FAR, CHOICE_NEW };

static bool
suits(const struct lookout *o, enum choice choice, const struct addr *a)
{
	return choice == CHOICE_FAR ? !near_a_dest(o, a)
				    : lookout_order(o, a) == o->dests_len;
}

/* Asks up to `wanted` nodes of the table, latest heard first. */
static uint32_t
ask(struct lookout *o, enum choice choice, uint32_t wanted, uint32_t skip)
{
	struct dht *d = o->room->d;
	uint32_t cursor = 0, asked = 0;
	struct dht_node n;

	for (uint32_t i = 0; asked < wanted && i < LOOKED_AT_MAX &&
			     dht_next_node(d, &cursor, &n);
	     i++)
		if (i >= skip && suits(o, choice, &n.addr))
			asked += ping(o, &n.addr);
	return asked;
}

void
lookout_sample(struct lookout *o, uint32_t wanted)
{
	struct dht_status st;
	uint32_t skip, asked = 0;

	dht_status(o->room->d, &st);
	skip = st.nodes >= TABLE_SMALL ? NEWEST_SKIPPED : 0;
	o->passes++;
	asked = ask(o, CHOICE_FAR, wanted, skip);
	asked += ask(o, CHOICE_NEW, wanted - asked, skip);
	if (asked == 0 && o->pending == 0)
		gauge_finish(&o->gauge);
}

/* Asks the one again whose sample is the oldest. */
static void
ask_again(struct lookout *o)
{
	const struct gauge_sample *oldest = o->gauge.samples;

	for (uint8_t i = 1; i < o->gauge.len; i++)
		if (o->gauge.samples[i].at_us < oldest->at_us)
			oldest = &o->gauge.samples[i];
	if (o->gauge.len > 0)
		ping(o, &oldest->by);
}

static uint64_t
renew_us(const struct lookout *o)
{
	return mapping_keep_us(
	    dht_mapping(o->room->d), RENEW_S, MAPPING_KEEP_MAX_S);
}

static void
on_renew(struct timer *t)
{
	struct lookout *o = container_of(t, struct lookout, renew);
	uint64_t now_us = o->room->core->world->now_us;

	gauge_expire(&o->gauge, now_us - SAMPLE_RENEWALS * renew_us(o));
	if (ask(o, CHOICE_NEW, 1, 0) == 0)
		ask_again(o);
	timer_arm(o->room->core->timers, t, now_us + renew_us(o));
}

void
lookout_rest(struct lookout *o)
{
	struct punch *p = o->room;

	timer_arm(
	    p->core->timers, &o->renew, p->core->world->now_us + renew_us(o));
}

void
lookout_rouse(struct lookout *o)
{
	timer_disarm(o->room->core->timers, &o->renew);
}

void
lookout_refresh(struct lookout *o)
{
	if (gauge_step(&o->gauge) != 0)
		ask(o, CHOICE_NEW, REFRESH, 0);
}
