/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "punch/inside.h"

enum {
	/* Fewer sockets than this are not worth a fan: with 1750 probes at
	 * random ports the chance would be under one in three. */
	FAN_MIN = 16,
	/* The responder waits a second longer than the initiator. */
	GRACE_MS = 1000,
	/* Guessed ports come true at once or not at all; the reference tries
	 * them a second after it has heard of them, and a second later again:
	 * one of the two arrives. */
	GUESS_MS = 1200,
	GUESS_STRANGER_MS = 2600,
};

/* As the dense ones of the schedule. */
static const uint16_t knock_ms[KNOCKS_MAX] = {0, 25, 50, 100, 200, 400, 800};

void
probing_send(struct puncher *p, int sock, const struct addr *to, bool low)
{
	if (!dht_may_send(p->room->d, to))
		return;
	p->used = true;
	if (sock == p->out->hole.sock)
		lookout_sent(p->out, to);
	p->probes += punch_probe(p->room, sock, to, low ? SCHEDULE_TTL_LOW : 0);
}

/* ---- who is probed ---- */

static bool
is_verified(const struct puncher *p, const struct addr *a)
{
	return addr_same_host(a, &p->other.verified);
}

static const struct addr *
first_verified(const struct puncher *p)
{
	for (uint8_t i = 0; i < p->other.addrs_len; i++)
		if (is_verified(p, &p->other.addrs[i]))
			return &p->other.addrs[i];
	return NULL;
}

static void
send_to_all(struct puncher *p, bool verified, bool low)
{
	for (uint8_t i = 0; i < p->other.addrs_len; i++)
		if (is_verified(p, &p->other.addrs[i]) == verified)
			probing_send(
			    p, p->out->hole.sock, &p->other.addrs[i], low);
}

/* ---- the sockets of a fan ---- */

static void
close_fan(struct puncher *p)
{
	while (p->fan_len > 0) {
		struct hole *h = p->fan[--p->fan_len];

		if (h->of != p)
			continue; /* given away */
		room_close_hole(p->room, h);
		free(h);
	}
	free(p->fan);
	p->fan = NULL;
}

/* One more; false: the world has no more to give. */
static bool
grow_fan(struct puncher *p)
{
	struct hole *h = calloc(1, sizeof *h);
	uint16_t port;

	if (h == NULL || room_open_hole(p->room, h, &port) != 0) {
		free(h);
		return false;
	}
	h->of = p;
	p->fan[p->fan_len++] = h;
	return true;
}

/*
 * How many sockets it may have in the end. A block of ports that a carrier has
 * given us is not used up, as others of our network live on it, too; ours is
 * small if the samples lie close together, unless they just count up.
 */
static uint32_t
fan_size(const struct puncher *p)
{
	const struct gauge *n = &p->out->gauge;
	uint32_t max = p->room->core->limits->punch_sockets;
	struct addr saw[GAUGE_SAMPLES_MAX];

	for (uint8_t i = 0; i < n->len; i++)
		saw[i] = n->samples[i].saw;
	if (max > SCHEDULE_SOCKETS && gauge_step(n) == 0 &&
	    ports_are_near(saw, n->len))
		return SCHEDULE_SOCKETS;
	return max;
}

/* Those that it begins with; the world may have fewer to give. */
static int
open_fan(struct puncher *p)
{
	p->fan_max = fan_size(p);
	p->fan = calloc(p->fan_max - 1, sizeof *p->fan);
	if (p->fan == NULL)
		return ERR_MEMORY;
	while (p->fan_len + 1 < p->fan_max &&
	       p->fan_len + 1 < SCHEDULE_SOCKETS && grow_fan(p))
		continue;
	return p->fan_len + 1 >= FAN_MIN ? 0 : ERR_LIMIT;
}

/* ---- the schedule ---- */

enum schedule_kind
probing_kind(const struct puncher *p)
{
	struct self self;

	puncher_self(p, &self);
	return schedule_for(self.verdict, p->other.verdict);
}

static void
send_to_port(struct puncher *p)
{
	const struct addr *host = first_verified(p);
	struct addr to;

	if (host == NULL)
		return;
	to = *host;
	to.port = ports_next(&p->ports);
	probing_send(p, p->out->hole.sock, &to, false);
}

static void
send_from_socket(struct puncher *p)
{
	const struct addr *to = first_verified(p);
	uint32_t i = p->shot.sock;

	if (to == NULL || (i == p->fan_len + 1 && !grow_fan(p)) ||
	    i > p->fan_len)
		return;
	probing_send(p, i == 0 ? p->out->hole.sock : p->fan[i - 1]->sock, to,
	    p->shot.low);
}

static void
shoot(struct puncher *p)
{
	switch (p->shot.kind) {
	case SHOT_VERIFIED:
		send_to_all(p, true, p->shot.low);
		break;
	case SHOT_UNVERIFIED:
		send_to_all(p, false, p->shot.low);
		break;
	case SHOT_PORT:
		send_to_port(p);
		break;
	case SHOT_SOCKET:
		send_from_socket(p);
		break;
	}
}

static void
on_shot(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, shots);
	uint64_t now_us = p->room->core->world->now_us, due_us;

	for (;;) {
		due_us = p->start_us + p->shot.at_ms * UINT64_C(1000);
		if (due_us > now_us)
			break;
		shoot(p);
		if (!schedule_next(&p->schedule, &p->shot)) {
			turns_end(&p->room->turns, &p->turn);
			return;
		}
	}
	timer_arm(p->room->core->timers, t, due_us);
}

/* ---- start and stop ---- */

static int
prepare(struct puncher *p, enum schedule_kind kind)
{
	int err = 0;

	if (kind == SCHEDULE_NONE || p->other.addrs_len == 0)
		return ERR_PUNCH;
	if (kind != SCHEDULE_STEADY && first_verified(p) == NULL)
		return ERR_PUNCH;
	if (kind == SCHEDULE_FAN)
		err = open_fan(p);
	if (kind == SCHEDULE_SPRAY)
		ports_init(&p->ports, p->room->core->world, p->other.addrs,
		    p->other.addrs_len);
	return err;
}

static uint64_t
end_ms(const struct puncher *p)
{
	uint32_t ms = schedule_end_ms(&p->schedule);

	if (!p->initiator)
		return ms + GRACE_MS;
	if (!puncher_guesses(p))
		return ms;
	return p->peer.native ? GUESS_MS : GUESS_STRANGER_MS;
}

int
probing_start(struct puncher *p, uint64_t delay_us)
{
	struct punch_event e = {.kind = PUNCH_PROBING};
	struct world *w = p->room->core->world;
	enum schedule_kind kind = probing_kind(p);
	struct self self;
	int err;

	close_fan(p);
	err = prepare(p, kind);
	if (err != 0)
		return err;
	puncher_self(p, &self);
	/* Guessed ports come true only if these mappings are the next. */
	if (self.predicted && delay_us > 0)
		send_to_all(p, true, true);
	p->probing = true;
	p->start_us = w->now_us + delay_us;
	schedule_init(&p->schedule, kind,
	    p->fan_len + 1 < SCHEDULE_SOCKETS ? p->fan_len + 1 : p->fan_max);
	schedule_next(&p->schedule, &p->shot);
	p->shots.fire = on_shot;
	timer_arm(p->room->core->timers, &p->shots, p->start_us);
	timer_arm(
	    p->room->core->timers, &p->end, p->start_us + end_ms(p) * 1000);
	e.number = kind;
	puncher_tell(p, &e);
	return 0;
}

void
probing_stop(struct puncher *p)
{
	p->probing = false;
	timer_disarm(p->room->core->timers, &p->shots);
	timer_disarm(p->room->core->timers, &p->knocks);
	turns_end(&p->room->turns, &p->turn);
}

void
probing_fini(struct puncher *p)
{
	probing_stop(p);
	close_fan(p);
}

/* ---- ahead of the schedule ---- */

static void
on_knock(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, knocks);
	uint16_t before = knock_ms[p->knocked];

	probing_send(p, p->out->hole.sock, &p->knock_to, p->knock_low);
	if (++p->knocked < KNOCKS_MAX && !p->knock_low)
		timer_arm(p->room->core->timers, t,
		    p->room->core->world->now_us +
			(uint64_t)(knock_ms[p->knocked] - before) * 1000);
}

void
probing_knock(struct puncher *p, const struct addr *to, bool low)
{
	p->knock_to = *to;
	p->knock_low = low;
	p->knocked = 0;
	p->knocks.fire = on_knock;
	on_knock(&p->knocks);
}
