/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/timer.h"
#include "world/mem.h"
#include "world/nat.h"

enum { FIRST_PORT = 1024, RANDOM_TRIES = 64, STEP = 64 };

struct nat *
nat_new(const struct nat_config *c, uint32_t ip, uint64_t seed)
{
	struct nat *n = mem_new(1, sizeof *n);

	n->config = *c;
	n->ep = (struct endpoint){.kind = ENDPOINT_NAT, .ip = ip};
	prng_init(&n->rand, seed, PRNG_NAT, ip);
	n->next_port = (uint16_t)(FIRST_PORT + prng_below(&n->rand, 60000));
	return n;
}

void
nat_free(struct nat *n)
{
	free(n->mappings);
	free(n->permits);
	free(n->inside);
	free(n);
}

void
nat_add(struct nat *n, struct endpoint *ep)
{
	n->inside = mem_grow(n->inside, n->inside_len + 1, sizeof *n->inside);
	n->inside[n->inside_len++] = ep;
	ep->place = n->ep.place;
}

uint32_t
nat_next_inside(const struct nat *n)
{
	return n->config.firewall ? n->ep.ip : 0xc0a80002 + n->inside_len;
}

struct endpoint *
nat_inside(const struct nat *n, uint32_t ip)
{
	for (uint32_t i = 0; i < n->inside_len; i++)
		if (n->inside[i]->ip == ip)
			return n->inside[i];
	return NULL;
}

void
nat_flush(struct nat *n)
{
	n->mappings_len = 0;
	n->permits_len = 0;
}

/* Returns what a rule keeps of the peer's address. */
static struct spot
by_rule(enum nat_rule rule, struct spot peer)
{
	if (rule == NAT_ENDPOINT_INDEPENDENT)
		return (struct spot){0, 0};
	if (rule == NAT_ADDRESS)
		peer.port = 0;
	return peer;
}

static bool
expired(const struct nat *n, uint64_t used_us, uint64_t now_us)
{
	return now_us - used_us > n->config.timeout_s * 1000000ull;
}

static void
purge(struct nat *n, uint64_t now_us)
{
	uint32_t i;

	for (i = 0; i < n->mappings_len;)
		if (expired(n, n->mappings[i].used_us, now_us))
			n->mappings[i] = n->mappings[--n->mappings_len];
		else
			i++;
	for (i = 0; i < n->permits_len;)
		if (expired(n, n->permits[i].used_us, now_us))
			n->permits[i] = n->permits[--n->permits_len];
		else
			i++;
}

static bool
port_taken(const struct nat *n, uint16_t port)
{
	for (uint32_t i = 0; i < n->mappings_len; i++)
		if (n->mappings[i].outer.port == port)
			return true;
	return false;
}

static uint16_t
next_port(struct nat *n)
{
	uint16_t port;

	do {
		port = n->next_port++;
		if (n->next_port < FIRST_PORT)
			n->next_port = FIRST_PORT;
	} while (port_taken(n, port));
	return port;
}

static uint16_t
port_new(struct nat *n, uint16_t inner)
{
	uint16_t port;

	if (n->config.ports == NAT_PRESERVING && !port_taken(n, inner))
		return inner;
	if (n->config.ports != NAT_RANDOM)
		return next_port(n);
	for (int i = 0; i < RANDOM_TRIES; i++) {
		port = (uint16_t)(FIRST_PORT + prng_below(&n->rand, 64512));
		if (!port_taken(n, port))
			return port;
	}
	return next_port(n);
}

static struct nat_mapping *
mapping_new(struct nat *n, struct spot inner, struct spot peer)
{
	struct nat_mapping *m;

	if (n->mappings_len == NAT_MAPPINGS_MAX)
		return NULL;
	if (n->mappings_len % STEP == 0)
		n->mappings = mem_grow(
		    n->mappings, n->mappings_len + STEP, sizeof *n->mappings);
	m = &n->mappings[n->mappings_len];
	m->inner = inner;
	m->peer = peer;
	m->outer = (struct spot){n->ep.ip, port_new(n, inner.port)};
	n->mappings_len++;
	return m;
}

static struct nat_mapping *
mapping_of(struct nat *n, struct spot inner, struct spot to)
{
	struct spot peer = by_rule(n->config.mapping, to);

	for (uint32_t i = 0; i < n->mappings_len; i++)
		if (spot_equal(n->mappings[i].inner, inner) &&
		    spot_equal(n->mappings[i].peer, peer))
			return &n->mappings[i];
	return mapping_new(n, inner, peer);
}

static struct nat_permit *
permit_of(struct nat *n, struct spot outer, struct spot peer)
{
	peer = by_rule(n->config.filtering, peer);
	for (uint32_t i = 0; i < n->permits_len; i++)
		if (spot_equal(n->permits[i].outer, outer) &&
		    spot_equal(n->permits[i].peer, peer))
			return &n->permits[i];
	return NULL;
}

static bool
permit(struct nat *n, uint64_t now_us, struct spot outer, struct spot peer)
{
	struct nat_permit *p = permit_of(n, outer, peer);

	if (p == NULL) {
		if (n->permits_len == NAT_MAPPINGS_MAX)
			return false;
		if (n->permits_len % STEP == 0)
			n->permits = mem_grow(n->permits, n->permits_len + STEP,
			    sizeof *n->permits);
		p = &n->permits[n->permits_len++];
		p->outer = outer;
		p->peer = by_rule(n->config.filtering, peer);
	}
	p->used_us = now_us;
	return true;
}

bool
nat_out(struct nat *n, uint64_t now_us, struct spot *from, struct spot to)
{
	struct nat_mapping *m;

	purge(n, now_us);
	if (n->config.firewall)
		return permit(n, now_us, *from, to);
	m = mapping_of(n, *from, to);
	if (m == NULL)
		return false;
	m->used_us = now_us;
	*from = m->outer;
	return permit(n, now_us, m->outer, to);
}

/* Finds the mapping of an outer port, which belongs to one only. */
static struct nat_mapping *
mapping_in(struct nat *n, struct spot outer)
{
	for (uint32_t i = 0; i < n->mappings_len; i++)
		if (spot_equal(n->mappings[i].outer, outer))
			return &n->mappings[i];
	return NULL;
}

bool
nat_in(struct nat *n, uint64_t now_us, struct spot from, struct spot *to)
{
	struct nat_permit *p;
	struct nat_mapping *m;

	purge(n, now_us);
	p = permit_of(n, *to, from);
	if (p == NULL)
		return false;
	if (n->config.refresh_inbound)
		p->used_us = now_us;
	if (n->config.firewall)
		return true;
	m = mapping_in(n, *to);
	if (m == NULL)
		return false;
	if (n->config.refresh_inbound)
		m->used_us = now_us;
	*to = m->inner;
	return true;
}

struct endpoint *
nat_enter(
    struct endpoint *e, uint64_t now_us, struct spot from, struct spot *to)
{
	while (e != NULL && e->kind == ENDPOINT_NAT) {
		struct nat *box = container_of(e, struct nat, ep);

		if (!nat_in(box, now_us, from, to))
			return NULL;
		e = nat_inside(box, to->ip);
	}
	return e;
}
