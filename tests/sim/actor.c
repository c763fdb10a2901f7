/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "sim/actor.h"
#include "world/mem.h"
#include "sim/sim.h"

static struct actor *
actor_make(
    struct sim *s, uint32_t ip, actor_receive *receive, size_t state_size)
{
	struct actor *a = mem_new(1, sizeof *a);

	a->sim = s;
	a->receive = receive;
	a->ep = (struct endpoint){.kind = ENDPOINT_ACTOR, .ip = ip};
	a->ep.index = s->actors_len;
	prng_init(&a->rand, s->opt.seed, PRNG_ACTOR,
	    (uint64_t)a->ep.index << 32 | ip);
	place_draw(&a->ep.place, &a->rand);
	if (state_size > 0)
		a->state = mem_new(1, state_size);
	s->actors = mem_grow(s->actors, s->actors_len + 1, sizeof *s->actors);
	s->actors[s->actors_len++] = a;
	return a;
}

struct actor *
actor_new(struct sim *s, uint32_t ip, uint32_t count, actor_receive *receive,
    size_t state_size)
{
	struct actor *a = actor_make(s, ip, receive, state_size);

	for (uint32_t i = 0; i < count; i++)
		net_bind(&s->net, ip + i, &a->ep);
	return a;
}

struct actor *
actor_behind(
    struct sim *s, struct nat *box, actor_receive *receive, size_t state_size)
{
	struct actor *a;

	if (box == NULL)
		return actor_new(s, sim_address(s), 1, receive, state_size);
	a = actor_make(s, nat_next_inside(box), receive, state_size);
	nat_add(box, &a->ep);
	return a;
}

void
actor_free(struct actor *a)
{
	free(a->state);
	free(a);
}

void
actor_take(struct actor *a, const struct net_packet *p, struct spot to)
{
	a->got_bytes += p->len;
	if (a->receive != NULL)
		a->receive(a, p->from, to, p->bytes, p->len);
}

void
actor_send(struct actor *a, struct spot from, struct spot to, const void *buf,
    size_t len)
{
	sim_send(a->sim, &a->ep, NULL, from, to, buf, len);
}

void
spot_id(uint8_t id[ID_LEN], struct spot at)
{
	struct addr a = spot_addr(at);

	id_of_addr(id, &a);
}

void
actor_request(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_request *m)
{
	uint8_t buf[DGRAM_MAX], own[ID_LEN];

	m->to = spot_addr(to);
	spot_id(own, from);
	m->id = id ? own : NULL;
	actor_send(a, from, to, buf, rpc_request_encode(m, buf, sizeof buf));
	m->id = NULL;
}

/* Counts an answer of the spot to h, if both exist. */
static void
vouch(struct actor *a, struct spot from, struct spot to)
{
	struct endpoint *e = net_find(&a->sim->net, to.ip);

	if (e != NULL && e->kind == ENDPOINT_HOST &&
	    net_find(&a->sim->net, from.ip) == &a->ep)
		check_vouch(container_of(e, struct host, ep), from);
}

void
actor_reply(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_reply *m)
{
	uint8_t buf[DGRAM_MAX], own[ID_LEN];

	m->to = spot_addr(to);
	spot_id(own, from);
	m->id = id ? own : NULL;
	vouch(a, from, to);
	actor_send(a, from, to, buf, rpc_reply_encode(m, buf, sizeof buf));
	m->id = NULL;
}
