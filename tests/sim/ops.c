/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "sim/sim.h"
#include "sim/walk.h"

static int
ask(struct host *h, const struct op_spec *p, uint32_t *number)
{
	struct node *n = h->node;

	switch (p->kind) {
	case OP_PING:
		return node_ping(n, &p->to, number);
	case OP_FIND_NODE:
		return node_find_node(n, p->target, number);
	case OP_FIND_PEER:
		return node_find(n, CMD_FIND_PEER, p->target, number);
	case OP_LOOKUP:
		return node_find(n, CMD_LOOKUP, p->target, number);
	case OP_PUT_IMMUTABLE:
		return node_put_immutable(n, p->value, p->value_len, number);
	case OP_GET_IMMUTABLE:
		return node_get_immutable(n, p->target, number);
	case OP_PUT_MUTABLE:
		return node_put_mutable(
		    n, NULL, p->seq, p->value, p->value_len, number);
	case OP_GET_MUTABLE:
		return node_get_mutable(n, p->target, p->seq, number);
	case OP_ANNOUNCE:
		return node_announce(n, NULL, p->target, number);
	case OP_UNANNOUNCE:
		return node_unannounce(n, NULL, p->target, number);
	}
	return ERR_VALUE;
}

static void
watch(struct op *op)
{
	struct walk *w = mem_new(1, sizeof *w);

	op->walk = w;
	op->host->walks++;
	memcpy(w->target, op->spec.target, sizeof w->target);
	if (op->spec.kind == OP_FIND_PEER || op->spec.kind == OP_GET_MUTABLE)
		key_target(w->target, op->spec.target);
}

static struct op *
op_new(struct host *h, const struct op_spec *spec)
{
	struct op *op = mem_new(1, sizeof *op);

	op->host = h;
	op->spec = *spec;
	op->started_us = h->sim->now_us;
	op->clock_us = h->world.w.now_us;
	if (spec->want != NULL)
		memcpy(op->want, spec->want, sizeof op->want);
	/* Added before the call: the first datagrams belong to the walk. */
	op->next = h->ops;
	h->ops = op;
	if (spec->watch)
		watch(op);
	return op;
}

static void
op_unlink(struct op *op)
{
	struct op **at = &op->host->ops;

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
}

static void
op_free(struct op *op)
{
	if (op->walk != NULL)
		op->host->walks--;
	free(op->walk);
	free(op);
}

int
op_start(struct host *h, const struct op_spec *spec)
{
	struct ops *o;
	struct op *op;
	int err;

	if (h == NULL || h->state != HOST_UP)
		return ERR_CLOSED;
	o = &h->sim->ops;
	host_clock(h);
	op = op_new(h, spec);
	err = ask(h, spec, &op->number);
	if (err != 0) {
		o->refused++;
		op_unlink(op);
		op_free(op);
		return err;
	}
	o->started++;
	o->open++;
	host_settle(h);
	return 0;
}

static void
op_end(struct op *op, int err)
{
	struct sim *s = op->host->sim;

	op->err = err;
	op->ended_us = s->now_us;
	if (op->walk != NULL) {
		op->sent = op->walk->sent;
		op->received = op->walk->received;
	}
	op_unlink(op);
	s->ops.open--;
	if (op->spec.done != NULL)
		op->spec.done(s, op);
	op_free(op);
}

static void
note_found(struct op *op, const struct node_event *n)
{
	if (op->found)
		return;
	op->found = true;
	op->found_us = op->host->sim->now_us;
	if (op->walk != NULL)
		op->hops = walk_depth(op->walk, addr_spot(&n->node));
}

static void
note_peer(struct op *op, const struct node_event *n)
{
	uint32_t i = 0;

	while (i < op->keys_len && memcmp(op->keys[i], n->key, 4) != 0)
		i++;
	if (i == op->keys_len && i < OP_KEYS)
		memcpy(op->keys[op->keys_len++], n->key, 4);
	if (op->spec.want == NULL || memcmp(op->want, n->key, KEY_LEN) == 0)
		note_found(op, n);
}

static void
note_node(struct op *op, const struct node_event *n)
{
	if (op->closest_len < OP_CLOSEST)
		op->closest[op->closest_len++] = addr_spot(&n->node);
	if (op->spec.kind == OP_FIND_NODE)
		note_found(op, n);
}

static void
note_value(struct op *op, const struct node_event *n)
{
	if (n->seq > op->seq)
		op->seq = n->seq;
	if (op->spec.value == NULL ||
	    (n->value_len == op->spec.value_len &&
		memcmp(n->value, op->spec.value, n->value_len) == 0))
		note_found(op, n);
}

void
ops_node_event(struct host *h, const struct node_event *n)
{
	struct op *op = h->ops;

	while (op != NULL && op->number != n->op)
		op = op->next;
	if (op == NULL)
		sim_broken(h->sim,
		    "host %u: event of operation %u, which has ended",
		    h->ep.index, n->op);
	if (n->kind == NODE_EV_PEER)
		note_peer(op, n);
	else if (n->kind == NODE_EV_NODE)
		note_node(op, n);
	else if (n->kind == NODE_EV_VALUE)
		note_value(op, n);
	else if (n->kind == NODE_EV_DONE) {
		op->replies = n->replies;
		op->failures = n->failures;
		op->stored = n->stored;
		op->refused = n->refused;
		h->sim->ops.ended++;
		op_end(op, n->err);
	}
}

void
ops_drop(struct host *h)
{
	while (h->ops != NULL) {
		h->sim->ops.lost++;
		op_end(h->ops, ERR_CLOSED);
	}
}

const struct op *
ops_oldest(const struct host *h)
{
	const struct op *op = h->ops;

	/* New operations are prepended. */
	while (op != NULL && op->next != NULL)
		op = op->next;
	return op;
}
