/* SPDX-License-Identifier: ISC */
#include "node/relay_announcer.h"

#include "node/node_struct.h"
#include "relay/relay_topic.h"

enum {
	CHECK_US = 10 * 60 * 1000000, /* how late a change of day is noticed */
	DAYS = 2,                     /* today and the next */
};

/* Calls change() for each topic of a day. */
static void
change_day(struct node *n, uint32_t day,
    void (*change)(
	struct node *n, const struct key_pair *keys, const uint8_t *topic))
{
	const struct key_pair *keys = n->relay_announcer.keys;
	uint8_t topic[HASH_LEN];

	for (int i = 0; i < RELAY_LEVELS; i++) {
		struct relay_topic t = {
		    .bits = relay_level_bits[i], .day = day};

		t.shard = relay_topic_shard(keys->public_key, t.bits);
		relay_topic_hash(topic, &t);
		change(n, keys, topic);
	}
}

/* Announces the topics of the days that have come; drops the others, whose
 * records expire by themselves. */
static void
set_day(struct relay_announcer *a, struct node *n, uint32_t day)
{
	for (uint32_t i = 0; i < DAYS; i++)
		if (a->day != 0 &&
		    (a->day + i < day || a->day + i >= day + DAYS))
			change_day(n, a->day + i, announcements_drop_internal);
	a->day = day;
	for (uint32_t i = 0; i < DAYS; i++)
		change_day(n, day + i, announcements_add_internal);
}

static void
on_check(struct timer *t)
{
	struct node *n = container_of(t, struct node, relay_announcer.timer);
	struct relay_announcer *a = &n->relay_announcer;
	uint32_t day = relay_topic_day(n->world->unix_ms);

	timer_arm(&n->timers, t, n->world->now_us + CHECK_US);
	/* The clock may have been set to an earlier day as well. */
	if (day != a->day)
		set_day(a, n, day);
}

void
relay_announcer_start(struct node *n, const struct key_pair *keys)
{
	struct relay_announcer *a = &n->relay_announcer;

	relay_announcer_stop(n);
	a->keys = keys;
	a->timer.fire = on_check;
	timer_arm(&n->timers, &a->timer, n->world->now_us);
}

/* The keys outlive the node. */
static void
ignore_event(void *owner, const struct records_event *e)
{
	(void)owner;
	(void)e;
}

static void
withdraw_topic(
    struct node *n, const struct key_pair *keys, const uint8_t *topic)
{
	struct records_sink sink = {.event = ignore_event};

	(void)announcements_withdraw_internal(n, keys, topic, sink);
}

void
relay_announcer_stop(struct node *n)
{
	struct relay_announcer *a = &n->relay_announcer;

	timer_disarm(&n->timers, &a->timer);
	for (uint32_t i = 0; a->day != 0 && i < DAYS; i++)
		change_day(n, a->day + i, withdraw_topic);
	a->day = 0;
	a->keys = NULL;
}

void
relay_announcer_fini(struct node *n)
{
	timer_disarm(&n->timers, &n->relay_announcer.timer);
}
