/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dht/candidate.h"
#include "dht/health.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/queries.h"
#include "dht/request.h"
#include "dht/server_check.h"

/* ---- ticks ---- */

static uint64_t
tick_us(const struct maintenance *m)
{
	return (uint64_t)m->self->config.tick_ms * 1000;
}

void
maintenance_advance(struct maintenance *m)
{
	uint32_t n = 0;

	for (; m->self->world->now_us >= m->next_tick_us; n++)
		m->next_tick_us += tick_us(m);
	if (n == 0)
		return;
	m->self->tick += n;
	queries_reset_hints(m->queries);
}

static bool
is_due(const struct maintenance *m, uint32_t at)
{
	return (int32_t)(m->self->tick - at) >= 0;
}

static bool
table_is_small(const struct maintenance *m)
{
	return m->self->table.nodes.len < RPC_K;
}

void
maintenance_arm(struct maintenance *m)
{
	const struct local_node *self = m->self;
	uint32_t tick = self->tick;
	uint32_t at = tick - tick % TICKS_PING_SOME + TICKS_PING_SOME;
	uint32_t dues[] = {m->refresh_at,
	    self->ephemeral ? m->promotion->stable_at : at,
	    table_is_small(m) ? m->small_at : at};

	for (unsigned i = 0; i < sizeof dues / sizeof *dues; i++)
		if ((int32_t)(dues[i] - at) < 0)
			at = dues[i];
	if (is_due(m, at))
		at = tick + 1;
	timer_arm(self->timers, &m->tick_timer,
	    m->next_tick_us + (uint64_t)(at - tick - 1) * tick_us(m));
}

/* ---- refreshes of the table ---- */

static void
on_refreshed(void *owner, const struct query_result *r)
{
	struct maintenance *m = owner;

	(void)r;
	m->refreshing = false;
}

/*
 * Every other refresh looks up our own id and asks a node of the bootstrap list
 * as well. Two halves of a network that have lost each other contain only their
 * own nodes; the bootstrap list is the one thing that they still share.
 */
void
maintenance_refresh(struct maintenance *m)
{
	struct query_spec spec = {
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .background = true,
	    .bootstrap = m->refreshes++ % 2 == 1,
	    .done = on_refreshed,
	    .owner = m,
	};
	const struct table *t = &m->self->table;
	uint32_t node = table_random(t, world_random32(m->self->world));

	if (m->refreshing)
		return;
	memcpy(spec.target,
	    node != 0 && !spec.bootstrap ? table_at(t, node)->id : t->own,
	    ID_LEN);
	m->refreshing = queries_start(m->queries, &spec, NULL) == 0;
}

void
maintenance_rejoin(struct maintenance *m)
{
	m->refreshes |= 1; /* the next refresh asks the bootstrap list */
	maintenance_refresh(m);
}

void
maintenance_postpone_refresh(struct maintenance *m)
{
	struct local_node *self = m->self;

	/* Random, so that nodes started together do not act together. */
	m->refresh_at = self->tick + TICKS_REFRESH -
			world_below(self->world, TICKS_REFRESH / 4);
}

/*
 * Returns true if an additional refresh is due because the table is small. The
 * first ones follow each other quickly: nodes that were started together could
 * not report each other at first.
 */
static bool
small_refresh_due(struct maintenance *m)
{
	if (!table_is_small(m) || !is_due(m, m->small_at))
		return false;
	if (m->small_wait < TICKS_SMALL_REFRESH)
		m->small_wait *= 2;
	m->small_at = m->self->tick + m->small_wait;
	return true;
}

/* ---- periodic work ---- */

/*
 * Pings the nodes that have been silent longest, protocol 01 §14.4. Queries,
 * ours and those of others, keep most of the table active.
 */
static void
ping_silent_nodes(struct maintenance *m)
{
	struct local_node *self = m->self;
	uint32_t i = table_oldest(&self->table);
	uint32_t n = m->requests->len > 2 ? 3 : 5;

	if (i == 0) {
		joining_resolve_again(m->joining);
		maintenance_refresh(m);
		return;
	}
	for (; n > 0 && i != 0; n--) {
		struct table_node *node = table_at(&self->table, i);
		uint32_t next = node->recent.next;

		if (self->tick - node->seen < TICKS_SILENT)
			break;
		if (node->pinged != self->tick)
			candidates_check_node(m->candidates, i, false);
		i = next;
	}
}

static void
run_tick(struct maintenance *m)
{
	struct local_node *self = m->self;

	if (self->tick % TICKS_PING_SOME == 0)
		rate_limiter_sweep(m->limiter, self->world);
	if (m->health->state == DHT_OFFLINE)
		return;
	promotion_tick(m->promotion);
	server_check_tick(m->server_check);
	if (self->tick % TICKS_PING_SOME == 0)
		ping_silent_nodes(m);
	if (is_due(m, m->refresh_at) || small_refresh_due(m)) {
		m->refresh_at = self->tick + TICKS_REFRESH;
		maintenance_refresh(m);
	}
}

static void
on_tick(struct timer *t)
{
	struct maintenance *m = container_of(t, struct maintenance, tick_timer);

	maintenance_advance(m);
	if (m->self->bootstrapped)
		run_tick(m);
	maintenance_arm(m);
}

void
maintenance_start(struct maintenance *m)
{
	struct local_node *self = m->self;

	/* Random, so that nodes started together do not act together. */
	self->tick = 51 + world_below(self->world, 50);
	m->refresh_at = self->tick + 31 + world_below(self->world, 30);
	promotion_start(m->promotion);
	server_check_start(m->server_check);
	m->small_at = self->tick + 1;
	m->small_wait = 1;
	queries_reset_hints(m->queries);
	m->next_tick_us = self->world->now_us + tick_us(m);
	m->tick_timer = (struct timer){.fire = on_tick};
	maintenance_arm(m);
}

void
maintenance_fini(struct maintenance *m)
{
	timer_disarm(m->self->timers, &m->tick_timer);
}

uint32_t
maintenance_tick_after_wakeup(uint32_t tick)
{
	tick += 2 * TICKS_OLD;
	/* Two ticks before a multiple of TICKS_PING_SOME: the first nodes, all
	 * of which are old now, are pinged soon. */
	return tick - tick % TICKS_PING_SOME + TICKS_PING_SOME - 2;
}

void
maintenance_wakeup(struct maintenance *m)
{
	struct local_node *self = m->self;

	maintenance_advance(m);
	self->tick = maintenance_tick_after_wakeup(self->tick);
	mapping_void(&self->mapping);
	promotion_wakeup(m->promotion);
	m->small_at = self->tick + m->small_wait;
	m->refresh_at = self->tick + TICKS_REFRESH;
	if (self->bootstrapped)
		maintenance_refresh(m);
	health_check(m->health);
	maintenance_arm(m);
}
