/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "peer/inside.h"
#include "peer/lingering_sockets.h"

/* As long as udx answers for a stream that has ended, and a little more. */
enum { STAY_MS = 7000 };

struct sock_left {
	TAILQ_ENTRY(sock_left) link;
	struct peers *peers;
	struct timer timer;
	int sock;
};

static void
close_now(struct peers *p, int sock)
{
	udx_socket_closed(p->base.udx, sock);
	punch_close(p->base.punch, sock);
}

static void
drop(struct sock_left *s)
{
	struct peers *p = s->peers;

	timer_disarm(p->core->timers, &s->timer);
	TAILQ_REMOVE(&p->lingering, s, link);
	close_now(p, s->sock);
	free(s);
}

/* Another connection to the same peer goes by it, too (protocol 03 §8.5). */
static bool
is_used(const struct peers *p, int sock)
{
	const struct conn *c = p->conns;

	while (c != NULL && conn_sock(c) != sock)
		c = c->hh.next;
	return c != NULL;
}

bool
lingering_sockets_last(const struct peers *p, int sock)
{
	const struct conn *c = p->conns;

	if (peers_has_socket(p, sock))
		return true;
	while (c != NULL && (c->state != CONN_OPEN || conn_sock(c) != sock))
		c = c->hh.next;
	return c != NULL;
}

static void
stay(struct sock_left *s)
{
	struct peers *p = s->peers;

	if (timer_arm(p->core->timers, &s->timer,
		p->core->world->now_us + STAY_MS * UINT64_C(1000)) != 0)
		drop(s);
}

static void
on_time(struct timer *t)
{
	struct sock_left *s = container_of(t, struct sock_left, timer);

	if (is_used(s->peers, s->sock))
		stay(s);
	else
		drop(s);
}

static struct sock_left *
find(const struct peers *p, int sock)
{
	struct sock_left *s;

	TAILQ_FOREACH (s, &p->lingering, link)
		if (s->sock == sock)
			return s;
	return NULL;
}

bool
lingering_sockets_has(const struct peers *p, int sock)
{
	return find(p, sock) != NULL;
}

void
lingering_sockets_leave(struct peers *p, int sock)
{
	struct sock_left *s = find(p, sock);

	if (s != NULL) {
		stay(s);
		return;
	}
	if ((s = calloc(1, sizeof *s)) == NULL) {
		close_now(p, sock);
		return;
	}
	s->peers = p;
	s->sock = sock;
	s->timer.fire = on_time;
	TAILQ_INSERT_TAIL(&p->lingering, s, link);
	stay(s);
}

void
lingering_sockets_fini(struct peers *p)
{
	struct sock_left *s;

	while ((s = TAILQ_FIRST(&p->lingering)) != NULL)
		drop(s);
}
