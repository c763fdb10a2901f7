/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/punch_context.h"
#include "punch/netcheck.h"

/*
 *	SAMPLING --NAT type--> ANY_HOST --timeout--> SAME_HOST --timeout-->
 *SAME_PORT |                      |                      | | no common address
 *+-------- a reply -----+---------------------+ | v
 *	   +--------------------------------------------------------> RECHECK
 *--> done
 *
 * The timer ends the current state.
 */
enum netcheck_state {
	NETCHECK_SAMPLING,
	NETCHECK_ANY_HOST,
	NETCHECK_SAME_HOST,
	NETCHECK_SAME_PORT,
	NETCHECK_RECHECK,
};

enum {
	ASKED_MAX = 2, /* per state: one reply may be lost */
	REPLY_MS = 1000,
	/* Longer than two passes of PINGs take. */
	SAMPLES_MS = 3000,
	NODES_EXAMINED_MAX = 256,
	HAIRPINS = 2, /* per side: the first may only open the NAT */
	RECHECKS_MAX = 2,
};

/* A node that has seen a socket of ours and is pinged again. */
struct netcheck_recheck {
	struct netcheck *netcheck;
	struct nat_sample was;
	struct request *request;
};

struct netcheck {
	struct punch *punch;
	struct netcheck_done done;
	struct punch_socket *tested, *asker; /* requests replies to `tested` */
	enum netcheck_state state;
	struct timer timer;
	bool ending;
	struct netcheck_result result;
	struct addr asked[ASKED_MAX]; /* nodes of this state */
	uint32_t asked_len;
	struct netcheck_recheck rechecks[RECHECKS_MAX];
	uint32_t rechecks_len, rechecks_pending;
};

static void on_sampled(void *owner);
static void on_timer(struct timer *t);

static void
netcheck_free(struct netcheck *n)
{
	n->ending = true;
	timer_disarm(n->punch->core->timers, &n->timer);
	for (uint32_t i = 0; i < n->rechecks_len; i++)
		if (n->rechecks[i].request != NULL)
			dht_cancel(n->punch->dht, n->rechecks[i].request);
	/* Closing cancels the requests in flight. */
	if (n->tested != NULL)
		punch_socket_close(n->tested);
	if (n->asker != NULL)
		punch_socket_close(n->asker);
	free(n);
}

void
netcheck_cancel(struct netcheck *n)
{
	netcheck_free(n);
}

/* Returns whether `at` received a probe from our own outer host; other hosts
 * may send probes as well. */
static bool
is_own_probe(const struct punch_socket *at, const struct punch_socket *from)
{
	return at->probes > 0 && from->classifier.addrs_len > 0 &&
	       addr_same_host(&at->prober, &from->classifier.addrs[0]);
}

static void
finish_check(struct netcheck *n)
{
	struct netcheck_done done = n->done;
	struct netcheck_result r = n->result;
	const struct nat_classifier *g = &n->tested->classifier;

	r.udp = g->len > 0;
	r.nat_type = g->nat_type;
	r.step = nat_classifier_step(g);
	r.samples = g->len;
	r.addrs_len = g->addrs_len;
	memcpy(r.addrs, g->addrs, g->addrs_len * sizeof *g->addrs);
	r.hairpin = r.hairpin_tried && (is_own_probe(n->tested, n->asker) ||
					   is_own_probe(n->asker, n->tested));
	netcheck_free(n);
	done.call(done.owner, &r);
}

static void
set_netcheck_state(struct netcheck *n, enum netcheck_state state, uint32_t ms)
{
	n->state = state;
	timer_arm(n->punch->core->timers, &n->timer,
	    n->punch->core->world->now_us + ms * UINT64_C(1000));
}

/* ---- filtering ---- */

/* What a reply to the tested socket shows in each state. */
static const enum nat_filtering filtering_shown[] = {
    [NETCHECK_ANY_HOST] = FILTERING_NONE,
    [NETCHECK_SAME_HOST] = FILTERING_HOST,
    [NETCHECK_SAME_PORT] = FILTERING_PORT,
    [NETCHECK_RECHECK] = FILTERING_UNKNOWN,
};

static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct netcheck *n = owner;

	if (n->ending || a->err != 0 || a->sock != n->tested->entry.sock)
		return;
	if (n->result.filtering == FILTERING_UNKNOWN)
		n->result.filtering = filtering_shown[n->state];
}

/* Returns whether the tested socket has sent to this host, or a request of this
 * state has. */
static bool
is_known(const struct netcheck *n, const struct addr *a)
{
	const struct punch_socket *o = n->tested;

	for (uint32_t i = 0; i < o->dests_len && i < PUNCH_DESTS_MAX; i++)
		if (addr_same_host(&o->dests[i], a))
			return true;
	for (uint32_t i = 0; i < n->asked_len; i++)
		if (addr_same_host(&n->asked[i], a))
			return true;
	return false;
}

/* Opens the NAT for that node's address, or for its host alone: then with
 * another port. */
static void
open_nat_for(struct netcheck *n, const struct addr *node)
{
	struct addr to = *node;

	if (n->state == NETCHECK_SAME_HOST)
		to.port = to.port == 1 ? 2 : (uint16_t)(to.port - 1);
	(void)punch_probe(
	    n->punch, n->tested->entry.sock, &to, SCHEDULE_TTL_LOW);
}

static void
ping_node(struct netcheck *n, const struct addr *node)
{
	uint8_t value[2];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = *node,
	    .internal = true,
	    .command = RPC_PING_NAT,
	    .value = {value, sizeof value},
	    .sends = 1,
	    .timeout_ms = REPLY_MS,
	};
	struct dht_done done = {.call = on_reply, .owner = n};

	wr_le16(&w, n->result.addrs[0].port);
	if (n->state != NETCHECK_ANY_HOST)
		open_nat_for(n, node);
	if (dht_call_from(
		n->punch->dht, n->asker->entry.sock, &c, done, NULL) == 0)
		n->asked[n->asked_len++] = *node;
}

/* Pings nodes that are new to the tested socket. Returns false if there are
 * none. */
static bool
test_filtering(struct netcheck *n, enum netcheck_state state)
{
	uint32_t cursor = 0;
	struct dht_node node;

	n->asked_len = 0;
	set_netcheck_state(n, state, REPLY_MS);
	for (int i = 0; n->asked_len < ASKED_MAX && i < NODES_EXAMINED_MAX &&
			dht_next_node(n->punch->dht, &cursor, &node);
	     i++)
		if (!is_known(n, &node.addr))
			ping_node(n, &node.addr);
	return n->asked_len > 0;
}

/* Sends probes both ways: a NAT that filters admits only addresses that were
 * sent to. */
static void
try_hairpin(struct netcheck *n)
{
	const struct nat_classifier *g = &n->asker->classifier;

	if (g->addrs_len == 0)
		return;
	for (int i = 0; i < HAIRPINS; i++) {
		bool sent = punch_probe(
		    n->punch, n->tested->entry.sock, &g->addrs[0], 0);

		if (punch_probe(n->punch, n->asker->entry.sock,
			&n->result.addrs[0], 0) &&
		    sent)
			n->result.hairpin_tried = true;
	}
}

/* ---- stability ---- */

static void
on_recheck_reply(void *owner, const struct dht_answer *a)
{
	struct netcheck_recheck *g = owner;
	struct netcheck *n = g->netcheck;
	struct netcheck_result *r = &n->result;
	uint64_t s = (n->punch->core->world->now_us - g->was.at_us) / 1000000;

	g->request = NULL;
	n->rechecks_pending--;
	if (n->ending)
		return;
	if (a->err == 0 && !addr_equal(&a->reply->to, &g->was.saw))
		r->stability = STABILITY_CHANGED;
	else if (a->err == 0 && r->stability == STABILITY_UNKNOWN)
		r->stability = STABILITY_SAME;
	if (a->err == 0 && s > r->stable_s)
		r->stable_s = (uint32_t)s;
	if (n->rechecks_pending == 0)
		set_netcheck_state(n, NETCHECK_RECHECK, 0);
}

/* Pings the node again that reported this socket's address first. */
static void
send_recheck(struct netcheck *n, const struct punch_socket *o)
{
	struct dht_call c = {
	    .internal = true,
	    .command = RPC_PING,
	    .sends = 2,
	    .timeout_ms = REPLY_MS / 2,
	};
	struct netcheck_recheck *g = &n->rechecks[n->rechecks_len];
	struct dht_done done = {.call = on_recheck_reply, .owner = g};

	if (o->classifier.len == 0)
		return;
	g->netcheck = n;
	g->was = o->classifier.samples[0];
	c.to = g->was.by;
	if (dht_call_from(
		n->punch->dht, o->entry.sock, &c, done, &g->request) != 0)
		return;
	n->rechecks_len++;
	n->rechecks_pending++;
}

/*
 * Pings again for the tested socket, and for the oldest idle one of the pool.
 */
static void
start_rechecks(struct netcheck *n)
{
	const struct punch_socket *older = TAILQ_FIRST(&n->punch->pool.idle);

	set_netcheck_state(n, NETCHECK_RECHECK, 2 * REPLY_MS);
	send_recheck(n, n->tested);
	if (older != NULL)
		send_recheck(n, older);
	if (n->rechecks_pending == 0)
		set_netcheck_state(n, NETCHECK_RECHECK, 0);
}

/* ---- the sequence ---- */

static void
start_tests(struct netcheck *n)
{
	const struct nat_classifier *g = &n->tested->classifier;

	n->tested->on_sample = n->asker->on_sample = NULL;
	if (g->nat_type != NAT_TYPE_CONSISTENT) {
		/* No address is known that the nodes could reply to. */
		start_rechecks(n);
		return;
	}
	n->result.addrs[0] = g->addrs[0];
	try_hairpin(n);
	if (!test_filtering(n, NETCHECK_ANY_HOST))
		start_rechecks(n);
}

/* Returns whether all PINGs have ended: the more samples, the better. */
static bool
is_sampled(const struct punch_socket *o)
{
	return o->pending == 0 && o->classifier.finished;
}

static void
on_sampled(void *owner)
{
	struct netcheck *n = owner;

	if (is_sampled(n->tested) && is_sampled(n->asker))
		set_netcheck_state(n, NETCHECK_SAMPLING, 0);
}

static void
on_timer(struct timer *t)
{
	struct netcheck *n = container_of(t, struct netcheck, timer);
	enum netcheck_state next = n->state + 1;

	if (n->state == NETCHECK_SAMPLING)
		start_tests(n);
	else if (n->state == NETCHECK_RECHECK)
		finish_check(n);
	else if (n->result.filtering != FILTERING_UNKNOWN ||
		 next == NETCHECK_RECHECK || !test_filtering(n, next))
		start_rechecks(n);
}

struct netcheck *
netcheck_start(struct punch *p, struct netcheck_done done, int *err)
{
	struct netcheck *n = calloc(1, sizeof *n);

	*err = ERR_MEMORY;
	if (n == NULL)
		return NULL;
	n->punch = p;
	n->done = done;
	n->timer.fire = on_timer;
	n->tested = punch_socket_open(&p->sockets, err);
	if (n->tested != NULL)
		n->asker = punch_socket_open(&p->sockets, err);
	if (n->asker == NULL) {
		netcheck_free(n);
		return NULL;
	}
	*err = 0;
	n->result.inner_port = n->tested->port;
	n->tested->on_sample = n->asker->on_sample = on_sampled;
	n->tested->owner = n->asker->owner = n;
	set_netcheck_state(n, NETCHECK_SAMPLING, SAMPLES_MS);
	return n;
}
