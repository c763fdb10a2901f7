/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "signal/keepalive.h"

enum {
	/* While the lifetime of mappings is not known: the reference's pace,
	 * protocol 02 §12. */
	PING_S = 3,
	TURNS = 3, /* as many as one key is announced to */
	/* All sends of a PING have passed when the next one is due. */
	PING_SENDS = 3,
	PING_WAIT_MS = 900,
};

/* A node that is pinged. */
struct kept {
	LIST_ENTRY(kept) link;
	struct keepalive *k;
	struct addr relay;
	uint32_t users; /* 0: gone when the request under way has ended */
	struct timer timer;
	struct request *request;
	bool lost;
	struct addr us; /* as it saw us last, or none ... */
	int sock;       /* ... at this socket */
};

static void on_due(struct timer *t);

void
keepalive_init(struct keepalive *k, const struct core *core, struct dht *d,
    struct keepalive_sink sink)
{
	k->core = core;
	k->dht = d;
	k->sink = sink;
	k->turn = 0;
	LIST_INIT(&k->kept);
}

static void
kept_free(struct kept *r)
{
	timer_disarm(r->k->core->timers, &r->timer);
	LIST_REMOVE(r, link);
	free(r);
}

void
keepalive_fini(struct keepalive *k)
{
	struct kept *r = LIST_FIRST(&k->kept), *next;

	for (; r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		r->users = 0;
		/* What is under way frees it in its completion. */
		if (r->request != NULL)
			dht_cancel(k->dht, r->request);
		else
			kept_free(r);
	}
}

static struct kept *
find(const struct keepalive *k, const struct addr *relay)
{
	struct kept *r;

	LIST_FOREACH (r, &k->kept, link)
		if (addr_equal(&r->relay, relay))
			return r;
	return NULL;
}

bool
keepalive_is_lost(const struct keepalive *k, const struct addr *relay)
{
	const struct kept *r = find(k, relay);

	return r != NULL && r->lost;
}

static uint64_t
pace_us(const struct keepalive *k)
{
	return mapping_keep_us(
	    dht_mapping(k->dht), PING_S, MAPPING_KEEP_HEARD_S);
}

static void
arm(struct kept *r, uint64_t us)
{
	const struct core *core = r->k->core;

	/* Out of memory: the announcer's own pace finds another relay. */
	(void)timer_arm(core->timers, &r->timer, core->world->now_us + us);
}

/* A slow pace is kept in turns: one of a few soon notices what has changed. */
static void
arm_first(struct kept *r)
{
	struct keepalive *k = r->k;
	uint64_t us = pace_us(k);

	if (us > PING_S * UINT64_C(1000000))
		us = us * (1 + k->turn++ % TURNS) / TURNS;
	arm(r, us);
}

void
keepalive_repace(struct keepalive *k)
{
	struct kept *r;

	LIST_FOREACH (r, &k->kept, link)
		if (r->users > 0)
			arm_first(r);
}

/* Whether it still sees this socket of ours where it did. */
static void
compare(struct kept *r, const struct dht_answer *a)
{
	struct dht *d = r->k->dht;
	const struct addr *us = &a->reply->to;

	if (addr_usable(us) && r->us.family != ADDR_NONE &&
	    r->sock == a->sock && !addr_equal(&r->us, us))
		mapping_changed(dht_mapping(d), addr_same_host(&r->us, us),
		    r->k->core->world->now_us);
	r->us = *us;
	r->sock = a->sock;
}

/* One is back: so may be the others, who are asked before anybody chooses. */
static void
ask_lost(struct keepalive *k)
{
	struct kept *r;

	LIST_FOREACH (r, &k->kept, link)
		if (r->lost && r->users > 0)
			arm(r, 0);
}

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct kept *r = owner;
	const struct keepalive_sink *sink = &r->k->sink;

	r->request = NULL;
	if (r->users == 0) {
		kept_free(r);
		return;
	}
	if (a->err == 0) {
		compare(r, a);
		if (r->lost)
			ask_lost(r->k);
	}
	r->lost = a->err != 0;
	/* Last: the sink may let go of this one too. */
	if (a->err == 0)
		sink->pong(sink->owner, &a->from, &a->reply->to);
	else if (a->err == ERR_TIMEOUT)
		sink->lost(sink->owner, &a->from);
}

static void
on_due(struct timer *t)
{
	struct kept *r = container_of(t, struct kept, timer);
	struct dht_call c = {
	    .to = r->relay,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = PING_SENDS,
	    .timeout_ms = PING_WAIT_MS,
	};
	struct dht_done done = {.call = on_pong, .owner = r};

	arm(r, pace_us(r->k));
	/* Refused: the next one will do. */
	if (r->request == NULL)
		(void)dht_call(r->k->dht, &c, done, &r->request);
}

void
keepalive_hold(struct keepalive *k, const struct addr *relay)
{
	struct kept *r = find(k, relay);

	if (r == NULL) {
		if ((r = calloc(1, sizeof *r)) == NULL)
			return;
		r->k = k;
		r->relay = *relay;
		LIST_INSERT_HEAD(&k->kept, r, link);
	}
	if (r->users++ == 0) {
		r->timer.fire = on_due;
		r->lost = false;
		arm_first(r);
	}
}

void
keepalive_release(struct keepalive *k, const struct addr *relay)
{
	struct kept *r = find(k, relay);

	if (r == NULL || r->users == 0 || --r->users > 0)
		return;
	timer_disarm(k->core->timers, &r->timer);
	if (r->request == NULL)
		kept_free(r);
}
