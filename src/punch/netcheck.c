/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"
#include "punch/netcheck.h"

/*
 *	SAMPLES --verdict--> OPENNESS --silence--> KNOCKS --silence--> done
 *	   |                    |                    |
 *	   +-- no address ------+---- an answer -----+---------------> done
 */
enum netcheck_state { NETCHECK_SAMPLES, NETCHECK_OPENNESS, NETCHECK_KNOCKS };

enum {
	ASKED_MAX = 2, /* nodes per question: one answer may be lost */
	ANSWER_MS = 1000,
	/* Longer than two passes of PINGs. */
	SAMPLES_MS = 3000,
	LOOKED_AT_MAX = 256,
};

struct netcheck {
	struct punch *room;
	struct netcheck_done done;
	struct lookout *seen, *other; /* under test; who asks for answers */
	enum netcheck_state state;
	struct timer timer;
	bool ending;
	struct netcheck_result result;
	struct addr asked[ASKED_MAX]; /* in this state */
	uint32_t asked_len;
};

static void on_sampled(void *owner);
static void on_timer(struct timer *t);

static void
netcheck_free(struct netcheck *n)
{
	n->ending = true;
	timer_disarm(n->room->timers, &n->timer);
	/* What is in flight from them ends here. */
	if (n->seen != NULL)
		lookout_close(n->seen);
	if (n->other != NULL)
		lookout_close(n->other);
	free(n);
}

void
netcheck_cancel(struct netcheck *n)
{
	netcheck_free(n);
}

static void
finish(struct netcheck *n)
{
	struct netcheck_done done = n->done;
	struct netcheck_result r = n->result;
	const struct gauge *g = &n->seen->gauge;

	r.udp = g->len > 0;
	r.verdict = g->verdict;
	r.step = gauge_step(g);
	r.samples = g->len;
	r.addrs_len = g->addrs_len;
	memcpy(r.addrs, g->addrs, g->addrs_len * sizeof *g->addrs);
	r.hairpin = n->seen->probes > 0;
	netcheck_free(n);
	done.call(done.owner, &r);
}

static void
wait(struct netcheck *n, enum netcheck_state state, uint32_t ms)
{
	n->state = state;
	timer_arm(n->room->timers, &n->timer,
	    n->room->world->now_us + ms * UINT64_C(1000));
}

/* ---- questions ---- */

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct netcheck *n = owner;

	if (n->ending || a->err != 0 || a->sock != n->seen->hole.sock)
		return;
	if (n->result.filter == FILTER_UNKNOWN)
		n->result.filter =
		    n->state == NETCHECK_OPENNESS ? FILTER_NONE : FILTER_HOST;
}

/* Has the socket under test, or a question of this kind, been at this host? */
static bool
is_known(const struct netcheck *n, const struct addr *a)
{
	const struct lookout *o = n->seen;

	for (uint32_t i = 0; i < o->dests_len && i < LOOKOUT_DESTS_MAX; i++)
		if (addr_same_host(&o->dests[i], a))
			return true;
	for (uint32_t i = 0; i < n->asked_len; i++)
		if (addr_same_host(&n->asked[i], a))
			return true;
	return false;
}

/* To the host of that node, but another port: opens nothing but the host. */
static void
knock_beside(struct netcheck *n, const struct addr *node)
{
	static const uint8_t probe = 0;
	struct world *w = n->room->world;
	struct dgram_meta meta = {
	    .sock = n->seen->hole.sock, .to = *node, .ttl = SCHEDULE_TTL_LOW};
	uint8_t *buf;

	meta.to.port = meta.to.port == 1 ? 2 : (uint16_t)(meta.to.port - 1);
	if ((buf = w->ops->reserve(w, &meta, 1)) == NULL)
		return;
	*buf = probe;
	w->ops->commit(w, 1);
}

static void
ask(struct netcheck *n, const struct addr *node)
{
	uint8_t value[2];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = *node,
	    .internal = true,
	    .command = RPC_PING_NAT,
	    .value = {value, sizeof value},
	    .sends = 1,
	    .timeout_ms = ANSWER_MS,
	};
	struct dht_done done = {.call = on_answer, .owner = n};

	wr_le16(&w, n->result.addrs[0].port);
	if (n->state == NETCHECK_KNOCKS)
		knock_beside(n, node);
	if (dht_call_from(n->room->d, n->other->hole.sock, &c, done, NULL) == 0)
		n->asked[n->asked_len++] = *node;
}

/* False: nobody is left to ask. */
static bool
ask_some(struct netcheck *n, enum netcheck_state state)
{
	uint32_t cursor = 0;
	struct dht_node node;

	n->asked_len = 0;
	wait(n, state, ANSWER_MS);
	for (int i = 0; n->asked_len < ASKED_MAX && i < LOOKED_AT_MAX &&
			dht_next_node(n->room->d, &cursor, &node);
	     i++)
		if (!is_known(n, &node.addr))
			ask(n, &node.addr);
	return n->asked_len > 0;
}

static void
try_hairpin(struct netcheck *n)
{
	static const uint8_t probe = 0;
	struct world *w = n->room->world;
	struct dgram_meta meta = {
	    .sock = n->other->hole.sock, .to = n->result.addrs[0]};
	uint8_t *buf = w->ops->reserve(w, &meta, 1);

	if (buf == NULL)
		return;
	*buf = probe;
	n->result.hairpin_tried = w->ops->commit(w, 1) == 0;
}

/* ---- one after the other ---- */

static void
sampled(struct netcheck *n)
{
	const struct gauge *g = &n->seen->gauge;

	n->seen->sampled = NULL;
	if (g->verdict != VERDICT_CONSISTENT) {
		/* Nobody can be told where to answer. */
		finish(n);
		return;
	}
	n->result.addrs[0] = g->addrs[0];
	try_hairpin(n);
	if (!ask_some(n, NETCHECK_OPENNESS))
		n->state = NETCHECK_KNOCKS; /* the hairpin is still out */
}

static void
on_sampled(void *owner)
{
	struct netcheck *n = owner;

	/* All six, where time allows: the more the surer. */
	if (n->seen->pending == 0 && n->seen->gauge.finished)
		wait(n, NETCHECK_SAMPLES, 0);
}

static void
on_timer(struct timer *t)
{
	struct netcheck *n = container_of(t, struct netcheck, timer);

	if (n->state == NETCHECK_SAMPLES) {
		sampled(n);
	} else if (n->result.filter != FILTER_UNKNOWN) {
		finish(n);
	} else if (n->state != NETCHECK_OPENNESS ||
		   !ask_some(n, NETCHECK_KNOCKS)) {
		if (n->asked_len > 0)
			n->result.filter = FILTER_PORT;
		finish(n);
	}
}

struct netcheck *
netcheck_start(struct punch *p, struct netcheck_done done, int *err)
{
	struct netcheck *n = calloc(1, sizeof *n);

	*err = ERR_MEMORY;
	if (n == NULL)
		return NULL;
	n->room = p;
	n->done = done;
	n->timer.fire = on_timer;
	n->seen = lookout_open(p, err);
	if (n->seen != NULL)
		n->other = lookout_open(p, err);
	if (n->other == NULL) {
		netcheck_free(n);
		return NULL;
	}
	*err = 0;
	n->result.inner_port = n->seen->port;
	n->seen->sampled = on_sampled;
	n->seen->owner = n;
	wait(n, NETCHECK_SAMPLES, SAMPLES_MS);
	return n;
}
