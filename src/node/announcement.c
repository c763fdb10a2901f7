/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/announcement.h"
#include "node/node_op.h"
#include "node/node_struct.h"

enum {
	RETRY_US = 10 * 1000000, /* after the first failure, then doubled */
	/* Of a node without a network, which stores the record itself: a node
	 * that joins meanwhile gets it soon. */
	ALONE_US = 60 * 1000000,
	WAKE_SPREAD_US = 5 * 1000000,
	LEAVE_US = 2 * 1000000,
};

static void withdraw_topics(struct node *n);

static void
free_announcement(struct announcement *a)
{
	timer_disarm(&a->node->timers, &a->timer);
	a->node->announcements.internal -= a->internal;
	HASH_DELETE(hh, a->node->announcements.by_id, a);
	free(a);
}

void
announcements_fini(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements.by_id, a, next)
		free_announcement(a);
	timer_disarm(&n->timers, &n->leave.timer);
}

/* Returns the time to the next round; failed rounds are retried sooner, with
 * exponential backoff. */
static uint64_t
round_delay_us(const struct announcement *a)
{
	uint64_t full = (uint64_t)a->node->config.announce_ms * 1000;
	uint64_t us = full;

	if (dht_is_alone(a->node->dht))
		us = ALONE_US;
	if (a->err != 0 && a->failures < 16)
		us = (uint64_t)RETRY_US << (a->failures - 1);
	if (us > full)
		us = full;
	/* Up to a tenth earlier, so that topics are not renewed at once. */
	return us - us / 10 * world_below(a->node->world, 1000) / 1000;
}

static void
arm_round(struct announcement *a, uint64_t us)
{
	timer_arm(&a->node->timers, &a->timer, a->node->world->now_us + us);
}

static void
report_round(struct announcement *a, const struct records_event *e)
{
	struct node_event ev = node_op_done_event(e);
	struct node_op *op = a->op;

	memcpy(ev.key, a->id.topic, HASH_LEN);
	a->op = NULL;
	if (op != NULL) {
		node_op_end(op, &ev);
	} else if (!a->internal) {
		ev.kind = NODE_EV_ANNOUNCED;
		event_queue_push(&a->node->events, &ev);
	}
}

/* Adds a holder; the first of a round replaces the list of the round before. */
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
	report_round(a, e);
	if (!a->node->leave.started && !a->manual)
		arm_round(a, round_delay_us(a));
	node_swarms_announced(a->node, &a->id, e->err);
}

/* Returns the spec of a query that starts at the last holders of the topic. */
static struct announce_spec
announce_spec_for(const struct announcement *a)
{
	return (struct announce_spec){
	    .target = a->id.topic,
	    .keys = a->keys,
	    .start = a->holders,
	    .start_len = a->holders_len,
	};
}

/* Stores the record at this node, because there is no other; that is a round,
 * too. */
static int
keep_record(struct announcement *a)
{
	uint8_t buf[PEERS_RELAYS_MAX * ADDR_WIRE4_LEN];
	struct wr w = wr_init(buf, sizeof buf);
	struct peer_record p = {.key = a->keys->public_key};
	struct records_event done = {.kind = RECORDS_EV_DONE, .stored = 1};
	int err;

	for (uint32_t i = 0; i < a->relays_len; i++)
		wr_addr4(&w, &a->relays[i]);
	if (wr_ok(&w))
		p.relays = (struct bytes){buf, wr_len(&w)};
	err = records_keep_peer(a->node->records, a->id.topic, &p);
	if (err == 0)
		on_round(a, &done);
	return err;
}

/* Begins a round, which ends before this returns if the node is alone. */
static int
begin_round(struct announcement *a)
{
	struct node *n = a->node;
	struct announce_spec spec = announce_spec_for(a);
	struct records_sink sink = {.event = on_round, .owner = a};

	timer_disarm(&n->timers, &a->timer);
	a->relays_len =
	    (uint32_t)peers_relays(n->peers, a->keys->public_key, a->relays);
	if (dht_is_alone(n->dht))
		return keep_record(a);
	spec.relays = a->relays;
	spec.relays_len = a->relays_len;
	spec.closest_relays = true;
	return records_client_announce(a->node->dht, &spec, sink, &a->client);
}

static void
on_due(struct timer *t)
{
	struct announcement *a = container_of(t, struct announcement, timer);

	/* The topic is to be withdrawn, not announced again. */
	if (a->node->leave.started)
		return;
	if (begin_round(a) != 0)
		arm_round(a, RETRY_US);
}

void
announcements_renew(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements.by_id, a, next)
		if (a->client == NULL)
			arm_round(a, world_below(n->world, WAKE_SPREAD_US));
}

/* Returns whether one of the relays of the last round is among those. */
static bool
names_any(const struct announcement *a, const struct addr *relays, size_t len)
{
	for (uint32_t i = 0; i < a->relays_len; i++)
		for (size_t k = 0; k < len; k++)
			if (addr_equal(&a->relays[i], &relays[k]))
				return true;
	return false;
}

void
announcements_relays_changed(struct node *n, const uint8_t *key)
{
	struct addr relays[PEERS_RELAYS_MAX];
	size_t len = peers_relays(n->peers, key, relays);
	struct announcement *a, *next;

	if (len == 0)
		return;
	HASH_ITER (hh, n->announcements.by_id, a, next)
		if (a->client == NULL && memcmp(a->id.key, key, KEY_LEN) == 0 &&
		    !names_any(a, relays, len))
			arm_round(a, world_below(n->world, WAKE_SPREAD_US));
}

static struct announcement_id
make_id(const struct key_pair *keys, const uint8_t *topic)
{
	struct announcement_id id;

	memcpy(id.topic, topic, HASH_LEN);
	memcpy(id.key, keys->public_key, KEY_LEN);
	return id;
}

static struct announcement *
find_announcement(struct node *n, const struct announcement_id *id)
{
	uint32_t h =
	    hash_bytes(&n->core.hash_key, (const uint8_t *)id, sizeof *id);
	struct announcement *a;

	HASH_FIND_BYHASHVALUE(hh, n->announcements.by_id, id, sizeof *id, h, a);
	return a;
}

static struct announcement *
announcement_new(struct node *n, const struct key_pair *keys,
    const struct announcement_id *id)
{
	uint32_t h =
	    hash_bytes(&n->core.hash_key, (const uint8_t *)id, sizeof *id);
	struct announcement *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->node = n;
	a->timer.fire = on_due;
	a->number = ++n->announcements.last_number;
	a->keys = keys;
	a->id = *id;
	HASH_ADD_BYHASHVALUE(hh, n->announcements.by_id, id, sizeof *id, h, a);
	if (a->hh.tbl == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

static void
end_waiting_op(struct announcement *a, int err)
{
	struct node_event done = {.err = err};
	struct node_op *op = a->op;

	a->op = NULL;
	if (op != NULL)
		node_op_end(op, &done);
}

int
node_announce(struct node *n, const struct key_pair *keys, const uint8_t *topic,
    uint32_t *number)
{
	const struct key_pair *own = keys != NULL ? keys : n->config.identity;
	struct announcement_id id = make_id(own, topic);
	struct announcement *a = find_announcement(n, &id);
	bool held = a != NULL;
	int err;
	struct node_op *op;

	if (!held && announcements_count(n) >= n->core.limits->announcements)
		return ERR_LIMIT;
	if ((op = node_op_new(n, &err)) == NULL)
		return err;
	if (!held && (a = announcement_new(n, own, &id)) == NULL) {
		node_op_free(op);
		return ERR_MEMORY;
	}
	/* What a swarm announces becomes the user's own. */
	n->announcements.internal -= a->manual;
	a->internal = a->internal && !a->manual;
	a->manual = false;
	/* Only the latest operation on a topic waits for its round. */
	end_waiting_op(a, ERR_CANCELLED);
	a->op = op;
	op->announcement = a;
	*number = op->number; /* the operation may end at once */
	if (a->client == NULL && (err = begin_round(a)) != 0) {
		a->op = NULL;
		node_op_free(op);
		if (held)
			arm_round(a, RETRY_US);
		else
			free_announcement(a);
		return err;
	}
	return 0;
}

/* Cancels the round and frees the topic; sends nothing to the network. */
static void
forget_announcement(struct announcement *a)
{
	if (a->client != NULL)
		records_client_cancel(a->client);
	end_waiting_op(a, ERR_CANCELLED);
	free_announcement(a);
}

static void
on_withdrawn(void *owner, const struct records_event *e)
{
	struct node_op *op = owner;
	struct node *n = op->node;
	struct node_event done;

	if (e->kind != RECORDS_EV_DONE)
		return;
	done = node_op_done_event(e);
	node_op_end(op, &done);
	if (n->leave.started && e->err != ERR_CLOSED) {
		n->leave.pending--;
		withdraw_topics(n);
	}
}

/* Ends a withdrawal that no other node has to learn of. */
static void
withdraw_alone(struct node_op *op)
{
	static const struct node_event done = {.stored = 1};

	node_op_end(op, &done);
}

int
node_unannounce(struct node *n, const struct key_pair *keys,
    const uint8_t *topic, uint32_t *number)
{
	const struct key_pair *own = keys != NULL ? keys : n->config.identity;
	struct announcement_id id = make_id(own, topic);
	struct announcement *a = find_announcement(n, &id);
	struct announce_spec spec = {.target = topic, .keys = own};
	struct records_sink sink = {.event = on_withdrawn};
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	if (a != NULL)
		spec = announce_spec_for(a);
	sink.owner = op;
	op->withdraws = true;
	*number = op->number;
	if (op->alone)
		withdraw_alone(op);
	else
		err =
		    records_client_unannounce(n->dht, &spec, sink, &op->client);
	if (err != 0) {
		node_op_free(op);
		return err;
	}
	records_forget_peer(n->records, topic, own->public_key);
	if (a != NULL)
		forget_announcement(a);
	return 0;
}

bool
node_announcement(
    const struct node *n, uint32_t after, struct node_announcement *out)
{
	const struct announcement *a = n->announcements.by_id;
	uint64_t now = n->world->now_us;

	while (a != NULL && (a->number <= after || a->internal))
		a = a->hh.next;
	if (a == NULL)
		return false;
	*out = (struct node_announcement){
	    .number = a->number,
	    .announced = a->announced,
	    .err = a->err,
	    .stored = a->stored,
	    .age_us = a->last_us != 0 ? now - a->last_us : 0,
	    .next_us = timer_armed(&a->timer) && a->timer.due_us > now
			   ? a->timer.due_us - now
			   : 0,
	};
	memcpy(out->topic, a->id.topic, HASH_LEN);
	memcpy(out->key, a->id.key, KEY_LEN);
	return true;
}

/* ---- announcements of the node itself ---- */

uint32_t
announcements_count(const struct node *n)
{
	return HASH_COUNT(n->announcements.by_id) - n->announcements.internal;
}

void
announcements_add_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic)
{
	struct announcement_id id = make_id(keys, topic);
	struct announcement *a;

	if (n->leave.started || find_announcement(n, &id) != NULL ||
	    (a = announcement_new(n, keys, &id)) == NULL)
		return;
	a->internal = true;
	n->announcements.internal++;
	arm_round(a, world_below(n->world, WAKE_SPREAD_US));
}

void
announcements_round_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic)
{
	struct announcement_id id = make_id(keys, topic);
	struct announcement *a = find_announcement(n, &id);

	if (n->leave.started)
		return;
	if (a == NULL) {
		a = announcement_new(n, keys, &id);
		if (a == NULL)
			return;
		a->internal = a->manual = true;
		n->announcements.internal++;
	}
	if (a->client == NULL)
		arm_round(a, 0);
}

static struct announcement *
find_internal(struct node *n, const struct key_pair *keys, const uint8_t *topic)
{
	struct announcement_id id = make_id(keys, topic);
	struct announcement *a = find_announcement(n, &id);

	return a != NULL && a->internal && !n->leave.started ? a : NULL;
}

void
announcements_drop_internal(
    struct node *n, const struct key_pair *keys, const uint8_t *topic)
{
	struct announcement *a = find_internal(n, keys, topic);

	if (a != NULL)
		forget_announcement(a);
}

bool
announcements_withdraw_internal(struct node *n, const struct key_pair *keys,
    const uint8_t *topic, struct records_sink sink)
{
	struct announcement *a = find_internal(n, keys, topic);
	struct announce_spec spec;
	struct records_op *op;
	bool started;

	if (a == NULL)
		return false;
	spec = announce_spec_for(a);
	/* If it cannot start, then the records expire. */
	started = a->announced && !dht_is_alone(n->dht) &&
		  records_client_unannounce(n->dht, &spec, sink, &op) == 0;
	records_forget_peer(n->records, topic, keys->public_key);
	forget_announcement(a);
	return started;
}

/* ---- leaving ---- */

static void
finish_leaving(struct node *n)
{
	struct event_item *item = n->leave.left;

	if (item == NULL)
		return;
	n->leave.left = NULL;
	timer_disarm(&n->timers, &n->leave.timer);
	event_queue_push_item(&n->events, item);
}

static void
on_left_topic(void *owner, const struct records_event *e)
{
	struct node *n = owner;

	if (e->kind != RECORDS_EV_DONE || e->err == ERR_CLOSED)
		return;
	n->leave.pending--;
	withdraw_topics(n);
}

static int
withdraw_topic(struct node *n, const struct announcement *a)
{
	struct announce_spec spec = announce_spec_for(a);
	struct records_sink sink = {.event = on_left_topic, .owner = n};
	struct records_op *op;

	return records_client_unannounce(n->dht, &spec, sink, &op);
}

/* Withdraws as many topics as queries may be started; called again as each
 * query ends. */
static void
withdraw_topics(struct node *n)
{
	struct announcement *a, *next;

	HASH_ITER (hh, n->announcements.by_id, a, next) {
		if (a->announced && withdraw_topic(n, a) == 0)
			n->leave.pending++;
		else if (a->announced && n->leave.pending > 0)
			return;
		free_announcement(a);
	}
	if (n->leave.pending == 0 && peers_listeners(n->peers) == 0)
		finish_leaving(n);
}

void
node_leave_continue(struct node *n)
{
	if (n->leave.started)
		withdraw_topics(n);
}

/* Cancels all operations; counts withdrawals instead if they are spared. */
static void
end_ops(struct node *n, bool spare_withdrawals)
{
	struct node_op *op, *next;

	HASH_ITER (hh, n->ops.by_number, op, next) {
		if (spare_withdrawals && op->withdraws)
			n->leave.pending++;
		else
			node_cancel(n, op->number);
	}
}

static void
on_leave_timeout(struct timer *t)
{
	struct node *n = container_of(t, struct node, leave.timer);

	end_ops(n, false);
	finish_leaving(n);
}

void
node_leave(struct node *n)
{
	struct announcement *a, *next;

	if (n->leave.started)
		return;
	HASH_ITER (hh, n->announcements.by_id, a, next)
		if (a->client != NULL)
			records_client_cancel(a->client);
	end_ops(n, true);
	peers_leave(n->peers);
	n->leave.started = true;
	node_swarms_leave(n);
	n->leave.timer.fire = on_leave_timeout;
	timer_arm(&n->timers, &n->leave.timer, n->world->now_us + LEAVE_US);
	withdraw_topics(n);
}
