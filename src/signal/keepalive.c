/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "signal/keepalive.h"

enum {
	/* Mappings of UDP in NATs live 30 s and more (RFC 4787 REQ-5 wants two
	 * minutes); this is the reference's pace, spec 02 §12. */
	PING_US = 3 * 1000000,
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
};

static void on_due(struct timer *t);

void
keepalive_init(struct keepalive *k, struct dht *d, struct keepalive_sink sink)
{
	k->dht = d;
	k->sink = sink;
	LIST_INIT(&k->kept);
}

static void
kept_free(struct kept *r)
{
	timer_disarm(dht_timers(r->k->dht), &r->timer);
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

static void
arm(struct kept *r)
{
	struct dht *d = r->k->dht;

	/* Out of memory: the announcer's own pace finds another relay. */
	(void)timer_arm(
	    dht_timers(d), &r->timer, dht_world(d)->now_us + PING_US);
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

	arm(r);
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
		/* Staggered by when each was chosen. */
		arm(r);
	}
}

void
keepalive_let_go(struct keepalive *k, const struct addr *relay)
{
	struct kept *r = find(k, relay);

	if (r == NULL || r->users == 0 || --r->users > 0)
		return;
	timer_disarm(dht_timers(k->dht), &r->timer);
	if (r->request == NULL)
		kept_free(r);
}
