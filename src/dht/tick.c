/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dht/inside.h"

/*
 * Ticks are counted as they are noticed: with each datagram and each of our
 * timers. The tick timer itself fires only when something is due, so an idle
 * node sleeps for most of a minute.
 */
void
tick_catch_up(struct dht *d)
{
	uint32_t n = 0;

	for (; d->world->now_us >= d->next_tick_us; n++)
		d->next_tick_us += (uint64_t)d->config.tick_ms * 1000;
	if (n == 0)
		return;
	d->tick += n;
	d->hints_left = HINTS_PER_TICK;
	/* What was counted happened in the first of them; the rest were idle.
	 */
	for (uint32_t i = 0; i < n && i < HEALTH_TICKS; i++) {
		if (d->bootstrapped &&
		    health_tick(
			&d->health, d->requests.replies, d->requests.timeouts))
			d->events |= DHT_EV_HEALTH;
		d->requests.replies = d->requests.timeouts = 0;
	}
}

static bool
is_due(const struct dht *d, uint32_t at)
{
	return (int32_t)(d->tick - at) >= 0;
}

static bool
table_is_small(const struct dht *d)
{
	return d->table.nodes.len < RPC_K;
}

/* Arms the timer for the tick at which there is something to do. */
void
tick_arm(struct dht *d)
{
	uint32_t at = d->tick - d->tick % TICKS_PING_SOME + TICKS_PING_SOME;
	uint32_t dues[] = {d->refresh_at, d->ephemeral ? d->stable_at : at,
	    table_is_small(d) ? d->small_at : at};

	for (unsigned i = 0; i < sizeof dues / sizeof *dues; i++)
		if ((int32_t)(dues[i] - at) < 0)
			at = dues[i];
	if (is_due(d, at))
		at = d->tick + 1;
	timer_arm(d->timers, &d->tick_timer,
	    d->next_tick_us +
		(uint64_t)(at - d->tick - 1) * d->config.tick_ms * 1000);
}

static void
on_refreshed(void *owner, const struct query_result *r)
{
	struct dht *d = owner;

	(void)r;
	d->refreshing = false;
}

/*
 * Every other refresh is a walk to the own id that begins at the bootstrap list
 * too. Two halves of a network that lost sight of each other know only their
 * own; those lists are the one thing that they still share.
 */
void
tick_refresh(struct dht *d)
{
	struct query_spec spec = {
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .background = true,
	    .bootstrap = d->refreshes++ % 2 == 1,
	    .done = on_refreshed,
	    .owner = d,
	};
	uint32_t node = table_random(&d->table, world_random32(d->world));

	/* Whatever calls for it, and however often: one at a time will do. */
	if (d->refreshing)
		return;
	memcpy(spec.target,
	    node != 0 && !spec.bootstrap ? table_at(&d->table, node)->id
					 : d->table.own,
	    ID_LEN);
	d->refreshing = query_start(d, &spec, NULL) == 0;
}

/*
 * Looks after those who were silent longest, protocol 01 §14.4. Walks, ours and
 * others', keep most of the table heard; only the rest needs to be asked.
 */
static void
ping_some(struct dht *d)
{
	uint32_t i = table_oldest(&d->table), n = d->requests.len > 2 ? 3 : 5;

	if (i == 0) {
		join_resolve(d);
		tick_refresh(d);
		return;
	}
	for (; n > 0 && i != 0; n--) {
		struct table_node *node = table_at(&d->table, i);
		uint32_t next = node->heard.next;

		if (d->tick - node->seen < TICKS_SILENT)
			break;
		if (node->pinged != d->tick)
			candidate_check(d, i, false);
		i = next;
	}
}

/* An ephemeral node whose time has come asks whether it may be persistent. */
static void
watch_stability(struct dht *d)
{
	if (!d->ephemeral || d->config.role == DHT_BOOTSTRAP ||
	    !is_due(d, d->stable_at))
		return;
	/* The same host as when it failed: no need to ask again so soon. */
	if (d->config.role == DHT_AUTO && d->last_host.family != ADDR_NONE &&
	    addr_same_host(&d->last_host, &d->sampler.result))
		d->stable_at = d->tick + TICKS_MORE_STABLE;
	else
		promote_check(d, false);
}

/*
 * A small table is worth more effort, most of all at first: nodes that started
 * together could not tell us of each other yet.
 */
static bool
small_refresh_due(struct dht *d)
{
	if (!table_is_small(d) || !is_due(d, d->small_at))
		return false;
	if (d->small_wait < TICKS_SMALL_REFRESH)
		d->small_wait *= 2;
	d->small_at = d->tick + d->small_wait;
	return true;
}

static void
upkeep(struct dht *d)
{
	watch_stability(d);
	if (d->tick % TICKS_PING_SOME == 0) {
		guard_sweep(&d->guard, d->world);
		ping_some(d);
	}
	if (is_due(d, d->refresh_at) || small_refresh_due(d)) {
		d->refresh_at = d->tick + TICKS_REFRESH;
		tick_refresh(d);
	}
}

static void
on_tick(struct timer *t)
{
	struct dht *d = container_of(t, struct dht, tick_timer);

	tick_catch_up(d);
	if (d->bootstrapped)
		upkeep(d);
	tick_arm(d);
}

void
tick_init(struct dht *d)
{
	/* Random, so that nodes started together do not act together. */
	d->tick = 51 + world_below(d->world, 50);
	d->refresh_at = d->tick + 31 + world_below(d->world, 30);
	d->stable_at = d->tick + TICKS_STABLE;
	d->small_at = d->tick + 1;
	d->small_wait = 1;
	d->hints_left = HINTS_PER_TICK;
	d->next_tick_us = d->world->now_us + (uint64_t)d->config.tick_ms * 1000;
	health_init(&d->health);
	d->tick_timer = (struct timer){.fire = on_tick};
	tick_arm(d);
}

uint32_t
tick_after_wakeup(uint32_t tick)
{
	tick += 2 * TICKS_OLD;
	/* All nodes look old now, and in two ticks some are pinged. */
	return tick - tick % TICKS_PING_SOME + TICKS_PING_SOME - 2;
}

void
dht_slept(struct dht *d)
{
	d->events |= DHT_EV_WAKEUP;
	d->stats->wakeups++;
	tick_catch_up(d);
	d->tick = tick_after_wakeup(d->tick);
	d->last_host = (struct addr){0};
	health_init(&d->health);
	mapping_void(&d->mapping);
	if (d->config.role == DHT_AUTO && !d->ephemeral) {
		bool firewalled = d->firewalled;

		promote_undo(d);
		d->firewalled = firewalled;
	}
	d->stable_at = d->tick + TICKS_MORE_STABLE;
	d->small_at = d->tick + d->small_wait;
	d->refresh_at = d->tick + TICKS_REFRESH;
	if (d->bootstrapped)
		tick_refresh(d);
	tick_arm(d);
}
