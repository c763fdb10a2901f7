/* SPDX-License-Identifier: ISC */
#include "peer/lingering_sockets.h"

#include <stdlib.h>

#include "peer/conn_struct.h"
#include "peer/peers_struct.h"

/* As long as udx answers for a stream that has ended, and a little more. */
enum { LINGER_MS = 7000 };

struct lingering_socket {
	TAILQ_ENTRY(lingering_socket) link;
	struct peers *peers;
	struct timer expiry;
	int sock;
};

static void
close_socket(struct peers *p, int sock)
{
	udx_socket_closed(p->base.udx, sock);
	punch_close(p->base.punch, sock);
}

static void
free_socket(struct lingering_socket *s)
{
	struct peers *p = s->peers;

	timer_disarm(p->core->timers, &s->expiry);
	TAILQ_REMOVE(&p->lingering, s, link);
	close_socket(p, s->sock);
	free(s);
}

/* Returns true if a connection uses it: protocol 03 §8.5 permits several. */
static bool
has_conn(const struct peers *p, int sock)
{
	const struct conn *c = p->conns;

	while (c != NULL && conn_sock(c) != sock)
		c = c->hh.next;
	return c != NULL;
}

bool
lingering_sockets_in_use(const struct peers *p, int sock)
{
	const struct conn *c = p->conns;

	if (peers_has_socket(p, sock))
		return true;
	while (c != NULL && (!conn_is_open(c) || conn_sock(c) != sock))
		c = c->hh.next;
	return c != NULL;
}

static void
arm_expiry(struct lingering_socket *s)
{
	struct peers *p = s->peers;

	timer_arm(p->core->timers, &s->expiry, peers_after_ms(p, LINGER_MS));
}

static void
on_expiry_timer(struct timer *t)
{
	struct lingering_socket *s =
	    container_of(t, struct lingering_socket, expiry);

	if (has_conn(s->peers, s->sock))
		arm_expiry(s);
	else
		free_socket(s);
}

static struct lingering_socket *
find_socket(const struct peers *p, int sock)
{
	struct lingering_socket *s;

	TAILQ_FOREACH (s, &p->lingering, link)
		if (s->sock == sock)
			return s;
	return NULL;
}

bool
lingering_sockets_has(const struct peers *p, int sock)
{
	return find_socket(p, sock) != NULL;
}

void
lingering_sockets_add(struct peers *p, int sock)
{
	struct lingering_socket *s = find_socket(p, sock);

	if (s != NULL) {
		arm_expiry(s);
		return;
	}
	if ((s = calloc(1, sizeof *s)) == NULL) {
		close_socket(p, sock);
		return;
	}
	s->peers = p;
	s->sock = sock;
	s->expiry.fire = on_expiry_timer;
	TAILQ_INSERT_TAIL(&p->lingering, s, link);
	arm_expiry(s);
}

void
lingering_sockets_fini(struct peers *p)
{
	struct lingering_socket *s;

	while ((s = TAILQ_FIRST(&p->lingering)) != NULL)
		free_socket(s);
}
