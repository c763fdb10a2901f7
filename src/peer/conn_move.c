/* SPDX-License-Identifier: ISC */
/*
 * Open streams whose address changes: a NAT has forgotten them or was started
 * anew, a machine is in another network. Packets from a strange address prove
 * nothing, so they are not taken. Whoever is not heard any more therefore says
 * so in a message that only he can seal (spec 06 §A.7); who opens one that came
 * by another way than the stream's sends that way from then on. Only nodes of
 * this project do: others would hand the message to their application.
 */
#include "base/err.h"
#include "peer/inside.h"

enum { CHECK_MS = 2000 };

static const uint8_t here = 0;

void
conn_say_here(struct conn *c)
{
	(void)secret_send_message(c->secret, &here, sizeof here);
}

/* Something is under way, and nothing has come since the last look. */
static bool
is_stuck(struct conn *c)
{
	struct udx_status st;
	bool silent;

	udx_status(c->udx, &st);
	silent = st.packets_in == c->packets_in;
	c->packets_in = st.packets_in;
	return silent && st.in_flight > 0;
}

static void
on_check(struct timer *t)
{
	struct peers *p = container_of(t, struct peers, moves);
	bool any = false;

	for (struct conn *c = p->conns; c != NULL; c = c->hh.next) {
		if (c->state != CONN_OPEN || !c->native)
			continue;
		any = true;
		if (is_stuck(c))
			conn_say_here(c);
	}
	if (any)
		timer_arm(
		    p->timers, t, p->world->now_us + CHECK_MS * UINT64_C(1000));
}

void
conn_moves_init(struct peers *p)
{
	p->moves.fire = on_check;
}

void
conn_moves_watch(struct peers *p)
{
	if (!timer_armed(&p->moves))
		timer_arm(p->timers, &p->moves,
		    p->world->now_us + CHECK_MS * UINT64_C(1000));
}

void
peers_moved(struct peers *p)
{
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->state == CONN_OPEN && c->native)
			conn_say_here(c);
}

void
conn_messages(struct conn *c)
{
	uint8_t plain[UDX_MTU_MAX];
	struct udx_message m;

	while (c->state == CONN_OPEN && udx_next_message(c->udx, &m))
		if (m.payload.len <= sizeof plain &&
		    secret_open_message(c->secret, &m, plain) >= 0)
			conn_move(c, m.sock, &m.from);
}
