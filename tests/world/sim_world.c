/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/mem.h"
#include "world/sim_world.h"

enum { RANDOM_PORT_FIRST = 32768, RANDOM_PORTS = 28000, FIRST_CAPTURES = 8 };

static struct sim_world *
sim_world_of(struct world *w)
{
	return (struct sim_world *)(void *)w;
}

/* ---- sockets ---- */

int
sim_sock_at(const struct sim_world *sw, uint16_t port)
{
	for (uint32_t h = 0; h < sw->socks_len; h++)
		if (sw->socks[h].bound.port == port && sw->socks[h].open)
			return (int)h;
	return WORLD_NO_SOCK;
}

bool
sim_is_open(const struct sim_world *sw, int sock)
{
	return sock >= 0 && (uint32_t)sock < sw->socks_len &&
	       sw->socks[sock].open;
}

static bool
is_taken(const struct sim_world *sw, uint16_t port)
{
	return (port >= sw->taken_first && port <= sw->taken_last) ||
	       sim_sock_at(sw, port) != WORLD_NO_SOCK;
}

static uint16_t
choose_port(struct sim_world *sw, uint32_t h)
{
	uint16_t port;

	if (!sw->random_ports)
		return (uint16_t)(SIM_PORT_FIRST + h);
	do {
		port = (uint16_t)(RANDOM_PORT_FIRST +
				  prng_below(&sw->rand, RANDOM_PORTS));
	} while (is_taken(sw, port));
	return port;
}

static struct sim_sock *
new_sock(struct sim_world *sw, uint32_t *h)
{
	for (*h = 0; *h < sw->socks_len && sw->socks[*h].open;)
		++*h;
	if (*h == sw->socks_len)
		sw->socks =
		    mem_grow(sw->socks, ++sw->socks_len, sizeof *sw->socks);
	sw->socks_open++;
	return &sw->socks[*h];
}

static int
world_open(struct world *w, const struct addr *at, struct addr *bound)
{
	struct sim_world *sw = sim_world_of(w);
	struct sim_sock *s;
	uint32_t h;

	if (sw->socks_open >= sw->socks_max)
		return ERR_SOCKET;
	if (at->port != 0 && is_taken(sw, at->port))
		return ERR_ADDRESS_USED;
	s = new_sock(sw, &h);
	*s = (struct sim_sock){.bound = *at};
	if (sw->host.family != ADDR_NONE)
		s->bound = sw->host;
	s->bound.port = at->port != 0 ? at->port : choose_port(sw, h);
	s->open = true;
	*bound = s->bound;
	return (int)h;
}

static void
world_close(struct world *w, int sock)
{
	struct sim_world *sw = sim_world_of(w);

	if (!sim_is_open(sw, sock))
		abort(); /* no core may do that */
	sw->socks[sock].open = false;
	sw->socks_open--;
}

void
sim_close_all(struct sim_world *sw)
{
	sw->socks_len = sw->socks_open = 0;
}

/* ---- names and random numbers ---- */

static int
world_resolve(struct world *w, const char *name, uint32_t ticket)
{
	struct sim_world *sw = sim_world_of(w);
	struct sim_name *n;

	if (sw->hooks->resolve != NULL)
		return sw->hooks->resolve(sw, name, ticket);
	if (sw->names_len == SIM_NAMES_MAX)
		return ERR_BUSY;
	sw->names = mem_grow(sw->names, sw->names_len + 1, sizeof *sw->names);
	n = &sw->names[sw->names_len++];
	snprintf(n->name, sizeof n->name, "%s", name);
	n->ticket = ticket;
	return 0;
}

bool
sim_take_name(struct sim_world *sw, struct sim_name *out)
{
	if (sw->names_len == 0)
		return false;
	*out = sw->names[0];
	sw->names_len--;
	memmove(sw->names, sw->names + 1, sw->names_len * sizeof *sw->names);
	return true;
}

static void
world_random(struct world *w, void *out, size_t len)
{
	prng_fill(&sim_world_of(w)->rand, out, len);
}

/* ---- datagrams ---- */

static size_t
max_reservation(const struct dgram_meta *meta)
{
	size_t most = (size_t)meta->segment * WORLD_BURST_SEGMENTS;

	if (meta->segment == 0)
		return DGRAM_MAX;
	return most < WORLD_BURST_MAX ? most : WORLD_BURST_MAX;
}

static bool
is_full(struct sim_world *sw, int sock)
{
	if (sw->hooks->is_full != NULL)
		return sw->hooks->is_full(sw, sock);
	return sw->batch_max != 0 && sw->sent_len >= sw->batch_max;
}

static uint8_t *
world_reserve(struct world *w, const struct dgram_meta *meta, size_t cap)
{
	struct sim_world *sw = sim_world_of(w);

	if (cap == 0 || cap > max_reservation(meta) ||
	    meta->segment > DGRAM_MAX || !sim_is_open(sw, meta->sock))
		abort(); /* no core may do that */
	sw->reserved = 0;
	if (is_full(sw, meta->sock))
		return NULL;
	if (sw->space == NULL) {
		sw->space = mem_new(1, WORLD_BURST_MAX);
		sw->owns_space = true;
	}
	sw->meta = *meta;
	sw->reserved = cap;
	return sw->space;
}

static void
capture_one(struct sim_world *sw, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	struct sim_sent *s;

	if (sw->sent_len == sw->sent_cap) {
		sw->sent_cap =
		    sw->sent_cap == 0 ? FIRST_CAPTURES : sw->sent_cap * 2;
		sw->sent = mem_grow(sw->sent, sw->sent_cap, sizeof *sw->sent);
	}
	s = &sw->sent[sw->sent_len++];
	s->meta = *meta;
	s->meta.segment = 0;
	s->len = len;
	memcpy(s->buf, buf, len);
}

/* Cuts a burst into datagrams, as a network card does. */
static int
world_commit(struct world *w, size_t len)
{
	struct sim_world *sw = sim_world_of(w);
	size_t segment = sw->meta.segment != 0 ? sw->meta.segment : len;

	if (len == 0 || len > sw->reserved)
		abort(); /* no core may do that */
	sw->reserved = 0;
	for (size_t at = 0; at < len; at += segment)
		sw->hooks->send(sw, &sw->meta, sw->space + at,
		    len - at < segment ? len - at : segment);
	return 0;
}

void
sim_clear(struct sim_world *sw)
{
	sw->sent_len = 0;
}

const struct sim_sent *
sim_last_sent(const struct sim_world *sw)
{
	return sw->sent_len == 0 ? NULL : &sw->sent[sw->sent_len - 1];
}

/* ---- life ---- */

static const struct sim_hooks capture = {.send = capture_one};

static const struct world_ops ops = {
    .open = world_open,
    .close = world_close,
    .resolve = world_resolve,
    .random = world_random,
    .reserve = world_reserve,
    .commit = world_commit,
};

void
sim_world_init(
    struct sim_world *sw, const struct sim_hooks *hooks, uint64_t seed)
{
	*sw = (struct sim_world){
	    .w.ops = &ops,
	    .w.now_us = UINT64_C(3600) * 1000000,
	    .w.unix_ms = UINT64_C(1767225600) * 1000,
	    .hooks = hooks != NULL ? hooks : &capture,
	    .socks_max = SIM_SOCKS_MAX,
	};
	prng_init(&sw->rand, seed, PRNG_WORLD, 0);
}

void
sim_world_fini(struct sim_world *sw)
{
	free(sw->socks);
	free(sw->sent);
	free(sw->names);
	if (sw->owns_space)
		free(sw->space);
	*sw = (struct sim_world){0};
}

void
sim_advance_ms(struct sim_world *sw, uint64_t ms)
{
	sw->w.now_us += ms * 1000;
	sw->w.unix_ms += ms;
}
