/* SPDX-License-Identifier: ISC */
#include "dht/server_check.h"

#include "base/err.h"
#include "dht/joining.h"
#include "dht/promotion.h"
#include "dht/request.h"

void
server_check_start(struct server_check *c)
{
	c->due = c->self->tick + TICKS_SERVER_CHECK;
}

bool
server_check_is_blocked(const struct server_check *c)
{
	return c->blocked && c->self->firewalled;
}

/* ---- the nodes that are asked ---- */

static bool
is_listed(const struct addr *list, size_t len, const struct addr *a)
{
	for (size_t i = 0; i < len; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

/* Writes the nodes that were silent longest. While none answers, draws them at
 * random, since those may have left. Returns how many. */
static size_t
choose_nodes(const struct server_check *c, struct addr *out)
{
	const struct local_node *self = c->self;
	const struct table *t = &self->table;
	uint32_t node = table_oldest(t);
	size_t n = 0;

	for (unsigned i = 0; i < PROBE_NODES && node != 0; i++) {
		if (c->offline)
			node = table_random(t, world_random32(self->world));
		if (!is_listed(out, n, &table_at(t, node)->addr))
			out[n++] = table_at(t, node)->addr;
		if (!c->offline)
			node = table_at(t, node)->recent.next;
	}
	if (n < PROBE_NODES)
		n += joining_addresses(c->joining, out + n, PROBE_NODES - n);
	return n;
}

/* ---- the check ---- */

static void start_check(struct server_check *c);

/* Returns how many nodes have to agree, as for the firewall probe. */
static unsigned
votes_needed(const struct server_check *c)
{
	return c->asked < PROBE_NODES ? 1 : 3;
}

static void
note_open(struct server_check *c)
{
	c->failures = 0;
	if (server_check_is_blocked(c))
		promotion_server_open(c->promotion);
	c->blocked = false;
}

static void
note_failure(struct server_check *c)
{
	if (c->failures < SERVER_CHECK_FAILURES)
		c->failures++;
	if (server_check_is_blocked(c))
		return;
	if (c->failures < SERVER_CHECK_FAILURES) {
		start_check(c);
		return;
	}
	c->blocked = true;
	promotion_server_blocked(c->promotion);
}

static void
finish_check(struct server_check *c)
{
	if (c->heard >= votes_needed(c) && c->heard * 2 >= c->alive)
		note_open(c);
	else if (c->alive >= votes_needed(c) && c->heard * 2 < c->alive)
		note_failure(c);
	/* Otherwise too few nodes are up to tell. */
	c->due =
	    c->self->tick + (server_check_is_blocked(c) ? TICKS_BLOCKED_CHECK
							: TICKS_SERVER_CHECK);
}

static void
end_answer(struct server_check *c, int err)
{
	c->pending--;
	if (c->pending == 0 && err != ERR_CLOSED)
		finish_check(c);
}

static void
on_alive(void *owner, const struct dht_answer *a)
{
	struct server_check *c = owner;

	c->alive += a->err == 0;
	end_answer(c, a->err);
}

static void
on_heard(void *owner, const struct dht_answer *a)
{
	struct server_check *c = owner;

	c->heard += a->err == 0 && a->sock == c->self->server.handle;
	end_answer(c, a->err);
}

static void
ask_node(struct server_check *c, const struct addr *to)
{
	struct dht_done alive = {.call = on_alive, .owner = c};
	struct dht_done heard = {.call = on_heard, .owner = c};
	struct dht_call ping = {
	    .to = *to,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = REQUEST_SENDS,
	};

	if (promotion_ping_nat(c->promotion, to, REQUEST_SENDS, heard) != 0)
		return;
	c->asked++;
	c->pending++;
	if (requests_call(
		c->requests, c->self->client.handle, &ping, alive, NULL) == 0)
		c->pending++;
}

static void
start_check(struct server_check *c)
{
	struct addr to[PROBE_NODES];
	size_t n = choose_nodes(c, to);

	c->asked = c->alive = c->heard = 0;
	c->started_us = c->self->world->now_us;
	for (size_t i = 0; i < n; i++)
		ask_node(c, &to[i]);
	c->due = c->self->tick + TICKS_SERVER_CHECK;
}

/* A firewalled node has nothing to lose: its promotion checks the port. One
 * that stays persistent by its configuration is checked here. */
static bool
may_check(const struct server_check *c)
{
	const struct local_node *self = c->self;

	return self->config.health_ms != 0 && !self->closing &&
	       c->pending == 0 &&
	       (!self->firewalled ||
		   (server_check_is_blocked(c) && !self->ephemeral));
}

void
server_check_tick(struct server_check *c)
{
	if (!may_check(c) || (int32_t)(c->self->tick - c->due) < 0)
		return;
	c->offline = false;
	start_check(c);
}

void
server_check_unanswered(struct server_check *c)
{
	if (!may_check(c) || c->self->firewalled ||
	    (c->started_us != 0 && c->self->world->now_us - c->started_us <
				       (uint64_t)SERVER_CHECK_PAUSE_MS * 1000))
		return;
	c->offline = true;
	start_check(c);
}
