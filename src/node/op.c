/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/inside.h"

struct op *
op_new(struct node *n, int *err)
{
	static const struct news done = {.kind = NEWS_DONE};
	struct op *op;

	*err = n->leaving ? ERR_CLOSED : ERR_BUSY;
	if (n->leaving || HASH_COUNT(n->ops) >= n->core.limits->operations)
		return NULL;
	*err = ERR_MEMORY;
	if ((op = calloc(1, sizeof *op)) == NULL)
		return NULL;
	op->node = n;
	op->number = ++n->next_op != 0 ? n->next_op : ++n->next_op;
	op->done = news_item_new(&done);
	if (op->done != NULL)
		HASH_ADD_BYHASHVALUE(
		    hh, n->ops, number, sizeof op->number, op->number, op);
	if (op->done == NULL || op->hh.tbl == NULL) {
		free(op->done);
		free(op);
		return NULL;
	}
	*err = 0;
	return op;
}

static void
op_free(struct op *op)
{
	HASH_DELETE(hh, op->node->ops, op);
	if (op->netcheck != NULL)
		netcheck_cancel(op->netcheck);
	if (op->watching)
		punch_stop_measuring(op->node->punch, &op->watch);
	free(op->done);
	free(op->own);
	free(op);
}

void
op_drop(struct op *op)
{
	op_free(op);
}

void
op_end(struct op *op, const struct news *done)
{
	struct news *news = &op->done->news;

	/* The item was made without room for a value, and the end has none. */
	memcpy(news, done, offsetof(struct news, value));
	news->kind = NEWS_DONE;
	news->op = op->number;
	news->lost = op->lost;
	news->value_len = 0;
	news_push_item(op->node, op->done);
	op->done = NULL;
	op_free(op);
}

void
ops_fini(struct node *n)
{
	struct op *op, *next;

	HASH_ITER (hh, n->ops, op, next)
		op_free(op);
}

struct news
op_done_news(const struct records_event *e)
{
	return (struct news){
	    .kind = NEWS_DONE,
	    .err = e->err,
	    .replies = e->replies,
	    .failures = e->failures,
	    .stored = e->stored,
	    .refused = e->refused,
	};
}

/* ---- from the client's events to news ---- */

struct news
op_found_news(const struct op *op, const struct records_event *e)
{
	static const enum news_kind kinds[] = {
	    [RECORDS_EV_NODE] = NEWS_NODE,
	    [RECORDS_EV_PEER] = NEWS_PEER,
	    [RECORDS_EV_VALUE] = NEWS_VALUE,
	};
	struct news news = {
	    .kind = kinds[e->kind],
	    .op = op->number,
	    .node = e->node,
	    .seq = e->seq,
	    .bump = e->bump,
	};

	if (e->id != NULL)
		memcpy(news.id, e->id, ID_LEN);
	if (e->kind == RECORDS_EV_PEER) {
		memcpy(news.key, e->peer.key, KEY_LEN);
		while (news.relays_len < NEWS_RELAYS_MAX &&
		       news.relays_len < peer_relays_len(&e->peer)) {
			news.relays[news.relays_len] =
			    peer_relay(&e->peer, news.relays_len);
			news.relays_len++;
		}
	}
	if (e->value.len > 0 && e->value.len <= NEWS_VALUE_MAX) {
		memcpy(news.value, e->value.p, e->value.len);
		news.value_len = (uint16_t)e->value.len;
	}
	return news;
}

void
op_found(struct op *op, const struct records_event *e)
{
	struct news news = op_found_news(op, e);

	if (!news_push(op->node, &news))
		op->lost++;
}

static void
on_event(void *owner, const struct records_event *e)
{
	struct op *op = owner;
	struct news done;

	if (e->kind != RECORDS_EV_DONE) {
		if (!own_is_newer(op, e))
			op_found(op, e);
		return;
	}
	done = op_done_news(e);
	own_done(op, &done);
	op_end(op, &done);
}

static struct records_sink
sink_of(struct op *op)
{
	return (struct records_sink){.event = on_event, .owner = op};
}

/* The common end of starting: hands out the number, or undoes all. */
static int
started(struct op *op, int err, uint32_t *number)
{
	if (err != 0) {
		op_drop(op);
		return err;
	}
	*number = op->number;
	return 0;
}

/* ---- the operations ---- */

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct op *op = owner;
	struct news done = {
	    .err = a->err,
	    .node = a->from,
	    .rtt_us = a->rtt_us,
	    .replies = a->err == 0,
	    .failures = a->err != 0,
	};

	if (a->id != NULL)
		memcpy(done.id, a->id, ID_LEN);
	op_end(op, &done);
}

int
node_ping(struct node *n, const struct addr *to, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);
	struct dht_call c = {.to = *to, .internal = true, .command = RPC_PING};

	if (op == NULL)
		return err;
	err = dht_call(n->dht, &c,
	    (struct dht_done){.call = on_pong, .owner = op}, &op->request);
	return started(op, err, number);
}

static void
on_checked(void *owner, const struct netcheck_result *r)
{
	static const struct news done = {.err = 0};
	struct op *op = owner;

	op->netcheck = NULL;
	op->node->netcheck = *r;
	op->watching = op->measures &&
		       punch_measure_lifetime(op->node->punch, &op->watch) == 0;
	if (!op->watching)
		op_end(op, &done);
}

static void
on_silence(void *owner, const struct lifetime_result *r)
{
	static const struct news done = {.err = 0};
	struct op *op = owner;
	struct news news = {
	    .kind = NEWS_SILENCE,
	    .op = op->number,
	    .outlived_s = r->at_least_s,
	    .next_s = r->next_s,
	};

	if (r->next_s > 0) {
		if (!news_push(op->node, &news))
			op->lost++;
		return;
	}
	op->watching = false;
	op_end(op, &done);
}

int
node_netcheck(struct node *n, bool lifetime, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);
	struct netcheck_done done = {.call = on_checked, .owner = op};

	if (op == NULL)
		return err;
	op->measures = lifetime;
	op->watch.sink = (struct lifetime_listener){on_silence, op};
	op->netcheck = netcheck_start(n->punch, done, &err);
	return started(op, err, number);
}

int
node_find_node(struct node *n, const uint8_t *target, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err =
	    records_client_find_node(n->dht, target, sink_of(op), &op->client);
	return started(op, err, number);
}

int
node_find_peer(struct node *n, const uint8_t *key, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_find_peer(n->dht, key, sink_of(op), &op->client);
	if (err == 0)
		own_peer(op, key);
	return started(op, err, number);
}

int
node_lookup(struct node *n, const uint8_t *topic, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_lookup(n->dht, topic, sink_of(op), &op->client);
	if (err == 0)
		own_peers(op, topic);
	return started(op, err, number);
}

int
node_put_immutable(
    struct node *n, const void *value, size_t len, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_put_immutable(n->dht,
	    (struct bytes){.p = value, .len = len}, sink_of(op), &op->client);
	return started(op, err, number);
}

int
node_get_immutable(struct node *n, const uint8_t *hash, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	if (own_immutable(op, hash, number))
		return 0;
	err = records_client_get_immutable(
	    n->dht, hash, sink_of(op), &op->client);
	return started(op, err, number);
}

int
node_put_mutable(struct node *n, uint64_t seq, const void *value, size_t len,
    uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_put_mutable(n->dht, n->config.identity, seq,
	    (struct bytes){.p = value, .len = len}, sink_of(op), &op->client);
	return started(op, err, number);
}

int
node_get_mutable(
    struct node *n, const uint8_t *key, uint64_t seq, uint32_t *number)
{
	int err;
	struct op *op = op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_get_mutable(
	    n->dht, key, seq, sink_of(op), &op->client);
	if (err == 0)
		own_mutable(op, key, seq);
	return started(op, err, number);
}

void
node_cancel(struct node *n, uint32_t number)
{
	static const struct news cancelled = {.err = ERR_CANCELLED};
	struct op *op;

	HASH_FIND_BYHASHVALUE(hh, n->ops, &number, sizeof number, number, op);
	if (op == NULL)
		return;
	if (op->client != NULL) {
		records_client_cancel(op->client);
	} else if (op->request != NULL) {
		dht_cancel(n->dht, op->request);
	} else if (op->netcheck != NULL || op->watching) {
		op_end(op, &cancelled);
	} else {
		/* The topic stays announced; only the waiting ends. */
		op->announcement->op = NULL;
		op_end(op, &cancelled);
	}
}
