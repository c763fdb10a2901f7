/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "punch/lifetime_schedule.h"

enum {
	FIRST_S =
	    60, /* the table is filled by then, a short connection closed */
	RETRY_S = 600, /* after a failed measurement, or one that was wrong */
};

static void on_result(void *owner, const struct lifetime_result *r);

static uint64_t
get_now_us(const struct lifetime_schedule *u)
{
	return u->table->core->world->now_us;
}

/* Arms the timer up to a tenth later than s, so that nodes which were started
 * together do not measure in step. */
static void
arm_timer(struct lifetime_schedule *u, uint64_t s)
{
	uint64_t us = s * 1000000;

	us += us / 10 * world_below(u->table->core->world, 1000) / 1000;
	timer_arm(u->table->core->timers, &u->timer, get_now_us(u) + us);
}

static uint32_t
interval_s(const struct lifetime_schedule *u)
{
	return u->table->core->limits->lifetime_minutes * 60;
}

/* Returns whether background measurements are of use; an open node has no
 * mapping that could expire. */
static bool
is_useful(const struct lifetime_schedule *u)
{
	struct dht_status st;

	dht_status(u->table->dht, &st);
	return u->wanted && interval_s(u) > 0 && st.bootstrapped &&
	       st.firewalled;
}

static int
start_measurement(struct lifetime_schedule *u)
{
	struct lifetime_listener sink = {.event = on_result, .owner = u};
	int err = 0;

	if (u->measuring != NULL)
		return 0;
	u->measuring = lifetime_start(u->table, sink, &err);
	if (u->measuring == NULL)
		return err;
	u->table->core->stats->lifetimes++;
	u->began_us = get_now_us(u);
	return 0;
}

static void
on_timer(struct timer *t)
{
	struct lifetime_schedule *u =
	    container_of(t, struct lifetime_schedule, timer);

	if (!u->wanted)
		return;
	/* The end of the measurement arms the timer again. */
	if (!is_useful(u) || start_measurement(u) != 0)
		arm_timer(u, RETRY_S);
}

/* Passes a result to all waiters. A waiter may free itself and others at its
 * last event, so the list is detached first. */
static void
notify_waiters(struct lifetime_schedule *u, const struct lifetime_result *r)
{
	struct lifetime_waiter *w;
	struct lifetime_waiter_list ended;

	if (r->next_s > 0) {
		TAILQ_FOREACH (w, &u->waiters, link)
			w->sink.event(w->sink.owner, r);
		return;
	}
	TAILQ_INIT(&ended);
	TAILQ_CONCAT(&ended, &u->waiters, link);
	while ((w = TAILQ_FIRST(&ended)) != NULL) {
		TAILQ_REMOVE(&ended, w, link);
		w->sink.event(w->sink.owner, r);
	}
}

static void
on_result(void *owner, const struct lifetime_result *r)
{
	struct lifetime_schedule *u = owner;

	if (r->next_s == 0) {
		u->measuring = NULL;
		if (r->known)
			mapping_learn(dht_mapping(u->table->dht), r->at_least_s,
			    r->at_most_s, get_now_us(u));
		if (u->wanted)
			arm_timer(u, r->known && interval_s(u) > 0
					 ? interval_s(u)
					 : RETRY_S);
	}
	notify_waiters(u, r);
}

void
lifetime_schedule_init(struct lifetime_schedule *u, struct socket_table *table)
{
	*u = (struct lifetime_schedule){.table = table};
	u->timer.fire = on_timer;
	TAILQ_INIT(&u->waiters);
}

void
lifetime_schedule_fini(struct lifetime_schedule *u)
{
	timer_disarm(u->table->core->timers, &u->timer);
	if (u->measuring != NULL)
		lifetime_cancel(u->measuring);
}

/* Returns the delay of the first measurement; a recent one is not repeated for
 * every new connection. */
static uint64_t
first_delay_s(const struct lifetime_schedule *u)
{
	uint64_t age_s = (get_now_us(u) - u->began_us) / 1000000;
	bool known = dht_mapping(u->table->dht)->known;
	uint64_t wait_s = known ? interval_s(u) : RETRY_S;

	return u->began_us > 0 && age_s + FIRST_S < wait_s ? wait_s - age_s
							   : FIRST_S;
}

/* Returns whether the measured lifetime was wrong, or was discarded because it
 * was. */
static bool
is_doubtful(const struct lifetime_schedule *u)
{
	const struct mapping *m = dht_mapping(u->table->dht);

	return m->losses > 0 || (!m->known && u->began_us > 0);
}

void
lifetime_schedule_update(struct lifetime_schedule *u)
{
	bool wanted = u->listening || u->paths > 0;

	if (wanted && u->measuring == NULL && !u->wanted)
		arm_timer(u, first_delay_s(u));
	else if (wanted && u->measuring == NULL && is_doubtful(u) &&
		 u->timer.due_us >
		     get_now_us(u) + 2 * RETRY_S * UINT64_C(1000000))
		arm_timer(u, RETRY_S);
	u->wanted = wanted;
}

void
lifetime_schedule_invalidate(struct lifetime_schedule *u)
{
	static const struct lifetime_result nothing;

	if (u->measuring != NULL)
		lifetime_cancel(u->measuring);
	u->measuring = NULL;
	u->began_us = 0;
	if (u->wanted)
		arm_timer(u, FIRST_S);
	notify_waiters(u, &nothing);
}

int
lifetime_schedule_join(struct lifetime_schedule *u, struct lifetime_waiter *w)
{
	int err = start_measurement(u);

	if (err == 0)
		TAILQ_INSERT_TAIL(&u->waiters, w, link);
	return err;
}

void
lifetime_schedule_leave(struct lifetime_schedule *u, struct lifetime_waiter *w)
{

	TAILQ_REMOVE(&u->waiters, w, link);
	if (!TAILQ_EMPTY(&u->waiters) || u->measuring == NULL || is_useful(u))
		return;
	/* The result has no other use. */
	lifetime_cancel(u->measuring);
	u->measuring = NULL;
}
