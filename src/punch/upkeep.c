/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "punch/inside.h"
#include "punch/upkeep.h"

enum {
	FIRST_S = 60,  /* the table is full by then, a short call over */
	AGAIN_S = 600, /* after one that told nothing, or was wrong */
};

static void on_event(void *owner, const struct lifetime_result *r);

static uint64_t
now_us(const struct upkeep *u)
{
	return u->room->core->world->now_us;
}

/* Up to a tenth later: nodes that were started together do not stay in step. */
static void
arm(struct upkeep *u, uint64_t s)
{
	uint64_t us = s * 1000000;

	us += us / 10 * world_below(u->room->core->world, 1000) / 1000;
	timer_arm(u->room->core->timers, &u->timer, now_us(u) + us);
}

static uint32_t
every_s(const struct upkeep *u)
{
	return u->room->core->limits->lifetime_minutes * 60;
}

/* An open node has no mapping to lose. */
static bool
is_of_use(const struct upkeep *u)
{
	struct dht_status st;

	dht_status(u->room->d, &st);
	return u->wanted && every_s(u) > 0 && st.bootstrapped && st.firewalled;
}

static int
begin(struct upkeep *u)
{
	struct lifetime_sink sink = {.event = on_event, .owner = u};
	int err = 0;

	if (u->measuring != NULL)
		return 0;
	u->measuring = lifetime_start(u->room, sink, &err);
	if (u->measuring == NULL)
		return err;
	u->room->core->stats->lifetimes++;
	u->began_us = now_us(u);
	return 0;
}

static void
on_timer(struct timer *t)
{
	struct upkeep *u = container_of(t, struct upkeep, timer);

	if (!u->wanted)
		return;
	/* The end of it arms this anew. */
	if (!is_of_use(u) || begin(u) != 0)
		arm(u, AGAIN_S);
}

/* At the end whoever is told may go, and others with him. */
static void
tell(struct upkeep *u, const struct lifetime_result *r)
{
	struct upkeep_watch *w;
	struct upkeep_watches ended;

	if (r->next_s > 0) {
		TAILQ_FOREACH (w, &u->watches, link)
			w->sink.event(w->sink.owner, r);
		return;
	}
	TAILQ_INIT(&ended);
	TAILQ_CONCAT(&ended, &u->watches, link);
	while ((w = TAILQ_FIRST(&ended)) != NULL) {
		TAILQ_REMOVE(&ended, w, link);
		w->sink.event(w->sink.owner, r);
	}
}

static void
on_event(void *owner, const struct lifetime_result *r)
{
	struct upkeep *u = owner;

	if (r->next_s == 0) {
		u->measuring = NULL;
		if (r->known)
			mapping_learn(dht_mapping(u->room->d), r->at_least_s,
			    r->at_most_s, now_us(u));
		if (u->wanted)
			arm(u,
			    r->known && every_s(u) > 0 ? every_s(u) : AGAIN_S);
	}
	tell(u, r);
}

void
upkeep_init(struct upkeep *u, struct punch *p)
{
	*u = (struct upkeep){.room = p};
	u->timer.fire = on_timer;
	TAILQ_INIT(&u->watches);
}

void
upkeep_fini(struct upkeep *u)
{
	timer_disarm(u->room->core->timers, &u->timer);
	if (u->measuring != NULL)
		lifetime_cancel(u->measuring);
}

/* Who measured lately need not do so again for every new connection. */
static uint64_t
first_s(const struct upkeep *u)
{
	uint64_t age_s = (now_us(u) - u->began_us) / 1000000;
	bool known = dht_mapping(u->room->d)->known;
	uint64_t wait_s = known ? every_s(u) : AGAIN_S;

	return u->began_us > 0 && age_s + FIRST_S < wait_s ? wait_s - age_s
							   : FIRST_S;
}

/* What was measured turned out to be wrong, or was forgotten for it. */
static bool
is_doubtful(const struct upkeep *u)
{
	const struct mapping *m = dht_mapping(u->room->d);

	return m->losses > 0 || (!m->known && u->began_us > 0);
}

void
upkeep_check(struct upkeep *u)
{
	bool wanted = u->room->ready || u->paths > 0;

	if (wanted && u->measuring == NULL && !u->wanted)
		arm(u, first_s(u));
	else if (wanted && u->measuring == NULL && is_doubtful(u) &&
		 u->timer.due_us > now_us(u) + 2 * AGAIN_S * UINT64_C(1000000))
		arm(u, AGAIN_S);
	u->wanted = wanted;
}

void
upkeep_void(struct upkeep *u)
{
	static const struct lifetime_result nothing;

	if (u->measuring != NULL)
		lifetime_cancel(u->measuring);
	u->measuring = NULL;
	u->began_us = 0;
	if (u->wanted)
		arm(u, FIRST_S);
	tell(u, &nothing);
}

int
upkeep_join(struct punch *p, struct upkeep_watch *w)
{
	int err = begin(&p->upkeep);

	if (err == 0)
		TAILQ_INSERT_TAIL(&p->upkeep.watches, w, link);
	return err;
}

void
upkeep_part(struct punch *p, struct upkeep_watch *w)
{
	struct upkeep *u = &p->upkeep;

	TAILQ_REMOVE(&u->watches, w, link);
	if (!TAILQ_EMPTY(&u->watches) || u->measuring == NULL || is_of_use(u))
		return;
	/* Nobody else has a use for it. */
	lifetime_cancel(u->measuring);
	u->measuring = NULL;
}
