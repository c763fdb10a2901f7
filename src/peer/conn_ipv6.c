/* SPDX-License-Identifier: ISC */
/*
 * IPv6 needs no translation, but the firewalls on the way admit only replies.
 * Both sides list their addresses in the handshake; then
 *
 *	server  sends one-byte probes to its client: its own firewall opens
 *	client  sends open probes to its server: its own firewall opens
 *	server  receives an open probe: connects to its source, or probes it
 *	client  receives a packet of the stream from there: the path is open
 *
 * Where the client has just opened by IPv4 it migrates, and sends HERE.
 */
#include "peer/conn_ipv6.h"

#include "base/err.h"
#include "peer/conn_struct.h"

enum {
	/* Head start of IPv6: RFC 8305 §8 recommends 250 ms. */
	HEAD_START_MS = 250,
	/* After the last round, no packet is to be expected any more. */
	LAST_WAIT_MS = 3000,
};

/* When probes are sent, in ms from the start: as those of hole punching. */
static const uint16_t round_ms[] = {0, 25, 50, 100, 200, 400, 800, 1600};

enum { ROUNDS = sizeof round_ms / sizeof *round_ms };

static bool
is_listed(const struct conn_ipv6 *v6, const struct addr *host)
{
	for (uint8_t i = 0; i < v6->len; i++)
		if (addr_same_host(&v6->list[i], host))
			return true;
	return false;
}

static void
send_open_probe(struct conn *c, const struct addr *to)
{
	struct udx_path path = {
	    .sock = c->peers->ipv6.sock, .to = *to, .id = c->peer_udx_id};

	conn_probe_path(c, &path);
}

static void
send_round(struct conn *c)
{
	struct conn_ipv6 *v6 = &c->ipv6;
	struct peers *p = c->peers;
	uint32_t next_ms = LAST_WAIT_MS;

	for (uint8_t i = 0; i < v6->len; i++)
		if (c->initiator)
			send_open_probe(c, &v6->list[i]);
		else if ((v6->held & 1 << i) == 0 &&
			 punch_may_probe(
			     p->base.punch, &v6->list[i], &c->punch.origin))
			(void)punch_probe(
			    p->base.punch, p->ipv6.sock, &v6->list[i], 0);
	if (v6->rounds + 1 < ROUNDS)
		next_ms = round_ms[v6->rounds + 1];
	next_ms -= round_ms[v6->rounds++];
	timer_arm(p->core->timers, &v6->probe, peers_after_ms(p, next_ms));
}

static void
on_probe_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, ipv6.probe);

	if (c->ipv6.rounds < ROUNDS && c->state == CONN_PROVING &&
	    !c->ipv6.received)
		send_round(c);
	else
		conn_punch_check_failed(c);
}

/* Adds those addresses of the peer that are, or are not, on our links. */
static void
add_addrs(
    struct conn *c, const struct payload *theirs, bool on_link, bool is_held)
{
	struct conn_path path = {.kind = CONN_PATH_DIRECT};
	struct conn_ipv6 *v6 = &c->ipv6;

	for (uint8_t i = 0;
	     i < theirs->addrs6_len && v6->len < CONN_IPV6_ADDRS_MAX; i++) {
		const struct addr *a = &theirs->addrs6[i];

		if (!addr_global(a) || a->port == 0 || is_listed(v6, a) ||
		    local_addrs_is_on_link6(c->peers->base.local, a) != on_link)
			continue;
		v6->held |= (uint8_t)(is_held << v6->len);
		v6->list[v6->len++] = *a;
		udx_allow_source(c->udx, a);
		path.to = *a;
		conn_record_path(c, DIAL_STEP_TRY, &path);
	}
}

void
conn_ipv6_begin(struct conn *c, const struct payload *theirs, bool is_neighbour)
{
	struct conn_ipv6 *v6 = &c->ipv6;

	if (!conn_is_native(c) || c->peers->ipv6.sock == WORLD_NO_SOCK ||
	    c->peers->base.local->v6_len == 0)
		return;
	add_addrs(c, theirs, true, !c->initiator && !is_neighbour);
	add_addrs(c, theirs, false, false);
	v6->probe.fire = on_probe_timer;
	if (v6->len > 0)
		send_round(c);
}

void
conn_ipv6_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->ipv6.probe);
}

bool
conn_ipv6_is_probing(const struct conn *c)
{
	return timer_armed(&c->ipv6.probe);
}

bool
conn_ipv6_is_current(const struct conn *c)
{
	return conn_has_path(c) && conn_remote(c).family == ADDR_V6;
}

static bool
may_reply(struct conn_ipv6 *v6)
{
	return v6->replies < CONN_IPV6_REPLIES_MAX && ++v6->replies > 0;
}

/* Sends HERE until the peer sends on the stream's path, too. */
static void
reply_with_here(struct conn *c)
{
	if (may_reply(&c->ipv6))
		conn_send_here(c);
}

/* Handles an IPv6 packet while the stream uses IPv4: the client chooses, the
 * server replies. */
static void
on_ipv6_beside(struct conn *c, const struct udx_source *s)
{
	struct conn_ipv6 *v6 = &c->ipv6;

	if (!is_listed(v6, &s->from))
		return;
	if (!c->initiator) {
		udx_allow_source(c->udx, &s->from);
		if (may_reply(v6))
			send_open_probe(c, &s->from);
	} else if (c->peers->core->world->now_us <= v6->head_start_us) {
		conn_migrate_to(c, s->sock, &s->from);
		reply_with_here(c);
	}
}

/* Handles a packet of the other family before the header was verified. */
static void
on_source_while_proving(struct conn *c, const struct udx_source *s, bool is_v6)
{
	if (c->initiator)
		return;
	if (is_v6 && may_reply(&c->ipv6))
		send_open_probe(c, &s->from);
	else if (!is_v6 && !conn_is_two_way(c))
		/* Our packets may not arrive by IPv6. */
		conn_migrate_to(c, s->sock, &s->from);
}

void
conn_ipv6_source(struct conn *c)
{
	struct conn_ipv6 *v6 = &c->ipv6;
	struct udx_source s;
	bool is_v6;

	if (v6->len == 0 || !udx_source(c->udx, &s))
		return;
	is_v6 = s.sock == c->peers->ipv6.sock;
	if (is_v6 && !v6->received && is_listed(v6, &s.from)) {
		v6->received = true;
		v6->received_from = s.from;
	}
	if (is_v6 == conn_ipv6_is_current(c))
		return;
	if (conn_is_open(c) && is_v6)
		on_ipv6_beside(c, &s);
	else if (conn_is_open(c) && c->initiator)
		reply_with_here(c);
	else if (c->state == CONN_PROVING)
		on_source_while_proving(c, &s, is_v6);
}

void
conn_ipv6_settle(struct conn *c)
{
	struct conn_ipv6 *v6 = &c->ipv6;

	v6->head_start_us = peers_after_ms(c->peers, HEAD_START_MS);
	if (c->initiator && v6->received)
		conn_migrate_to(c, c->peers->ipv6.sock, &v6->received_from);
	if (c->initiator && conn_ipv6_is_current(c))
		reply_with_here(c);
}
