/* SPDX-License-Identifier: ISC */
#include "punch/punch_pool.h"

/* The pool grows by one socket at a time, so that PINGs come in no burst. */
enum { FILL_GAP_MS = 300 };

static bool
needs_socket(const struct punch_pool *pool)
{
	return pool->enabled &&
	       pool->idle_len < pool->table->core->limits->punch_pool;
}

static void
schedule_fill(struct punch_pool *pool)
{
	const struct core *c = pool->table->core;

	if (needs_socket(pool) && !timer_armed(&pool->fill_timer))
		timer_arm(c->timers, &pool->fill_timer,
		    c->world->now_us + FILL_GAP_MS * 1000);
}

static void
add_idle(struct punch_pool *pool, struct punch_socket *s)
{
	TAILQ_INSERT_TAIL(&pool->idle, s, link);
	pool->idle_len++;
	punch_socket_start_renewal(s);
}

static void
on_fill(struct timer *t)
{
	struct punch_pool *pool =
	    container_of(t, struct punch_pool, fill_timer);
	uint64_t quiet_us = pool->table->quiet_until_us;
	struct punch_socket *s;
	int err;

	if (quiet_us > pool->table->core->world->now_us) {
		timer_arm(pool->table->core->timers, t, quiet_us);
		return;
	}
	if (needs_socket(pool) &&
	    (s = punch_socket_open(pool->table, &err)) != NULL)
		add_idle(pool, s);
	schedule_fill(pool);
}

/* Closes the oldest idle sockets until so many are left. */
static void
close_idle(struct punch_pool *pool, uint32_t left)
{
	struct punch_socket *s;

	while (
	    pool->idle_len > left && (s = TAILQ_FIRST(&pool->idle)) != NULL) {
		TAILQ_REMOVE(&pool->idle, s, link);
		pool->idle_len--;
		punch_socket_close(s);
	}
}

void
punch_pool_init(struct punch_pool *pool, struct socket_table *table)
{
	*pool = (struct punch_pool){.table = table};
	pool->fill_timer.fire = on_fill;
	TAILQ_INIT(&pool->idle);
}

void
punch_pool_fini(struct punch_pool *pool)
{
	close_idle(pool, 0);
	timer_disarm(pool->table->core->timers, &pool->fill_timer);
}

void
punch_pool_set_enabled(struct punch_pool *pool, bool enabled)
{
	pool->enabled = enabled;
	if (enabled)
		schedule_fill(pool);
	else
		close_idle(pool, 0);
}

void
punch_pool_resize(struct punch_pool *pool)
{
	close_idle(pool, pool->table->core->limits->punch_pool);
	schedule_fill(pool);
}

void
punch_pool_renew(struct punch_pool *pool)
{
	close_idle(pool, 0);
	schedule_fill(pool);
}

struct punch_socket *
punch_pool_take(struct punch_pool *pool, int *err)
{
	struct punch_socket *s, *best = TAILQ_FIRST(&pool->idle);

	TAILQ_FOREACH (s, &pool->idle, link)
		if (nat_classifier_decided(&s->classifier)) {
			best = s;
			break;
		}
	if (best == NULL)
		return punch_socket_open(pool->table, err);
	TAILQ_REMOVE(&pool->idle, best, link);
	pool->idle_len--;
	punch_socket_stop_renewal(best);
	schedule_fill(pool);
	return best;
}

void
punch_pool_return(
    struct punch_pool *pool, struct punch_socket *s, bool reusable)
{
	s->entry.puncher = NULL;
	s->on_sample = NULL;
	if (!reusable || !needs_socket(pool)) {
		punch_socket_close(s);
		return;
	}
	nat_classifier_unfreeze(&s->classifier);
	add_idle(pool, s);
}

bool
punch_pool_contains(const struct punch_pool *pool, const struct punch_socket *s)
{
	const struct punch_socket *idle;

	TAILQ_FOREACH (idle, &pool->idle, link)
		if (idle == s)
			return true;
	return false;
}
