/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "punch/turns.h"

static bool
is_free(const struct turns *ts, enum turn_kind kind)
{
	return ts->running[kind] < ts->max[kind];
}

static void
leave(struct turns *ts, struct turn *t)
{
	TAILQ_REMOVE(&ts->waiting[t->kind], t, link);
	ts->waiting_len[t->kind]--;
	t->state = TURN_NONE;
}

static void
take(struct turns *ts, struct turn *t)
{
	t->state = TURN_HAS;
	ts->running[t->kind]++;
	ts->last[t->kind] = t->who;
}

static bool
is_of(const struct turn *t, const struct addr *who)
{
	return t->who.family != ADDR_NONE && addr_same_prefix(&t->who, who);
}

/* The first of another network than the last, or the first. */
static struct turn *
first(const struct turns *ts, enum turn_kind kind)
{
	struct turn *t;

	TAILQ_FOREACH (t, &ts->waiting[kind], link)
		if (!is_of(t, &ts->last[kind]))
			return t;
	return TAILQ_FIRST(&ts->waiting[kind]);
}

static uint32_t
share(const struct turns *ts, const struct turn *mine)
{
	const struct turn *t;
	uint32_t n = 0;

	TAILQ_FOREACH (t, &ts->waiting[mine->kind], link)
		n += is_of(t, &mine->who);
	return n;
}

static void
on_next(struct timer *timer)
{
	struct turns *ts = container_of(timer, struct turns, next);

	for (int kind = 0; kind < TURN_KINDS; kind++) {
		struct turn *t;

		while (is_free(ts, kind) && (t = first(ts, kind)) != NULL) {
			leave(ts, t);
			take(ts, t);
			t->ready(t);
		}
	}
}

void
turns_init(
    struct turns *ts, struct timers *timers, uint32_t fans, uint32_t sprays)
{
	*ts = (struct turns){
	    .timers = timers,
	    .next = {.fire = on_next},
	    .max = {[TURN_FAN] = fans, [TURN_SPRAY] = sprays},
	};
	for (int kind = 0; kind < TURN_KINDS; kind++)
		TAILQ_INIT(&ts->waiting[kind]);
}

void
turns_set_max(struct turns *ts, uint32_t fans, uint32_t sprays)
{
	ts->max[TURN_FAN] = fans;
	ts->max[TURN_SPRAY] = sprays;
	timer_arm(ts->timers, &ts->next, ts->timers->now_us);
}

void
turns_fini(struct turns *ts)
{
	timer_disarm(ts->timers, &ts->next);
}

int
turns_ask(struct turns *ts, struct turn *t, enum turn_kind kind,
    const struct addr *who)
{
	t->kind = kind;
	t->who = who != NULL ? *who : (struct addr){.family = ADDR_NONE};
	if (is_free(ts, kind) && TAILQ_EMPTY(&ts->waiting[kind])) {
		take(ts, t);
		return 0;
	}
	if (ts->waiting_len[kind] >= TURNS_WAITING_MAX ||
	    share(ts, t) >= TURNS_SHARE_MAX)
		return ERR_BUSY;
	t->state = TURN_WAITS;
	TAILQ_INSERT_TAIL(&ts->waiting[kind], t, link);
	ts->waiting_len[kind]++;
	return 1;
}

void
turns_end(struct turns *ts, struct turn *t)
{
	if (t->state == TURN_WAITS) {
		leave(ts, t);
	} else if (t->state == TURN_HAS) {
		t->state = TURN_NONE;
		ts->running[t->kind]--;
		/* In a wake-up of its own: whoever is next may do anything. */
		timer_arm(ts->timers, &ts->next, ts->timers->now_us);
	}
}
