/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/inside.h"

enum {
	RETRY_US = 10 * 1000000, /* after the first failure, then doubled */
	WAKE_SPREAD_US = 5 * 1000000,
	LEAVE_US = 2 * 1000000,
};

static void leave_some(struct node *n);

static void
free_announcement(struct announcement *a)
{
	timer_disarm(&a->node->timers, &a->timer);
	HASH_DELETE(hh, a->node->announcements, a);
	free(a);
}

void
announcements_fini(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements, a, next)
		free_announcement(a);
	timer_disarm(&n->timers, &n->leave_timer);
}

/* Until the next round; a failed one is repeated sooner, less and less so. */
static uint64_t
pause_us(const struct announcement *a)
{
	uint64_t full = (uint64_t)a->node->config.announce_ms * 1000;
	uint64_t us = full;

	if (a->err != 0 && a->failures < 16)
		us = (uint64_t)RETRY_US << (a->failures - 1);
	if (us > full)
		us = full;
	/* Up to a tenth earlier, so that topics do not stay in step. */
	return us - us / 10 * world_below(a->node->world, 1000) / 1000;
}

static void
arm(struct announcement *a, uint64_t us)
{
	timer_arm(&a->node->timers, &a->timer, a->node->world->now_us + us);
}

static void
tell(struct announcement *a, const struct records_event *e)
{
	struct news news = op_done_news(e);
	struct op *op = a->op;

	memcpy(news.key, a->topic, HASH_LEN);
	a->op = NULL;
	if (op != NULL) {
		op_end(op, &news);
	} else {
		news.kind = NEWS_ANNOUNCED;
		news_push(a->node, &news);
	}
}

/* The list of an ended round replaces the one before, from its first node on.
 */
static void
note_holder(struct announcement *a, const struct addr *node)
{
	if (!a->listing)
		a->holders_len = 0;
	a->listing = true;
	if (a->holders_len < RPC_K)
		a->holders[a->holders_len++] = *node;
}

static void
on_round(void *owner, const struct records_event *e)
{
	struct announcement *a = owner;

	if (e->kind == RECORDS_EV_NODE)
		note_holder(a, &e->node);
	if (e->kind != RECORDS_EV_DONE)
		return;
	a->client = NULL;
	a->listing = false;
	a->err = e->err;
	a->stored = e->stored;
	a->announced = a->announced || e->stored > 0;
	a->failures = e->err == 0 ? 0 : a->failures + 1;
	a->last_us = a->node->world->now_us;
	tell(a, e);
	if (!a->node->leaving)
		arm(a, pause_us(a));
}

/* The topic under our identity; those who held it last are asked first. */
static struct announce_spec
spec_of(const struct announcement *a)
{
	return (struct announce_spec){
	    .target = a->topic,
	    .keys = a->node->config.identity,
	    .start = a->holders,
	    .start_len = a->holders_len,
	};
}

static int
begin_round(struct announcement *a)
{
	struct announce_spec spec = spec_of(a);
	struct records_sink sink = {.event = on_round, .owner = a};

	timer_disarm(&a->node->timers, &a->timer);
	return records_client_announce(a->node->dht, &spec, sink, &a->client);
}

static void
on_due(struct timer *t)
{
	struct announcement *a = container_of(t, struct announcement, timer);

	/* It waits to be withdrawn. */
	if (a->node->leaving)
		return;
	if (begin_round(a) != 0)
		arm(a, RETRY_US);
}

void
announcements_wake(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements, a, next)
		if (a->client == NULL)
			arm(a, world_below(n->world, WAKE_SPREAD_US));
}

static struct announcement *
find(struct node *n, const uint8_t *topic)
{
	uint32_t h = hash_bytes(&n->core.hash_key, topic, HASH_LEN);
	struct announcement *a;

	HASH_FIND_BYHASHVALUE(hh, n->announcements, topic, HASH_LEN, h, a);
	return a;
}

static struct announcement *
announcement_new(struct node *n, const uint8_t *topic)
{
	uint32_t h = hash_bytes(&n->core.hash_key, topic, HASH_LEN);
	struct announcement *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->node = n;
	a->timer.fire = on_due;
	memcpy(a->topic, topic, HASH_LEN);
	HASH_ADD_BYHASHVALUE(hh, n->announcements, topic, HASH_LEN, h, a);
	if (a->hh.tbl == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

static void
end_waiting(struct announcement *a, int err)
{
	struct news done = {.err = err};
	struct op *op = a->op;

	a->op = NULL;
	if (op != NULL)
		op_end(op, &done);
}

int
node_announce(struct node *n, const uint8_t *topic, uint32_t *number)
{
	struct announcement *a = find(n, topic);
	bool held = a != NULL;
	int err;
	struct op *op;

	if (!held &&
	    HASH_COUNT(n->announcements) >= n->core.limits->announcements)
		return ERR_LIMIT;
	if ((op = op_new(n, &err)) == NULL)
		return err;
	if (!held && (a = announcement_new(n, topic)) == NULL) {
		op_drop(op);
		return ERR_MEMORY;
	}
	/* Two who wait for one topic: the later one sees the round. */
	end_waiting(a, ERR_CANCELLED);
	a->op = op;
	op->announcement = a;
	if (a->client == NULL && (err = begin_round(a)) != 0) {
		a->op = NULL;
		op_drop(op);
		if (held)
			arm(a, RETRY_US);
		else
			free_announcement(a);
		return err;
	}
	*number = op->number;
	return 0;
}

/* Ends what goes on for this topic here; the network is not told. */
static void
forget(struct announcement *a)
{
	if (a->client != NULL)
		records_client_cancel(a->client);
	end_waiting(a, ERR_CANCELLED);
	free_announcement(a);
}

static void
on_withdrawn(void *owner, const struct records_event *e)
{
	struct op *op = owner;
	struct node *n = op->node;
	struct news done;

	if (e->kind != RECORDS_EV_DONE)
		return;
	done = op_done_news(e);
	op_end(op, &done);
	if (n->leaving && e->err != ERR_CLOSED) {
		n->leaving_pending--;
		leave_some(n);
	}
}

int
node_unannounce(struct node *n, const uint8_t *topic, uint32_t *number)
{
	struct announcement *a = find(n, topic);
	struct announce_spec spec = {
	    .target = topic, .keys = n->config.identity};
	struct records_sink sink = {.event = on_withdrawn};
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	if (a != NULL)
		spec = spec_of(a);
	sink.owner = op;
	op->withdraws = true;
	err = records_client_unannounce(n->dht, &spec, sink, &op->client);
	if (err != 0) {
		op_drop(op);
		return err;
	}
	if (a != NULL)
		forget(a);
	*number = op->number;
	return 0;
}

bool
node_announcement(
    const struct node *n, uint32_t i, struct node_announcement *out)
{
	const struct announcement *a = n->announcements;
	uint64_t now = n->world->now_us;

	for (; a != NULL && i > 0; i--)
		a = a->hh.next;
	if (a == NULL)
		return false;
	*out = (struct node_announcement){
	    .announced = a->announced,
	    .err = a->err,
	    .stored = a->stored,
	    .age_us = a->last_us != 0 ? now - a->last_us : 0,
	    .next_us = timer_armed(&a->timer) && a->timer.due_us > now
			   ? a->timer.due_us - now
			   : 0,
	};
	memcpy(out->topic, a->topic, HASH_LEN);
	return true;
}

/* ---- leaving ---- */

static void
left(struct node *n)
{
	struct news_item *item = n->left_item;

	if (item == NULL)
		return;
	n->left_item = NULL;
	timer_disarm(&n->timers, &n->leave_timer);
	news_push_item(n, item);
}

static void
on_left_topic(void *owner, const struct records_event *e)
{
	struct node *n = owner;

	if (e->kind != RECORDS_EV_DONE || e->err == ERR_CLOSED)
		return;
	n->leaving_pending--;
	leave_some(n);
}

static int
withdraw(struct node *n, const struct announcement *a)
{
	struct announce_spec spec = spec_of(a);
	struct records_sink sink = {.event = on_left_topic, .owner = n};
	struct records_op *op;

	return records_client_unannounce(n->dht, &spec, sink, &op);
}

/* Withdraws topics as fast as queries may be started; the rest follows. */
static void
leave_some(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements, a, next) {
		if (a->announced && withdraw(n, a) == 0)
			n->leaving_pending++;
		else if (a->announced && n->leaving_pending > 0)
			return;
		free_announcement(a);
	}
	if (n->leaving_pending == 0 && peers_listeners(n->peers) == 0)
		left(n);
}

void
leave_unlistened(struct node *n)
{
	if (n->leaving)
		leave_some(n);
}

/* Ends what is under way; withdrawals, if they may, go on instead. */
static void
end_ops(struct node *n, bool spare_withdrawals)
{
	struct op *op, *next;

	HASH_ITER (hh, n->ops, op, next) {
		if (spare_withdrawals && op->withdraws)
			n->leaving_pending++;
		else
			node_cancel(n, op->number);
	}
}

static void
on_leave_timeout(struct timer *t)
{
	struct node *n = container_of(t, struct node, leave_timer);

	end_ops(n, false);
	left(n);
}

void
node_leave(struct node *n)
{
	struct announcement *a, *next;

	if (n->leaving)
		return;
	HASH_ITER (hh, n->announcements, a, next)
		if (a->client != NULL)
			records_client_cancel(a->client);
	end_ops(n, true);
	peers_leave(n->peers);
	n->leaving = true;
	n->leave_timer.fire = on_leave_timeout;
	timer_arm(&n->timers, &n->leave_timer, n->world->now_us + LEAVE_US);
	leave_some(n);
}
