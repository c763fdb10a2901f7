/* SPDX-License-Identifier: ISC */
#include "dht/health.h"

#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/queries.h"
#include "dht/request.h"
#include "dht/server_check.h"

enum {
	MS = 1000, /* microseconds */
	PING_MS = 1000,
	PING_SENDS = 5,
	POLL_MS = PING_SENDS * PING_MS + 100,
	/* Time for the other answers after the first one. */
	SETTLE_MS = 1000,
	FIRST_POLL_MS = 2000,
	/* A silent node counts for this long as one that should answer. */
	FORGET_MS = 5 * 60 * 1000,
};

static uint64_t
now_us(const struct health *h)
{
	return h->self->world->now_us;
}

static void
arm_at(struct health *h, uint64_t due_us)
{
	timer_arm(h->self->timers, &h->timer, due_us);
}

/* Arms the next probe or poll, at a random time, so that nodes that were
 * started together do not act together. */
static void
arm_next(struct health *h, uint64_t from_us)
{
	uint32_t max = h->self->config.health_ms;
	uint32_t ms = max - world_below(h->self->world, max / 10 + 1);

	if (max == 0)
		return;
	arm_at(h, from_us + (uint64_t)ms * MS);
}

static bool
is_connected(const struct health *h)
{
	return h->state == DHT_ONLINE || h->state == DHT_DEGRADED;
}

/* The only place that changes the state. */
static void
set_state(struct health *h, enum dht_state state)
{
	bool was_connected = is_connected(h);

	if (state == h->state)
		return;
	if (h->state == DHT_OFFLINE) {
		h->self->events |= DHT_EV_BACK;
		if (h->self->bootstrapped)
			maintenance_rejoin(h->maintenance);
	}
	h->state = state;
	h->self->events |= DHT_EV_HEALTH;
	if (state == DHT_OFFLINE)
		queries_end_unanswered(h->queries);
	else if (!was_connected)
		queries_release(h->queries);
}

/* ---- the nodes that are asked ---- */

static void finish_poll(struct health *h);
static void start_poll(struct health *h);

static bool
has_pending(const struct health *h)
{
	for (uint32_t i = 0; i < h->panel_len; i++)
		if (h->panel[i].request != NULL)
			return true;
	for (uint32_t i = 0; i < h->others_len; i++)
		if (h->others[i].request != NULL)
			return true;
	return false;
}

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct health_node *n = owner;
	struct health *h = n->health;

	n->request = NULL;
	if (a->err == ERR_CLOSED || a->err == ERR_CANCELLED)
		return;
	n->answered = a->err == 0;
	if (n->answered) {
		n->heard_us = now_us(h);
		n->silent_us = 0;
		health_replied(h); /* may start a poll, which reuses n */
	}
	if (h->polling && !has_pending(h))
		finish_poll(h);
}

/* Handles the first timeout of a PING: a poll finds out what is wrong. */
static void
on_missed(void *owner)
{
	struct health_node *n = owner;

	if (!n->health->polling)
		start_poll(n->health);
}

static void
send_ping(struct health_node *n)
{
	struct health *h = n->health;
	struct dht_call c = {
	    .kind = REQUEST_OWN,
	    .to = n->addr,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = PING_SENDS,
	    .timeout_ms = PING_MS,
	};
	struct request_options x = {.sock = WORLD_NO_SOCK, .missed = on_missed};
	struct dht_done done = {.call = on_pong, .owner = n};

	if (n->request != NULL)
		return;
	n->answered = false;
	if (requests_start(h->requests, &c, &x, done, &n->request) != 0) {
		/* At a limit of our own: shows nothing of the other node. */
		n->request = NULL;
		n->answered = true;
	}
}

static bool
is_asked(const struct health *h, const struct addr *a)
{
	for (uint32_t i = 0; i < h->panel_len; i++)
		if (addr_equal(&h->panel[i].addr, a))
			return true;
	for (uint32_t i = 0; i < h->others_len; i++)
		if (addr_equal(&h->others[i].addr, a))
			return true;
	return false;
}

/* Fills free places of the panel with the nodes that were active last. */
static void
fill_panel(struct health *h)
{
	const struct table *t = &h->self->table;
	const struct table_node *node;

	for (uint32_t i = table_latest(t);
	     i != 0 && h->panel_len < HEALTH_PANEL; i = node->recent.prev) {
		node = table_at(t, i);
		if (!is_asked(h, &node->addr))
			h->panel[h->panel_len++] = (struct health_node){
			    .health = h, .addr = node->addr};
	}
}

static void
cancel_ping(struct health_node *n)
{
	if (n->request != NULL)
		request_cancel(n->request);
}

/* Removes a member of the panel; the last one takes its place. */
static void
remove_member(struct health *h, uint32_t i)
{
	struct health_node *last = &h->panel[--h->panel_len];

	cancel_ping(&h->panel[i]);
	cancel_ping(last);
	h->panel[i] = *last;
}

static void
ask_other(struct health *h, const struct addr *a)
{
	struct health_node *n;

	if (h->others_len == HEALTH_OTHERS || is_asked(h, a) ||
	    !local_node_may_send(h->self, a))
		return;
	n = &h->others[h->others_len++];
	*n = (struct health_node){.health = h, .addr = *a};
	send_ping(n);
}

static void
forget_others(struct health *h)
{
	for (uint32_t i = 0; i < h->others_len; i++)
		cancel_ping(&h->others[i]);
	h->others_len = 0;
}

/* Asks the bootstrap list, and known nodes if none of it answers. */
static void
ask_others(struct health *h)
{
	struct addr boot[BOOTSTRAP_MAX];
	size_t n = joining_addresses(h->joining, boot, BOOTSTRAP_MAX);
	struct table *t = &h->self->table;

	forget_others(h);
	for (size_t i = 0; i < n; i++)
		ask_other(h, &boot[i]);
	if (is_connected(h))
		return;
	for (int i = 0; i < HEALTH_CACHED / 2; i++) {
		const struct addr *a =
		    joining_known_node(h->joining, h->cached++);
		uint32_t node = table_random(t, world_random32(h->self->world));

		if (a != NULL)
			ask_other(h, a);
		if (node != 0)
			ask_other(h, &table_at(t, node)->addr);
	}
}

/* ---- polls ---- */

static uint64_t
starting_end_us(const struct health *h)
{
	return h->started_us + (uint64_t)HEALTH_STARTING_MS * MS;
}

static uint64_t
poll_end_us(const struct health *h)
{
	return h->state == DHT_STARTING ? starting_end_us(h)
					: h->poll_us + POLL_MS * MS;
}

static void
start_poll(struct health *h)
{
	h->polling = true;
	h->poll_answered = h->state == DHT_STARTING && h->replied_us != 0;
	h->poll_us = now_us(h);
	if (!is_connected(h))
		joining_retry(h->joining);
	ask_others(h);
	fill_panel(h);
	for (uint32_t i = 0; i < h->panel_len; i++)
		send_ping(&h->panel[i]);
	/* Without anything to ask the poll ends at once, but not in here. */
	arm_at(h, has_pending(h) ? poll_end_us(h) : h->poll_us);
}

/* Counts the members that answered, and forgets those that have been silent for
 * long. */
static void
count_panel(struct health *h)
{
	h->asked = h->answered = 0;
	for (uint32_t i = h->panel_len; i-- > 0;) {
		struct health_node *n = &h->panel[i];

		if (!n->answered && n->silent_us == 0)
			n->silent_us = now_us(h);
		if (!n->answered && h->poll_answered &&
		    now_us(h) - n->silent_us >= (uint64_t)FORGET_MS * MS)
			remove_member(h, i);
	}
	for (uint32_t i = 0; i < h->panel_len; i++) {
		h->asked++;
		h->answered += h->panel[i].answered;
	}
}

/* Replaces the silent members, most of the others being up. Each is checked
 * once more before it is removed from the table. */
static void
drop_silent(struct health *h)
{
	uint8_t id[ID_LEN];
	uint32_t node;

	for (uint32_t i = h->panel_len; i-- > 0;) {
		if (h->panel[i].answered)
			continue;
		id_of_addr(id, &h->panel[i].addr);
		node = table_find(&h->self->table, id);
		if (node != 0)
			candidates_check_node(h->candidates, node, false);
		remove_member(h, i);
	}
	fill_panel(h);
}

/* Draws the state from a poll that has ended. */
static enum dht_state
judge_poll(const struct health *h)
{
	if (!h->poll_answered)
		return joining_is_alone(h->joining) ? DHT_ONLINE : DHT_OFFLINE;
	return h->answered * 2 < h->asked ? DHT_DEGRADED : DHT_ONLINE;
}

static void
finish_poll(struct health *h)
{
	enum dht_state state;

	h->polling = false;
	for (uint32_t i = 0; i < h->panel_len; i++)
		cancel_ping(&h->panel[i]);
	forget_others(h);
	/* Joining goes on for as long as a node may be starting. */
	if (h->state == DHT_STARTING && now_us(h) < starting_end_us(h)) {
		arm_at(h, starting_end_us(h));
		return;
	}
	count_panel(h);
	state = judge_poll(h);
	if (!h->poll_answered)
		joining_unanswered(h->joining);
	if (state == DHT_ONLINE)
		drop_silent(h);
	arm_next(h, state == DHT_ONLINE ? now_us(h) : h->poll_us);
	set_state(h, state);
	if (state == DHT_OFFLINE)
		server_check_unanswered(h->server_check);
	if (is_connected(h))
		joining_again(h->joining);
}

/* Sends a PING to the member of the panel that was heard longest ago. */
static void
probe_member(struct health *h)
{
	struct health_node *oldest = NULL;

	joining_again(h->joining);
	fill_panel(h);
	for (uint32_t i = 0; i < h->panel_len; i++)
		if (oldest == NULL || h->panel[i].heard_us < oldest->heard_us)
			oldest = &h->panel[i];
	if (oldest != NULL) {
		send_ping(oldest);
		arm_next(h, now_us(h));
	} else if (!joining_is_alone(h->joining)) {
		start_poll(h);
	} else {
		arm_next(h, now_us(h));
	}
}

static void
on_timer(struct timer *t)
{
	struct health *h = container_of(t, struct health, timer);

	if (h->polling)
		finish_poll(h);
	else if (h->state == DHT_ONLINE)
		probe_member(h);
	else if (h->state == DHT_STARTING && now_us(h) >= starting_end_us(h))
		finish_poll(h);
	else
		start_poll(h);
}

/* ---- what the other modules report ---- */

void
health_start(struct health *h)
{
	h->started_us = now_us(h);
	h->timer = (struct timer){.fire = on_timer};
	if (h->self->config.health_ms == 0)
		return;
	arm_at(h, h->started_us + (uint64_t)FIRST_POLL_MS * MS);
}

void
health_fini(struct health *h)
{
	timer_disarm(h->self->timers, &h->timer);
}

bool
health_holds_queries(const struct health *h)
{
	return !is_connected(h);
}

uint64_t
health_hold_us(const struct health *h)
{
	return (uint64_t)MS *
	       (h->state == DHT_STARTING ? HEALTH_STARTING_MS : HEALTH_ASK_MS);
}

void
health_check(struct health *h)
{
	if (!h->polling && h->state != DHT_STARTING &&
	    h->self->config.health_ms != 0)
		start_poll(h);
}

void
health_replied(struct health *h)
{
	uint64_t settled_us = now_us(h) + (uint64_t)SETTLE_MS * MS;

	h->replied_us = now_us(h);
	if (h->state == DHT_STARTING) {
		h->poll_answered = true;
		return;
	}
	if (!h->polling && h->state == DHT_OFFLINE)
		start_poll(h);
	if (!h->polling || h->poll_answered)
		return;
	h->poll_answered = true;
	if (settled_us < h->timer.due_us)
		arm_at(h, settled_us);
	if (h->state == DHT_OFFLINE)
		queries_release(h->queries);
}

void
health_joined(struct health *h)
{
	if (h->state != DHT_STARTING)
		return;
	h->polling = false;
	for (uint32_t i = 0; i < h->panel_len; i++)
		cancel_ping(&h->panel[i]);
	forget_others(h);
	arm_next(h, now_us(h));
	set_state(h, DHT_ONLINE);
}

void
health_address_known(struct health *h, const struct addr *a)
{
	if (is_connected(h) || h->self->config.health_ms == 0)
		return;
	ask_other(h, a);
	if (h->polling && h->timer.due_us < now_us(h) + PING_MS * MS &&
	    h->state == DHT_OFFLINE)
		arm_at(h, now_us(h) + PING_MS * MS);
}
