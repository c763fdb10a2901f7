/* SPDX-License-Identifier: ISC */
/*
 * Paths by IPv6, protocol 04 §17.12: no translation in between, but firewalls
 *that let in only what was asked for. Both sides name their addresses in the
 * handshake; then
 *
 *	server	probes those of its client by one byte: its firewall opens
 *	client	knocks at those of its server: its firewall opens, too
 *	server	has heard a knock: connects to there, or knocks back
 *	client	hears the server's stream there: the path leads both ways
 *
 * all beside what is done by IPv4, so that nobody waits for a path that is
 * broken. An address is no path before its host was heard there. Where the
 * client has opened by IPv4 a moment before, it moves and says so.
 */
#include "base/err.h"
#include "peer/inside.h"

enum {
	/* The start that IPv6 has: RFC 8305 §8 gives it 250 ms. */
	HEAD_START_MS = 250,
	/* Then what was not heard is not to be hoped for. */
	HOPE_MS = 3000,
	/* What a knock is answered with, and a peer that has not moved is
	 * told: no more often than this. */
	ANSWERS_MAX = 32,
};

/* When it is knocked, in ms from the start: as probes of hole punching. */
static const uint16_t beats_ms[] = {0, 25, 50, 100, 200, 400, 800, 1600};

enum { BEATS = sizeof beats_ms / sizeof *beats_ms };

/* ---- the socket ---- */

static bool
open_at(struct peers *p, uint16_t port)
{
	struct addr at = p->base.host6, bound;
	int sock;

	at.port = port;
	sock = p->core->world->ops->open(p->core->world, &at, &bound);
	if (sock < 0)
		return false;
	p->sock6 = sock;
	p->port6 = bound.port;
	return true;
}

void
peers_local_changed(struct peers *p)
{
	struct dht_status st;

	if (p->base.host6.family != ADDR_V6 || p->base.local->v6_len == 0 ||
	    dht_server_socket(p->base.dht) == WORLD_NO_SOCK)
		return;
	if (p->sock6 != WORLD_NO_SOCK) {
		peers_moved(p);
		return;
	}
	dht_status(p->base.dht, &st);
	if (!open_at(p, st.server_address.port))
		(void)open_at(p, 0);
}

void
peers_close6(struct peers *p)
{
	if (p->sock6 == WORLD_NO_SOCK)
		return;
	udx_socket_closed(p->base.udx, p->sock6);
	p->core->world->ops->close(p->core->world, p->sock6);
	p->sock6 = WORLD_NO_SOCK;
}

bool
peers_has_socket(const struct peers *p, int sock)
{
	return dht_has_socket(p->base.dht, sock) ||
	       (sock == p->sock6 && sock != WORLD_NO_SOCK);
}

void
peers_describe(const struct peers *p, struct payload *out)
{
	local_addrs_describe(p->base.local, p->base.dht, out);
	if (p->sock6 != WORLD_NO_SOCK)
		local_addrs_describe6(p->base.local, p->port6, out);
}

/* ---- one connection ---- */

static bool
is_listed(const struct conn *c, const struct addr *host)
{
	for (uint8_t i = 0; i < c->v6_len; i++)
		if (addr_same_host(&c->v6[i], host))
			return true;
	return false;
}

static void
knock_at(struct conn *c, const struct addr *to)
{
	struct udx_path path = {
	    .sock = c->peers->sock6, .to = *to, .id = c->peer_udx_id};

	udx_probe_path(c->udx, &path);
}

static void
beat(struct conn *c)
{
	struct peers *p = c->peers;
	uint32_t next_ms = HOPE_MS;

	for (uint8_t i = 0; i < c->v6_len; i++)
		if (c->initiator)
			knock_at(c, &c->v6[i]);
		else
			(void)punch_probe(
			    p->base.punch, p->sock6, &c->v6[i], 0);
	if (c->v6_beats + 1 < BEATS)
		next_ms = beats_ms[c->v6_beats + 1];
	next_ms -= beats_ms[c->v6_beats++];
	timer_arm(p->core->timers, &c->v6_timer,
	    p->core->world->now_us + next_ms * UINT64_C(1000));
}

static void
on_beat(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, v6_timer);

	if (c->v6_beats < BEATS && c->state == CONN_PROVING && !c->v6_heard)
		beat(c);
	else
		conn_punch_hopeless(c);
}

void
conn6_begin(struct conn *c, const struct payload *theirs)
{
	struct conn_path path = {.kind = CONN_PATH_DIRECT};

	if (!c->native || c->peers->sock6 == WORLD_NO_SOCK ||
	    c->peers->base.local->v6_len == 0)
		return;
	for (uint8_t i = 0; i < theirs->addrs6_len && c->v6_len < CONN_V6_MAX;
	     i++) {
		const struct addr *a = &theirs->addrs6[i];

		if (!addr_global(a) || a->port == 0 || is_listed(c, a))
			continue;
		c->v6[c->v6_len++] = *a;
		udx_allow_source(c->udx, a);
		path.to = *a;
		conn_note_path(c, DIAL_STEP_TRY, &path);
	}
	c->v6_timer.fire = on_beat;
	if (c->v6_len > 0)
		beat(c);
}

void
conn6_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->v6_timer);
}

bool
conn6_hopes(const struct conn *c)
{
	return timer_armed(&c->v6_timer);
}

bool
conn6_is_current(const struct conn *c)
{
	return c->paths_len > 0 && conn_remote(c).family == ADDR_V6;
}

static bool
may_answer(struct conn *c)
{
	return c->v6_answers < ANSWERS_MAX && ++c->v6_answers > 0;
}

/* It is said where we are, until the peer speaks by that way, too. */
static void
say(struct conn *c)
{
	if (may_answer(c))
		conn_say_here(c);
}

/* Heard by IPv6 while IPv4 is in use: the client judges, the server answers. */
static void
heard_beside(struct conn *c, const struct udx_source *s)
{
	if (!is_listed(c, &s->from))
		return;
	if (!c->initiator) {
		udx_allow_source(c->udx, &s->from);
		if (may_answer(c))
			knock_at(c, &s->from);
	} else if (c->peers->core->world->now_us <= c->v6_until_us) {
		conn_move(c, s->sock, &s->from);
		say(c);
	}
}

void
conn6_source(struct conn *c)
{
	struct udx_source s;
	bool v6;

	if (c->v6_len == 0 || !udx_source(c->udx, &s))
		return;
	v6 = s.sock == c->peers->sock6;
	if (v6 && !c->v6_heard && is_listed(c, &s.from)) {
		c->v6_heard = true;
		c->v6_from = s.from;
	}
	if (v6 == conn6_is_current(c))
		return;
	if (c->state == CONN_OPEN && v6)
		heard_beside(c, &s);
	else if (c->state == CONN_OPEN && c->initiator)
		say(c);
	else if (c->state == CONN_PROVING && !c->initiator && v6 &&
		 may_answer(c))
		knock_at(c, &s.from);
	else if (c->state == CONN_PROVING && !c->initiator && !v6 &&
		 !conn_is_two_way(c))
		/* It may be that nothing of ours arrives by IPv6. */
		conn_move(c, s.sock, &s.from);
}

void
conn6_settle(struct conn *c)
{
	c->v6_until_us =
	    c->peers->core->world->now_us + HEAD_START_MS * UINT64_C(1000);
	if (c->initiator && c->v6_heard)
		conn_move(c, c->peers->sock6, &c->v6_from);
	if (c->initiator && conn6_is_current(c))
		say(c);
}
