/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "sim/sim.h"

enum {
	HEAD = 8,     /* bytes of the number, before the pattern */
	PIECE = 4096, /* of the pattern written at once */
	/*
	 * What the node gives itself to dial, protocol 03 §8.1, and a little.
	 */
	DIAL_SECONDS = 35,
	/* From open to over, with all that a bad link may do. */
	TALK_SECONDS = 240,
};

void
calls_init(struct calls *c)
{
	*c = (struct calls){0};
}

void
calls_fini(struct calls *c)
{
	free(c->records);
}

/* ---- the list of a host ---- */

static struct call *
call_new(struct host *h, uint32_t conn)
{
	struct call *c = mem_new(1, sizeof *c);

	c->host = h;
	c->conn = conn;
	c->started_us = h->sim->now_us;
	c->clock_us = h->world.w.now_us;
	c->next = h->calls;
	h->calls = c;
	return c;
}

static void
call_end(struct call *c, int err)
{
	struct calls *all = &c->host->sim->calls;
	struct call **at = &c->host->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	dial_cost_end(c->host->sim, &c->cost, &c->spec.bound);
	c->err = err;
	c->over_us = c->host->sim->now_us;
	if (c->dialed) {
		all->open--;
		all->failed += err != 0;
		if (c->spec.done != NULL)
			c->spec.done(c->host->sim, c);
	}
	free(c);
}

static struct call *
call_find(struct host *h, uint32_t conn)
{
	struct call *c = h->calls;

	while (c != NULL && c->conn != conn)
		c = c->next;
	return c;
}

/* ---- the pattern of bytes ---- */

static uint8_t
pattern(uint64_t number, uint64_t at)
{
	if (at < HEAD)
		return (uint8_t)(number >> 8 * at);
	return (uint8_t)(number * 131 + at * 7 + (at >> 8));
}

static void
say(struct call *c)
{
	uint64_t total = HEAD + c->spec.bytes - (c->held ? c->spec.late : 0);
	uint8_t buf[PIECE];
	ptrdiff_t n = 1;

	while (c->written < total && n > 0) {
		size_t len =
		    total - c->written < PIECE ? total - c->written : PIECE;

		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(c->number, c->written + i);
		n = node_conn_write(c->host->node, c->conn, buf, len);
		c->written += n > 0 ? (uint64_t)n : 0;
	}
	if (c->written == total && !c->held && !c->ended) {
		c->ended = true;
		node_conn_end(c->host->node, c->conn);
	}
}

struct hold {
	struct host *host;
	uint64_t number; /* of the call, which may be over */
};

static void
let_go(struct sim *s, void *arg)
{
	struct hold *hold = arg;
	struct host *h = hold->host;
	struct call *c = h->calls;

	while (c != NULL && !(c->dialed && c->number == hold->number))
		c = c->next;
	if (c != NULL && h->state == HOST_ASLEEP) {
		sim_at(s, SECONDS(1), let_go, hold);
		return;
	}
	free(hold);
	if (c == NULL)
		return;
	c->held = false;
	host_clock(h);
	say(c);
	host_settle(h);
}

static void
hold(struct call *c)
{
	struct hold *hold = mem_new(1, sizeof *hold);

	c->held = true;
	*hold = (struct hold){c->host, c->number};
	sim_at(c->host->sim, c->spec.hold_us, let_go, hold);
}

/* Compares the bytes that the listener returned with those sent. */
static void
hear(struct call *c)
{
	struct host *h = c->host;
	struct bytes b;

	while ((b = node_conn_peek(h->node, c->conn)).len > 0) {
		for (size_t i = 0; i < b.len; i++)
			if (b.p[i] != pattern(c->number, c->read + i) ||
			    c->read + i >= c->written)
				sim_broken(h->sim,
				    "host %u: call %llu reads what it never "
				    "wrote, at byte %llu",
				    h->ep.index, (unsigned long long)c->number,
				    (unsigned long long)(c->read + i));
		c->read += b.len;
		c->heard_us = h->sim->now_us;
		if (c->read == HEAD + c->spec.bytes)
			h->sim->calls.answered++;
		node_conn_consume(h->node, c->conn, b.len);
	}
}

/* ---- listeners ---- */

/* Identifies the call by its first bytes and the caller by its key. */
static void
recognize(struct call *c)
{
	struct sim *s = c->host->sim;
	struct call_record *r;

	for (int i = 0; i < HEAD; i++)
		c->number |= (uint64_t)c->head[i] << 8 * i;
	if (c->number >= s->calls.records_len)
		sim_broken(
		    s, "host %u: a session of no call", c->host->ep.index);
	r = &s->calls.records[c->number];
	if (r->callee != c->host->ep.index ||
	    memcmp(s->hosts[r->caller]->identity.public_key, c->key, KEY_LEN) !=
		0)
		sim_broken(s,
		    "host %u: call %llu is not for it, or its "
		    "caller is another",
		    c->host->ep.index, (unsigned long long)c->number);
	if (++r->sessions > 1)
		sim_broken(s, "host %u: call %llu has a second session",
		    c->host->ep.index, (unsigned long long)c->number);
}

static void
echo(struct call *c)
{
	struct node *n = c->host->node;
	struct bytes b;

	while ((b = node_conn_peek(n, c->conn)).len > 0) {
		size_t len = b.len;
		ptrdiff_t took;

		if (len > node_conn_space(n, c->conn))
			len = node_conn_space(n, c->conn);
		took = len > 0 ? node_conn_write(n, c->conn, b.p, len) : 0;
		if (took <= 0)
			break;
		for (ptrdiff_t i = 0; i < took && c->read + i < HEAD; i++) {
			c->head[c->read + i] = b.p[i];
			if (c->read + i == HEAD - 1)
				recognize(c);
		}
		c->read += (uint64_t)took;
		node_conn_consume(n, c->conn, (size_t)took);
	}
	if (!c->ended && node_conn_ended(n, c->conn)) {
		c->ended = true;
		node_conn_end(n, c->conn);
	}
}

/* ---- events ---- */

static void
on_open(struct host *h, const struct node_event *n)
{
	struct call *c = call_find(h, n->op);

	if (c == NULL && n->listener != 0) {
		c = call_new(h, n->op);
		h->sim->calls.sessions++;
		memcpy(c->key, n->key, KEY_LEN);
	}
	if (c == NULL || c->open)
		sim_broken(h->sim, "host %u: connection %u opens %s",
		    h->ep.index, n->op, c == NULL ? "unexpectedly" : "twice");
	if (c->dialed &&
	    memcmp(c->spec.to->identity.public_key, n->key, KEY_LEN) != 0)
		sim_broken(h->sim, "host %u: connection %u is with another key",
		    h->ep.index, n->op);
	if (c->dialed && c->spec.hold_us > 0)
		hold(c);
	dial_cost_end(h->sim, &c->cost, &c->spec.bound);
	c->open = true;
	c->opened_us = h->sim->now_us;
	h->sim->calls.opened += c->dialed;
}

static void
on_closed(struct host *h, const struct node_event *n)
{
	struct call *c = call_find(h, n->op);

	if (c == NULL)
		sim_broken(h->sim, "host %u: connection %u ends twice",
		    h->ep.index, n->op);
	if (c->dialed && n->err == 0 && c->read != HEAD + c->spec.bytes)
		sim_broken(h->sim,
		    "host %u: call %llu ended well with %llu of "
		    "%u bytes read",
		    h->ep.index, (unsigned long long)c->number,
		    (unsigned long long)c->read, HEAD + c->spec.bytes);
	call_end(c, n->err);
}

static void
on_ready(struct host *h, const struct node_event *n)
{
	struct call *c = call_find(h, n->op);

	if (c == NULL || !c->open)
		sim_broken(h->sim, "host %u: connection %u is ready unopened",
		    h->ep.index, n->op);
	if (c->dialed) {
		say(c);
		hear(c);
	} else {
		echo(c);
	}
}

bool
calls_node_event(struct host *h, const struct node_event *n)
{
	switch (n->kind) {
	case NODE_EV_LISTENING:
		h->relays = n->stored;
		return true;
	case NODE_EV_REFUSED:
	case NODE_EV_MOVED:
		return true;
	case NODE_EV_OPEN:
		on_open(h, n);
		return true;
	case NODE_EV_READY:
		on_ready(h, n);
		return true;
	case NODE_EV_CLOSED:
		on_closed(h, n);
		return true;
	default:
		return false;
	}
}

/* ---- for scenarios ---- */

static void
listen_as(struct host *h, struct node_listen l)
{
	uint32_t listener;
	int err;

	host_clock(h);
	err = node_listen(h->node, &l, &listener);
	if (err != 0)
		sim_broken(h->sim, "host %u does not listen: %s", h->ep.index,
		    err_text(err));
	host_settle(h);
}

void
call_listen(struct host *h)
{
	listen_as(h, (struct node_listen){.keys = &h->identity});
}

void
call_listen_for(struct host *h, const uint8_t key[KEY_LEN])
{
	uint8_t allow[1][KEY_LEN];

	memcpy(allow[0], key, KEY_LEN);
	listen_as(h, (struct node_listen){
			 .keys = &h->identity, .allow = allow, .allow_len = 1});
}

bool
call_reachable(const struct host *h)
{
	return h->state == HOST_UP && h->relays > 0;
}

void
call_first_open(struct sim *s, struct call *c)
{
	uint64_t *first_us = c->spec.arg;

	(void)s;
	if (c->open && (*first_us == 0 || *first_us > c->opened_us))
		*first_us = c->opened_us;
}

struct host *
call_caller(struct sim *s)
{
	struct host *h;

	do
		h = sim_any(s);
	while (h->nat != NULL || h->role != DHT_PERSISTENT);
	return h;
}

static uint64_t
record(struct sim *s, const struct host *from, const struct host *to)
{
	struct calls *all = &s->calls;

	if (all->records_len == all->records_cap) {
		all->records_cap = all->records_cap * 2 + 64;
		all->records = mem_grow(
		    all->records, all->records_cap, sizeof *all->records);
	}
	all->records[all->records_len] = (struct call_record){
	    .caller = from->ep.index, .callee = to->ep.index};
	return all->records_len++;
}

bool
calls_between(const struct host *h, const struct host *other)
{
	const uint8_t *key = other->identity.public_key;

	for (const struct call *c = h->calls; c != NULL; c = c->next)
		if (c->dialed ? c->spec.to == other
			      : memcmp(c->key, key, KEY_LEN) == 0)
			return true;
	return false;
}

int
call_start(struct host *h, const struct call_spec *spec)
{
	struct node_connect nc = {.key = spec->to->identity.public_key,
	    .relays = spec->relays,
	    .relays_len = spec->relays_len};
	struct call *c;
	int err;

	if (h->state != HOST_UP)
		return ERR_CLOSED;
	host_clock(h);
	c = call_new(h, 0);
	c->spec.bound = spec->bound;
	dial_cost_begin(h->sim, &c->cost, h, spec->to);
	err = node_connect(h->node, &nc, &c->conn);
	if (err != 0) {
		h->sim->calls.refused++;
		call_end(c, err);
		return err;
	}
	c->dialed = true;
	c->spec = *spec;
	c->number = record(h->sim, h, spec->to);
	h->sim->calls.open++;
	host_settle(h);
	return 0;
}

void
calls_hang_up(struct host *h)
{
	struct call *next;

	host_clock(h);
	for (struct call *c = h->calls; c != NULL; c = next) {
		next = c->next;
		if (!c->dialed || c->open)
			continue;
		node_conn_close(h->node, c->conn);
		call_end(c, ERR_CANCELLED);
	}
	host_settle(h);
}

void
calls_drop(struct host *h)
{
	h->relays = 0;
	while (h->calls != NULL) {
		h->sim->calls.lost++;
		call_end(h->calls, ERR_CLOSED);
	}
}

void
calls_check(struct host *h)
{
	host_clock(h);
	for (struct call *c = h->calls; c != NULL; c = c->next) {
		uint64_t age = h->world.w.now_us - c->clock_us;

		if (!c->dialed)
			continue;
		if (age > SECONDS(c->open ? TALK_SECONDS : DIAL_SECONDS))
			sim_broken(h->sim, "host %u: call %llu never %s",
			    h->ep.index, (unsigned long long)c->number,
			    c->open ? "ended" : "opened");
	}
}
