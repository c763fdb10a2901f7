/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dht/inside.h"

static void
arm(struct dht *d)
{
	timer_arm(d->timers, &d->tick_timer,
	    d->world->now_us + (uint64_t)d->config.tick_ms * 1000);
}

static void
on_refreshed(void *owner, const struct query_result *r)
{
	(void)owner;
	(void)r;
}

void
tick_refresh(struct dht *d)
{
	struct query_spec spec = {
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .background = true,
	    .done = on_refreshed,
	    .owner = d,
	};
	uint32_t node = table_random(&d->table, world_random32(d->world));

	memcpy(spec.target,
	    node != 0 ? table_at(&d->table, node)->id : d->table.own, ID_LEN);
	query_start(d, &spec, NULL);
}

/*
 * Looks after those who were silent longest, spec 01 §14.4. Walks, ours and
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
	if (!d->ephemeral || d->config.role == DHT_BOOTSTRAP)
		return;
	if (d->stable_ticks > 1) {
		d->stable_ticks--;
		return;
	}
	/* The same host as when it failed: no need to ask again so soon. */
	if (d->config.role == DHT_AUTO && d->last_host.family != ADDR_NONE &&
	    addr_same_host(&d->last_host, &d->sampler.result))
		d->stable_ticks = TICKS_MORE_STABLE;
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
	if (d->table.nodes.len >= RPC_K || --d->small_ticks > 0)
		return false;
	if (d->small_wait < TICKS_SMALL_REFRESH)
		d->small_wait *= 2;
	d->small_ticks = d->small_wait;
	return true;
}

static void
upkeep(struct dht *d)
{
	watch_stability(d);
	if (d->tick % TICKS_PING_SOME == 0)
		ping_some(d);
	if (--d->refresh_ticks == 0 || small_refresh_due(d)) {
		d->refresh_ticks = TICKS_REFRESH;
		tick_refresh(d);
	}
	d->hints_left = HINTS_PER_TICK;
	if (health_tick(&d->health, d->requests.replies, d->requests.timeouts))
		d->events |= DHT_EV_HEALTH;
	d->requests.replies = d->requests.timeouts = 0;
}

static void
on_tick(struct timer *t)
{
	struct dht *d = container_of(t, struct dht, tick_timer);

	arm(d);
	d->tick++;
	if (d->tick % TICKS_SWEEP == 0)
		guard_sweep(&d->guard, d->world);
	if (d->bootstrapped)
		upkeep(d);
}

void
tick_init(struct dht *d)
{
	/* Random, so that nodes started together do not act together. */
	d->tick = 51 + world_below(d->world, 50);
	d->refresh_ticks = 31 + world_below(d->world, 30);
	d->stable_ticks = TICKS_STABLE;
	d->small_ticks = d->small_wait = 1;
	d->hints_left = HINTS_PER_TICK;
	health_init(&d->health);
	d->tick_timer = (struct timer){.fire = on_tick};
	arm(d);
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
	d->tick = tick_after_wakeup(d->tick);
	d->last_host = (struct addr){0};
	health_init(&d->health);
	if (d->config.role == DHT_AUTO && !d->ephemeral) {
		bool firewalled = d->firewalled;

		promote_undo(d);
		d->firewalled = firewalled;
	}
	d->stable_ticks = TICKS_MORE_STABLE;
	if (d->bootstrapped)
		tick_refresh(d);
}
