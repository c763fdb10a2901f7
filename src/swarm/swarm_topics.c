/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "swarm/swarm_struct.h"

enum {
	REFRESH_MS = 600000,
	JITTER_MS = 120000,
	LATE_US = 30000000, /* the machine slept */
	RETRY_MS = 10000,   /* after a failure, up to twice as long; doubled */
	DOUBLINGS_MAX = 6,
	SPREAD_MS = 2000, /* for each ten topics, after a network change */
	SPREAD_TOPICS = 10,
};

static void refresh(struct swarm_topic *t);
static bool is_early(const struct swarm_topic *t);
static void look_up_early(struct swarm_topic *t);

/* ---- the list ---- */

struct swarm_topic *
swarm_topic_find(const struct swarm *s, const uint8_t *topic)
{
	struct swarm_topic *t;

	TAILQ_FOREACH (t, &s->topics, link)
		if (memcmp(t->topic, topic, KEY_LEN) == 0)
			return t;
	return NULL;
}

static void
arm_ms(struct swarm_topic *t, uint32_t ms)
{
	timer_arm(t->swarm->core->timers, &t->timer,
	    swarm_now_us(t->swarm) + ms * UINT64_C(1000));
}

static void
on_timer(struct timer *timer)
{
	struct swarm_topic *t = container_of(timer, struct swarm_topic, timer);
	struct swarm *s = t->swarm;

	/* Not all members of a topic that wake up at once refresh at once. */
	if (swarm_now_us(s) - timer->due_us > LATE_US)
		arm_ms(t, world_below(s->core->world, JITTER_MS + 1));
	else if (is_early(t) && t->failures == 0)
		look_up_early(t);
	else
		refresh(t);
}

static struct swarm_topic *
topic_new(struct swarm *s, const uint8_t *topic)
{
	struct swarm_topic *t;

	if (s->topics_len >= s->core->limits->swarm_topics)
		return NULL;
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->swarm = s;
	t->timer.fire = on_timer;
	t->number = ++s->last_number;
	memcpy(t->topic, topic, KEY_LEN);
	TAILQ_INIT(&t->sessions);
	TAILQ_INSERT_TAIL(&s->topics, t, link);
	s->topics_len++;
	return t;
}

static void
topic_free(struct swarm_topic *t)
{
	struct swarm_session *x;

	while ((x = TAILQ_FIRST(&t->sessions)) != NULL) {
		TAILQ_REMOVE(&t->sessions, x, link);
		free(x);
	}
	timer_disarm(t->swarm->core->timers, &t->timer);
	TAILQ_REMOVE(&t->swarm->topics, t, link);
	t->swarm->topics_len--;
	free(t);
}

void
swarm_topics_init(struct swarm *s)
{
	TAILQ_INIT(&s->topics);
}

void
swarm_topics_fini(struct swarm *s)
{
	while (!TAILQ_EMPTY(&s->topics))
		topic_free(TAILQ_FIRST(&s->topics));
}

/* ---- refreshing ---- */

static unsigned
roles_of(const struct swarm_topic *t)
{
	const struct swarm_session *x;
	unsigned roles = 0;

	TAILQ_FOREACH (x, &t->sessions, link)
		roles |= x->roles;
	return roles;
}

static void
cancel_lookup(struct swarm_topic *t)
{
	const struct swarm_config *c = &t->swarm->config;

	if (t->looking)
		c->ops->cancel(c->owner, t->topic);
	t->looking = false;
}

static void
withdraw(struct swarm_topic *t)
{
	const struct swarm_config *c = &t->swarm->config;

	if (t->announced)
		c->ops->withdraw(c->owner, t->topic);
	t->announced = false;
	t->announcing = false;
	t->waits = false;
}

static void
announce(struct swarm_topic *t)
{
	const struct swarm_config *c = &t->swarm->config;

	t->waits = !t->swarm->listening;
	t->announcing = true;
	if (t->waits)
		return;
	t->announced = true;
	c->ops->announce(c->owner, t->topic);
}

/* Lets the listener start, once for all topics. */
static void
order_listener(struct swarm *s)
{
	if (s->listen_ordered)
		return;
	s->listen_ordered = true;
	s->config.ops->listen(s->config.owner);
}

static void
refresh(struct swarm_topic *t)
{
	struct swarm *s = t->swarm;
	unsigned roles = roles_of(t);
	bool running = t->looking || t->announcing;

	if (s->suspended || (running && roles == t->roles))
		return;
	timer_disarm(s->core->timers, &t->timer);
	cancel_lookup(t);
	t->roles = roles;
	t->err = 0;
	if ((roles & SWARM_SERVER) == 0)
		withdraw(t);
	else if (!t->announcing) {
		order_listener(s);
		announce(t);
	}
	if ((roles & SWARM_CLIENT) != 0) {
		t->looking = true;
		s->config.ops->lookup(s->config.owner, t->topic);
	}
}

static const uint32_t early_ms[] = {200, 1500, 5000};

static bool
is_early(const struct swarm_topic *t)
{
	return t->swarm->config.early_lookups && t->err == 0 &&
	       (t->roles & SWARM_CLIENT) != 0 &&
	       t->early < sizeof early_ms / sizeof *early_ms;
}

/* Arms the timer for the next lookup soon after a join. */
static void
arm_early(struct swarm_topic *t)
{
	uint32_t ms = early_ms[t->early];

	arm_ms(t, ms + world_below(t->swarm->core->world, ms / 4));
}

static void
look_up_early(struct swarm_topic *t)
{
	t->early++;
	t->looking = true;
	t->swarm->config.ops->lookup(t->swarm->config.owner, t->topic);
}

/* Arms the timer once both parts of a refresh have ended. */
static void
check_end(struct swarm_topic *t)
{
	struct world *w = t->swarm->core->world;
	uint32_t ms = REFRESH_MS, doublings = t->failures;

	if (t->looking || t->announcing)
		return;
	if (is_early(t)) {
		t->failures = 0;
		arm_early(t);
		swarm_flush_check(t->swarm, 0);
		return;
	}
	if (t->err == 0) {
		t->failures = 0;
		ms += world_below(w, JITTER_MS + 1);
	} else {
		t->failures++;
		if (doublings < DOUBLINGS_MAX)
			ms = RETRY_MS << doublings;
		if (ms < REFRESH_MS)
			ms += world_below(w, ms + 1);
	}
	arm_ms(t, ms);
	swarm_flush_check(t->swarm, 0);
}

void
swarm_looked_up(struct swarm *s, const uint8_t *topic, int err)
{
	struct swarm_topic *t = swarm_topic_find(s, topic);

	if (t == NULL || !t->looking)
		return;
	t->looking = false;
	/* A topic without another announcement is no failure. */
	if (err != 0 && err != ERR_NOT_FOUND)
		t->err = err;
	check_end(t);
}

void
swarm_announced(struct swarm *s, const uint8_t *topic, int err)
{
	struct swarm_topic *t = swarm_topic_find(s, topic);

	if (t == NULL || !t->announcing || t->waits)
		return;
	t->announcing = false;
	if (err != 0)
		t->err = err;
	check_end(t);
}

void
swarm_listening(struct swarm *s)
{
	struct swarm_topic *t;

	s->listening = true;
	TAILQ_FOREACH (t, &s->topics, link)
		if (t->waits)
			announce(t);
}

void
swarm_not_listening(struct swarm *s)
{
	s->listening = false;
	s->listen_ordered = false;
}

void
swarm_topics_refresh(struct swarm *s, bool spread)
{
	struct swarm_topic *t;
	uint32_t tens = (s->topics_len + SPREAD_TOPICS - 1) / SPREAD_TOPICS;

	TAILQ_FOREACH (t, &s->topics, link)
		if (!spread || s->topics_len == 1)
			refresh(t);
		else
			arm_ms(
			    t, world_below(s->core->world, tens * SPREAD_MS));
}

void
swarm_topics_suspend(struct swarm *s)
{
	struct swarm_topic *t;

	TAILQ_FOREACH (t, &s->topics, link) {
		timer_disarm(s->core->timers, &t->timer);
		cancel_lookup(t);
		withdraw(t);
	}
}

bool
swarm_topics_refreshing(const struct swarm *s)
{
	const struct swarm_topic *t;

	TAILQ_FOREACH (t, &s->topics, link)
		if (t->looking || t->announcing)
			return true;
	return false;
}

/* ---- sessions ---- */

/* The limit of the topic is the largest of its sessions; 0 is none. */
static void
set_limit(struct swarm_topic *t)
{
	const struct swarm_session *x;

	t->limit = 0;
	TAILQ_FOREACH (x, &t->sessions, link) {
		if ((x->roles & SWARM_CLIENT) == 0)
			continue;
		if (x->limit == 0) {
			t->limit = 0;
			return;
		}
		if (x->limit > t->limit)
			t->limit = x->limit;
	}
}

int
swarm_join(struct swarm *s, const uint8_t *topic, unsigned roles,
    uint32_t limit, uint32_t *session)
{
	struct swarm_topic *t = swarm_topic_find(s, topic);
	struct swarm_session *x;

	if ((roles & (SWARM_SERVER | SWARM_CLIENT)) == 0)
		return ERR_VALUE;
	if (t == NULL && s->topics_len >= s->core->limits->swarm_topics)
		return ERR_LIMIT;
	x = calloc(1, sizeof *x);
	if (x == NULL || (t == NULL && (t = topic_new(s, topic)) == NULL)) {
		free(x);
		return ERR_MEMORY;
	}
	*x = (struct swarm_session){
	    .number = ++s->last_number, .roles = roles, .limit = limit};
	TAILQ_INSERT_TAIL(&t->sessions, x, link);
	*session = x->number;
	set_limit(t);
	refresh(t);
	return 0;
}

static struct swarm_session *
find_session(
    const struct swarm *s, uint32_t session, struct swarm_topic **topic)
{
	struct swarm_session *x;
	struct swarm_topic *t;

	TAILQ_FOREACH (t, &s->topics, link)
		TAILQ_FOREACH (x, &t->sessions, link)
			if (x->number == session) {
				*topic = t;
				return x;
			}
	return NULL;
}

void
swarm_change(struct swarm *s, uint32_t session, unsigned roles)
{
	struct swarm_topic *t;
	struct swarm_session *x = find_session(s, session, &t);

	if (x == NULL || (roles & (SWARM_SERVER | SWARM_CLIENT)) == 0)
		return;
	x->roles = roles;
	set_limit(t);
	refresh(t);
}

void
swarm_leave(struct swarm *s, uint32_t session)
{
	struct swarm_topic *t;
	struct swarm_session *x = find_session(s, session, &t);

	if (x == NULL)
		return;
	TAILQ_REMOVE(&t->sessions, x, link);
	free(x);
	set_limit(t);
	if (TAILQ_EMPTY(&t->sessions)) {
		cancel_lookup(t);
		withdraw(t);
		t->roles = 0;
		swarm_peers_leave_topic(s, t);
		topic_free(t);
		swarm_flush_check(s, 0);
	} else if (roles_of(t) != t->roles) {
		refresh(t);
	}
}

void
swarm_leave_all(struct swarm *s)
{
	struct swarm_topic *t;

	TAILQ_FOREACH (t, &s->topics, link) {
		timer_disarm(s->core->timers, &t->timer);
		cancel_lookup(t);
		withdraw(t);
	}
	swarm_dials_close(s);
}

bool
swarm_has_topic(const struct swarm *s, const uint8_t *topic)
{
	return swarm_topic_find(s, topic) != NULL;
}

uint32_t
swarm_topics_len(const struct swarm *s)
{
	return s->topics_len;
}

static void
count_sessions(const struct swarm_topic *t, struct swarm_topic_status *out)
{
	const struct swarm_session *x;
	const struct swarm_peer *p;

	TAILQ_FOREACH (x, &t->sessions, link)
		out->sessions_len++;
	for (p = t->swarm->peers; p != NULL; p = p->hh.next) {
		if (!swarm_peer_in(p, t))
			continue;
		out->peers_len++;
		out->connected_len += p->link == SWARM_LINK_OPEN_DIALED ||
				      p->link == SWARM_LINK_OPEN_ACCEPTED;
	}
}

bool
swarm_topic_after(
    const struct swarm *s, uint32_t after, struct swarm_topic_status *out)
{
	const struct swarm_topic *t;
	uint64_t now = swarm_now_us(s);

	TAILQ_FOREACH (t, &s->topics, link)
		if (t->number > after)
			break;
	if (t == NULL)
		return false;
	*out = (struct swarm_topic_status){
	    .number = t->number,
	    .topic = t->topic,
	    .roles = t->roles,
	    .limit = t->limit,
	    .announced = t->announced && !t->announcing,
	    .err = t->err,
	    .next_us = timer_armed(&t->timer) && t->timer.due_us > now
			   ? t->timer.due_us - now
			   : 0,
	};
	count_sessions(t, out);
	return true;
}
