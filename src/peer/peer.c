/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "peer/inside.h"
#include "peer/session.h"

struct peers *
peers_new(const struct core *core, const struct peers_base *b)
{
	struct peers *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->core = core;
	p->base = *b;
	p->sock6 = WORLD_NO_SOCK;
	TAILQ_INIT(&p->stirred);
	TAILQ_INIT(&p->lingering);
	p->core->world->ops->random(
	    p->core->world, p->move_secret, sizeof p->move_secret);
	frame_budget_init(&p->frames, core->limits->frame_bytes);
	relay_memory_init(&p->relays, core->limits->remembered, &core->hash_key);
	p->listeners = listeners_new(p);
	if (p->listeners == NULL ||
	    dial_records_init(&p->attempts, core->limits->attempts) != 0) {
		peers_free(p);
		return NULL;
	}
	return p;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	while (p->conns != NULL)
		conn_close(p->conns);
	listeners_free(p->listeners);
	lingering_sockets_fini(p);
	peers_close6(p);
	relay_memory_fini(&p->relays);
	dial_records_fini(&p->attempts);
	free(p);
}

void
peers_limits_changed(struct peers *p)
{
	const struct limits *l = p->core->limits;

	p->frames.max = l->frame_bytes;
	relay_memory_set_max(&p->relays, l->remembered);
	dial_records_set_max(&p->attempts, l->attempts);
	sessions_limits_changed(p->listeners);
}

void
peers_leave(struct peers *p)
{
	peers_unlisten_all(p);
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->state == CONN_OPEN)
			conn_end(c);
		else
			conn_fail(c, ERR_CLOSED);
}

/* ---- numbers ---- */

uint32_t
peers_number(struct peers *p)
{
	/* Round the world in 2^32 steps; who is still there keeps his. */
	do
		p->next_number++;
	while (p->next_number == 0 || peers_conn(p, p->next_number) != NULL ||
	       listeners_have(p->listeners, p->next_number));
	return p->next_number;
}

/* ---- what happens ---- */

void
peers_stir(struct peers *p, struct stirred *s)
{
	if (s->queued)
		return;
	s->queued = true;
	TAILQ_INSERT_TAIL(&p->stirred, s, link);
}

void
peers_unstir(struct peers *p, struct stirred *s)
{
	if (!s->queued)
		return;
	s->queued = false;
	TAILQ_REMOVE(&p->stirred, s, link);
}

bool
peers_poll(struct peers *p, struct peer_event *out)
{
	struct udx_stream *stream;
	struct stirred *s;
	unsigned events;

	while ((stream = udx_poll(p->base.udx, &events)) != NULL)
		conn_stirred(udx_owner(stream), events);
	while ((s = TAILQ_FIRST(&p->stirred)) != NULL) {
		peers_unstir(p, s);
		if (s->next(s, out))
			return true;
	}
	return false;
}

const struct dial_record *
peers_dial_record(const struct peers *p, const uint8_t *key, uint32_t i)
{
	return dial_records_nth(&p->attempts, key, i);
}
