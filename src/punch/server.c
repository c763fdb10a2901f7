/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"

enum {
	/* The client asks four times, a second apart, protocol 04 §15: what we
	 * say within three reaches it. */
	TURN_WAIT_MS = 3000,
	/* Half of an unknown round trip through the relay. */
	DELAY_UNKNOWN_US = 50000,
	ROUND_TRIP_MAX_US = 2000000,
};

static void on_turn_wait(struct timer *t);

void
server_init(struct puncher *p)
{
	p->server.turn_wait.fire = on_turn_wait;
}

void
server_fini(struct puncher *p)
{
	p->server.waiting = false;
	timer_disarm(p->room->core->timers, &p->server.turn_wait);
}

void
server_begin(struct puncher *p)
{
	const struct gauge *n = &p->out->gauge;

	p->server.client = p->peer.addr;
	lookout_refresh(p->out);
	/* A client of ours sends its handshake from the socket that it punches
	 * with: our NAT opens for it now, protocol 04 §17.2. If our port is not
	 * to be known, the client's NAT may still let us in. */
	if (p->peer.native)
		probing_knock(p, &p->peer.addr, n->verdict != VERDICT_RANDOM);
}

/* ---- answers ---- */

static void
send_answer(struct puncher *p, const struct claims *c)
{
	uint8_t box[CLAIMS_BOX_MAX];
	size_t len = puncher_seal(p, c, box);

	p->server.waiting = false;
	timer_disarm(p->room->core->timers, &p->server.turn_wait);
	lookout_sent(p->out, &p->server.ticket.from);
	/* The socket that was asked may be closed: we have another then. */
	if (len > 0)
		router_answer(p->room->rt, &p->server.ticket,
		    (struct bytes){box, len}, p->out->hole.sock);
}

/* The client will not get through: it should know at once. */
static void
refuse(struct puncher *p, int err)
{
	struct claims aborted = {.error = CLAIMS_ABORTED};
	struct self self;

	/* The reference says no verdict here, and looks at none. */
	puncher_self(p, &self);
	aborted.firewall = self.verdict;
	send_answer(p, &aborted);
	puncher_fail(p, err);
}

static void
answer(struct puncher *p, enum claims_error error)
{
	struct server *s = &p->server;
	struct claims c = {
	    .error = error, .round = p->other.round, .punching = p->probing};

	if (c.round > CLAIMS_ROUND_MAX)
		return;
	puncher_claim(p, &c);
	/* What was told must not change under the client's feet. */
	if (c.firewall != VERDICT_UNKNOWN)
		puncher_freeze(p);
	if (s->own_relay) {
		c.has_token = true;
		claims_token(c.token, p->token_secret, &s->client);
	}
	c.has_remote_token = s->claims.has_token;
	memcpy(c.remote_token, s->claims.token, sizeof c.remote_token);
	send_answer(p, &c);
	s->answered_us = p->room->core->world->now_us;
}

/* ---- what a message asks for ---- */

/*
 * The client has opened its NAT for the address that it names. If that is
 * where we are, it can be reached now; and if nobody can say where we are, its
 * NAT may go by our host alone.
 */
static void
fast_open(struct puncher *p)
{
	const struct server *s = &p->server;
	struct self self;

	if (p->probing || s->claims.remote.family == ADDR_NONE)
		return;
	puncher_self(p, &self);
	if (self.verdict == VERDICT_RANDOM) {
		probing_knock(p, &s->client, false);
		return;
	}
	for (uint8_t i = 0; i < self.addrs_len && !self.predicted; i++)
		if (addr_equal(&self.addrs[i], &s->claims.remote)) {
			probing_knock(p, &s->client, false);
			return;
		}
}

/*
 * When the client's own probes can be on their way. It has opened its NAT for
 * us already if it knows where we are; else half a round trip from now.
 */
static uint64_t
start_delay(const struct puncher *p)
{
	const struct server *s = &p->server;
	uint64_t rtt_us = p->room->core->world->now_us - s->answered_us;

	if (s->claims.remote.family != ADDR_NONE && !puncher_guesses(p))
		return 0;
	return s->answered_us == 0 || rtt_us > ROUND_TRIP_MAX_US
		   ? DELAY_UNKNOWN_US
		   : rtt_us / 2;
}

/*
 * 0: probing, 1: waits for its turn, or why not. Starts before it is said that
 * we do (pitfall P11).
 */
static int
start(struct puncher *p)
{
	enum schedule_kind kind = probing_kind(p);
	const struct addr *who = &p->peer.addr;
	int err = 0;

	if (p->probing)
		return 0;
	if (p->turn.state == TURN_WAITS)
		return 1;
	puncher_freeze(p);
	/* In a network of one's own all may be of one /24. */
	if (dht_is_private(p->room->d))
		who = NULL;
	if ((kind == SCHEDULE_FAN || kind == SCHEDULE_SPRAY) &&
	    p->turn.state == TURN_NONE)
		err = turns_ask(&p->room->turns, &p->turn,
		    kind == SCHEDULE_FAN ? TURN_FAN : TURN_SPRAY, who);
	return err != 0 ? err : probing_start(p, start_delay(p));
}

static void
wait_for_turn(struct puncher *p)
{
	if (!timer_armed(&p->server.turn_wait))
		timer_arm(p->room->core->timers, &p->server.turn_wait,
		    p->room->core->world->now_us +
			TURN_WAIT_MS * UINT64_C(1000));
}

/* Acts on the message that waits, if the verdict allows. */
static void
respond(struct puncher *p)
{
	struct server *s = &p->server;
	int err = 0;

	if (!gauge_decided(&p->out->gauge))
		return;
	if (puncher_is_bad(p) && !s->claims.punching && puncher_reopen(p) &&
	    !gauge_decided(&p->out->gauge))
		return;
	if (puncher_is_bad(p)) {
		refuse(p, p->other.verdict == VERDICT_RANDOM ? ERR_NAT_RANDOM
							     : ERR_NAT_UNKNOWN);
		return;
	}
	fast_open(p);
	if (s->claims.punching)
		err = start(p);
	if (err == 0)
		answer(p, CLAIMS_OK);
	else if (err == 1)
		wait_for_turn(p);
	else if (err == ERR_BUSY)
		answer(p, CLAIMS_TRY_LATER);
	else
		refuse(p, err);
}

void
server_sampled(struct puncher *p)
{
	if (p->server.waiting)
		respond(p);
}

void
server_turn(struct puncher *p)
{
	if (p->server.waiting)
		respond(p);
	else
		turns_end(&p->room->turns, &p->turn);
}

/* The line is too long for this client's patience. */
static void
on_turn_wait(struct timer *t)
{
	struct server *s = container_of(t, struct server, turn_wait);
	struct puncher *p = container_of(s, struct puncher, server);

	turns_end(&p->room->turns, &p->turn);
	if (s->waiting)
		answer(p, CLAIMS_TRY_LATER);
}

/*
 * Our guess, or the client's, has not come true, and it begins again: as often
 * as it has sockets for, or it would keep us here, and sending, for ever.
 */
static void
guess_again(struct puncher *p)
{
	struct self self;

	p->server.guesses++;
	probing_stop(p);
	puncher_self(p, &self);
	timer_arm(p->room->core->timers, &p->end,
	    p->room->core->world->now_us + SERVER_WAIT_MS * UINT64_C(1000));
	if (self.predicted && puncher_reopen(p))
		p->honest = p->reopened > 1;
	else
		gauge_unfreeze(&p->out->gauge);
}

static void
hear(struct puncher *p, const struct claims *c)
{
	struct server *s = &p->server;
	struct punch_event e = {.kind = PUNCH_ANSWER, .addr = s->ticket.from};
	bool proven =
	    s->own_relay && claims_echo(c, p->token_secret, &s->client);

	if (p->probing && !c->punching && puncher_guesses(p) &&
	    s->guesses < REOPENS_MAX)
		guess_again(p);
	puncher_hear(p, c, proven ? &s->client : NULL);
	p->peer.addr = s->client;
	e.number = p->other.verdict;
	puncher_tell(p, &e);
}

int
puncher_serve(struct puncher *p, const struct router_call *call, bool own_relay)
{
	struct server *s = &p->server;
	struct claims c;
	int err;

	if (!p->begun || p->initiator || p->err != 0)
		return stats_drop(p->room->core->stats, ERR_UNMATCHED);
	if ((err = claims_open(&c, p->secret, call->sealed)) != 0)
		return stats_drop(p->room->core->stats, err);
	s->waiting = true;
	s->ticket = call->ticket;
	s->client = call->client;
	s->own_relay = own_relay;
	s->claims = c;
	if (c.error != CLAIMS_OK) {
		refuse(p, ERR_ABORTED);
		return 0;
	}
	/* How the relay sees us; who asks is not who saw (pitfall P9). */
	if (call->ticket.sock == p->out->hole.sock)
		lookout_saw(p->out, &call->us, &call->ticket.from);
	if (!p->other.heard || c.round >= p->other.round)
		hear(p, &c);
	respond(p);
	return 0;
}
