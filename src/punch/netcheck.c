/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"
#include "punch/netcheck.h"

/*
 *	SAMPLES --verdict--> OPENNESS --silence--> KNOCKS --silence--> EXACT
 *	   |                     |                    |                  |
 *	   no common address     +----- an answer ----+-----------------+
 *	   |                                                            v
 *	   +---------------------------------------------------> AGAIN --> done
 */
enum netcheck_state {
	NETCHECK_SAMPLES,
	NETCHECK_OPENNESS,
	NETCHECK_KNOCKS,
	NETCHECK_EXACT,
	NETCHECK_AGAIN,
};

enum {
	ASKED_MAX = 2, /* nodes per question: one answer may be lost */
	ANSWER_MS = 1000,
	/* Longer than two passes of PINGs. */
	SAMPLES_MS = 3000,
	LOOKED_AT_MAX = 256,
	HAIRPINS = 2, /* the first from each side may only open the NAT */
	AGAIN_MAX = 2,
};

/* Somebody who saw a socket of ours, and is asked again. */
struct again {
	struct netcheck *of;
	struct gauge_sample was;
	struct request *request;
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
	struct again again[AGAIN_MAX];
	uint32_t again_len, again_pending;
};

static void on_sampled(void *owner);
static void on_timer(struct timer *t);

static void
netcheck_free(struct netcheck *n)
{
	n->ending = true;
	timer_disarm(n->room->core->timers, &n->timer);
	for (uint32_t i = 0; i < n->again_len; i++)
		if (n->again[i].request != NULL)
			dht_cancel(n->room->d, n->again[i].request);
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

/* Anybody may send a probe; ours comes from our own outer host. */
static bool
is_own_probe(const struct lookout *at, const struct lookout *from)
{
	return at->probes > 0 && from->gauge.addrs_len > 0 &&
	       addr_same_host(&at->prober, &from->gauge.addrs[0]);
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
	r.hairpin = r.hairpin_tried && (is_own_probe(n->seen, n->other) ||
					   is_own_probe(n->other, n->seen));
	netcheck_free(n);
	done.call(done.owner, &r);
}

static void
wait(struct netcheck *n, enum netcheck_state state, uint32_t ms)
{
	n->state = state;
	timer_arm(n->room->core->timers, &n->timer,
	    n->room->core->world->now_us + ms * UINT64_C(1000));
}

/* ---- questions ---- */

/* What an answer to the socket under test says of who is let in. */
static const enum filter said_by_answer[] = {
    [NETCHECK_OPENNESS] = FILTER_NONE,
    [NETCHECK_KNOCKS] = FILTER_HOST,
    [NETCHECK_EXACT] = FILTER_PORT,
    [NETCHECK_AGAIN] = FILTER_UNKNOWN,
};

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct netcheck *n = owner;

	if (n->ending || a->err != 0 || a->sock != n->seen->hole.sock)
		return;
	if (n->result.filter == FILTER_UNKNOWN)
		n->result.filter = said_by_answer[n->state];
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

/* Opens the way for that node, or for its host alone: from another port. */
static void
knock(struct netcheck *n, const struct addr *node)
{
	struct addr to = *node;

	if (n->state == NETCHECK_KNOCKS)
		to.port = to.port == 1 ? 2 : (uint16_t)(to.port - 1);
	(void)punch_probe(n->room, n->seen->hole.sock, &to, SCHEDULE_TTL_LOW);
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
	if (n->state != NETCHECK_OPENNESS)
		knock(n, node);
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

/* Both ways: who filters lets in only whom has been sent to. */
static void
try_hairpin(struct netcheck *n)
{
	const struct gauge *g = &n->other->gauge;

	if (g->addrs_len == 0)
		return;
	for (int i = 0; i < HAIRPINS; i++) {
		bool sent =
		    punch_probe(n->room, n->seen->hole.sock, &g->addrs[0], 0);

		if (punch_probe(
			n->room, n->other->hole.sock, &n->result.addrs[0], 0) &&
		    sent)
			n->result.hairpin_tried = true;
	}
}

/* ---- once more ---- */

static void
on_again(void *owner, const struct dht_answer *a)
{
	struct again *g = owner;
	struct netcheck *n = g->of;
	struct netcheck_result *r = &n->result;
	uint64_t s = (n->room->core->world->now_us - g->was.at_us) / 1000000;

	g->request = NULL;
	n->again_pending--;
	if (n->ending)
		return;
	if (a->err == 0 && !addr_equal(&a->reply->to, &g->was.saw))
		r->stability = STABILITY_CHANGED;
	else if (a->err == 0 && r->stability == STABILITY_UNKNOWN)
		r->stability = STABILITY_SAME;
	if (a->err == 0 && s > r->stable_s)
		r->stable_s = (uint32_t)s;
	if (n->again_pending == 0)
		wait(n, NETCHECK_AGAIN, 0);
}

/* Asks who has seen this socket first. */
static void
ask_again(struct netcheck *n, const struct lookout *o)
{
	struct dht_call c = {
	    .internal = true,
	    .command = RPC_PING,
	    .sends = 2,
	    .timeout_ms = ANSWER_MS / 2,
	};
	struct again *g = &n->again[n->again_len];
	struct dht_done done = {.call = on_again, .owner = g};

	if (o->gauge.len == 0)
		return;
	g->of = n;
	g->was = o->gauge.samples[0];
	c.to = g->was.by;
	if (dht_call_from(n->room->d, o->hole.sock, &c, done, &g->request) != 0)
		return;
	n->again_len++;
	n->again_pending++;
}

/* The socket under test, and one that has been there for longer. */
static void
look_again(struct netcheck *n)
{
	const struct lookout *older = TAILQ_FIRST(&n->room->idle);

	wait(n, NETCHECK_AGAIN, 2 * ANSWER_MS);
	ask_again(n, n->seen);
	if (older != NULL)
		ask_again(n, older);
	if (n->again_pending == 0)
		wait(n, NETCHECK_AGAIN, 0);
}

/* ---- one after the other ---- */

static void
sampled(struct netcheck *n)
{
	const struct gauge *g = &n->seen->gauge;

	n->seen->sampled = n->other->sampled = NULL;
	if (g->verdict != VERDICT_CONSISTENT) {
		/* Nobody can be told where to answer. */
		look_again(n);
		return;
	}
	n->result.addrs[0] = g->addrs[0];
	try_hairpin(n);
	if (!ask_some(n, NETCHECK_OPENNESS))
		look_again(n);
}

/* All six, where time allows: the more the surer. */
static bool
has_sampled(const struct lookout *o)
{
	return o->pending == 0 && o->gauge.finished;
}

static void
on_sampled(void *owner)
{
	struct netcheck *n = owner;

	if (has_sampled(n->seen) && has_sampled(n->other))
		wait(n, NETCHECK_SAMPLES, 0);
}

static void
on_timer(struct timer *t)
{
	struct netcheck *n = container_of(t, struct netcheck, timer);
	enum netcheck_state next = n->state + 1;

	if (n->state == NETCHECK_SAMPLES)
		sampled(n);
	else if (n->state == NETCHECK_AGAIN)
		finish(n);
	else if (n->result.filter != FILTER_UNKNOWN || next == NETCHECK_AGAIN ||
		 !ask_some(n, next))
		look_again(n);
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
	n->seen->sampled = n->other->sampled = on_sampled;
	n->seen->owner = n->other->owner = n;
	wait(n, NETCHECK_SAMPLES, SAMPLES_MS);
	return n;
}
