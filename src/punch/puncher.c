/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"

/* Addresses that the reference lists of a predictable NAT, protocol 04 §2; one
 * that lists more is guessing. */
enum { LISTED_MAX = 2 };

static void on_end(struct timer *t);
static void on_turn(struct turn *t);
static void on_sampled(void *owner);

/* ---- life ---- */

static void
adopt(struct puncher *p, struct lookout *o)
{
	p->out = o;
	o->hole.of = p;
	o->owner = p;
	o->sampled = on_sampled;
}

struct puncher *
puncher_new(struct punch *room, const struct punch_owner *o, int *err)
{
	struct puncher *p;
	struct lookout *out;

	*err = ERR_LIMIT;
	if (room->punchers_len >= room->core->limits->punchers)
		return NULL;
	*err = ERR_MEMORY;
	if ((p = calloc(1, sizeof *p)) == NULL)
		return NULL;
	if ((out = room_take(room, err)) == NULL) {
		free(p);
		return NULL;
	}
	*err = 0;
	p->room = room;
	p->owner = *o;
	p->end.fire = on_end;
	p->turn.ready = on_turn;
	p->echo_all = bucket_full(
	    ECHO_RATE_ALL, (uint32_t)(room->core->world->now_us / 1000));
	room->core->world->ops->random(
	    room->core->world, p->token_secret, sizeof p->token_secret);
	client_init(p);
	server_init(p);
	adopt(p, out);
	TAILQ_INSERT_TAIL(&room->punchers, p, link);
	room->punchers_len++;
	return p;
}

/* The socket is the stream's from now on. */
static void
leave_open(struct puncher *p, int sock)
{
	if (p->out->hole.sock == sock) {
		p->out->hole.of = NULL;
		p->out->sampled = NULL;
		p->out = NULL;
	}
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->olds[i]->hole.sock == sock)
			p->olds[i]->hole.of = NULL;
	for (uint32_t i = 0; i < p->fan_len; i++)
		if (p->fan[i]->sock == sock)
			p->fan[i]->of = NULL;
}

void
puncher_free(struct puncher *p, int keep)
{
	struct punch *room;

	if (p == NULL)
		return;
	room = p->room;
	if (keep != WORLD_NO_SOCK)
		leave_open(p, keep);
	probing_fini(p);
	client_fini(p);
	server_fini(p);
	timer_disarm(room->core->timers, &p->end);
	if (p->out != NULL)
		room_give(room, p->out, !p->used);
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->olds[i]->hole.sock != keep)
			lookout_close(p->olds[i]);
	TAILQ_REMOVE(&room->punchers, p, link);
	room->punchers_len--;
	sodium_memzero(p->secret, sizeof p->secret);
	sodium_memzero(p->token_secret, sizeof p->token_secret);
	free(p);
}

int
puncher_sock(const struct puncher *p)
{
	return p->out->hole.sock;
}

void
puncher_sent(struct puncher *p, const struct addr *to)
{
	lookout_sent(p->out, to);
}

void
puncher_saw(struct puncher *p, const struct addr *us, const struct addr *by)
{
	lookout_saw(p->out, us, by);
}

static void
begin(struct puncher *p, const struct punch_peer *peer, bool initiator)
{
	p->begun = true;
	p->initiator = initiator;
	p->peer = *peer;
	memcpy(p->secret, peer->secret, sizeof p->secret);
	p->peer.secret = p->secret;
	p->room->core->stats->punches++;
}

int
puncher_connect(struct puncher *p, const struct punch_peer *peer)
{
	if (peer->relays_len == 0)
		return ERR_VALUE;
	begin(p, peer, true);
	memcpy(p->target, peer->target, sizeof p->target);
	p->peer.target = p->target;
	client_begin(p);
	return 0;
}

void
puncher_accept(struct puncher *p, const struct punch_peer *peer)
{
	begin(p, peer, false);
	timer_arm(p->room->core->timers, &p->end,
	    p->room->core->world->now_us + SERVER_WAIT_MS * UINT64_C(1000));
	server_begin(p);
}

/* ---- what is told ---- */

void
puncher_tell(struct puncher *p, const struct punch_event *e)
{
	p->owner.event(p->owner.owner, e);
}

/* The first cause counts: false if there was one already. */
static bool
halt(struct puncher *p, int err)
{
	if (p->err != 0)
		return false;
	p->err = err;
	probing_stop(p);
	client_fini(p);
	server_fini(p);
	return true;
}

/* The deadline has come: of the probes, of the client, or of a failure. */
static void
on_end(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, end);
	struct punch_event e = {.kind = PUNCH_FAILED};

	if (p->err == 0 && p->initiator && client_again(p))
		return;
	halt(p, ERR_TIMEOUT);
	e.err = p->err;
	puncher_tell(p, &e);
}

void
puncher_fail(struct puncher *p, int err)
{
	if (halt(p, err))
		timer_arm(p->room->core->timers, &p->end,
		    p->room->core->world->now_us);
}

static void
on_sampled(void *owner)
{
	struct puncher *p = owner;

	if (!p->begun || p->err != 0)
		return;
	if (p->initiator)
		client_sampled(p);
	else
		server_sampled(p);
}

static void
on_turn(struct turn *t)
{
	struct puncher *p = container_of(t, struct puncher, turn);

	if (p->initiator)
		client_turn(p);
	else
		server_turn(p);
}

void
puncher_status(const struct puncher *p, struct puncher_status *out)
{
	struct self self;

	puncher_self(p, &self);
	*out = (struct puncher_status){
	    .own = self.verdict,
	    .peer = p->other.verdict,
	    .rounds = p->client.rounds,
	    .probes = p->probes,
	    .sockets = p->fan_len + 1,
	};
}

/* ---- what we tell of ourselves ---- */

static bool
other_guesses(const struct puncher *p)
{
	return p->other.verdict == VERDICT_CONSISTENT &&
	       p->other.addrs_len > LISTED_MAX;
}

/*
 * Where the NAT has one mapping for all ports of a host, what we have sent to
 * the peer's host before goes on to be it, and nothing new is made. It takes a
 * place in the middle: the others keep theirs, see predict(). Of such NATs
 * there are few, and with others an answer to what comes by it costs a mapping
 * that was told: so only every other time.
 */
static void
tell_old_mapping(const struct puncher *p, struct self *s)
{
	uint32_t order = lookout_order_host(p->out, &p->peer.addr);
	struct addr *place = &s->addrs[s->addrs_len / 2], old;

	if (p->reopened % 2 == 1 || order == p->out->dests_len ||
	    gauge_predict(&p->out->gauge, order, &old, 1) == 0)
		return;
	for (uint8_t i = 0; i < s->addrs_len; i++)
		if (addr_equal(&s->addrs[i], &old))
			return;
	*place = old;
}

/*
 * Ports that count up can be told ahead, protocol 04 §17.7. If the peer guesses
 * too, both go through their lists in order, so ours must begin with the next
 * new mapping; else with the one that leads to the peer, if there is one.
 */
static bool
predict(const struct puncher *p, struct self *s)
{
	bool both = other_guesses(p);
	uint32_t order =
	    both ? p->out->dests_len : lookout_order(p->out, &p->peer.addr);

	if (p->honest)
		return false;
	s->addrs_len = (uint8_t)gauge_predict(
	    &p->out->gauge, order, s->addrs, GAUGE_PREDICTED);
	if (s->addrs_len == 0)
		return false;
	tell_old_mapping(p, s);
	s->verdict = VERDICT_CONSISTENT;
	return s->predicted = true;
}

/* Ports as sampled: they may show the block that we are in, protocol 04 §17.8.
 */
static void
show_range(const struct gauge *n, struct self *s)
{
	s->addrs_len = 0;
	for (uint8_t i = 0; i < n->len && s->addrs_len < CLAIMS_ADDRS_MAX; i++)
		if (addr_same_host(&n->samples[i].saw, &n->addrs[0]))
			s->addrs[s->addrs_len++] = n->samples[i].saw;
}

void
puncher_self(const struct puncher *p, struct self *out)
{
	const struct gauge *n = &p->out->gauge;

	if (n->frozen) {
		*out = p->told;
		return;
	}
	*out = (struct self){.verdict = n->verdict, .addrs_len = n->addrs_len};
	memcpy(out->addrs, n->addrs, n->addrs_len * sizeof *n->addrs);
	if (n->verdict == VERDICT_RANDOM && !predict(p, out))
		show_range(n, out);
}

void
puncher_freeze(struct puncher *p)
{
	puncher_self(p, &p->told);
	gauge_freeze(&p->out->gauge);
}

void
puncher_claim(const struct puncher *p, struct claims *c)
{
	struct self s;

	puncher_self(p, &s);
	c->firewall = s.verdict;
	c->has_addrs = s.addrs_len > 0;
	c->addrs_len = s.addrs_len;
	memcpy(c->addrs, s.addrs, s.addrs_len * sizeof *s.addrs);
}

size_t
puncher_seal(
    struct puncher *p, const struct claims *c, uint8_t box[CLAIMS_BOX_MAX])
{
	uint8_t nonce[CLAIMS_NONCE_LEN];

	p->room->core->world->ops->random(
	    p->room->core->world, nonce, sizeof nonce);
	return claims_seal(c, p->secret, nonce, box);
}

/* ---- what the other tells ---- */

void
puncher_hear(
    struct puncher *p, const struct claims *c, const struct addr *proven)
{
	struct other *o = &p->other;

	o->heard = true;
	o->round = c->round;
	o->verdict = verdict_of(c->firewall);
	o->punching = c->punching;
	o->addrs_len = c->addrs_len;
	memcpy(o->addrs, c->addrs, c->addrs_len * sizeof *c->addrs);
	if (c->has_token)
		memcpy(o->token, c->token, sizeof o->token);
	o->has_token |= c->has_token;
	if (proven != NULL) {
		o->verified = *proven;
		o->verified.port = 0;
	}
}

bool
puncher_guesses(const struct puncher *p)
{
	struct self s;

	puncher_self(p, &s);
	return s.predicted || other_guesses(p);
}

bool
puncher_is_bad(const struct puncher *p)
{
	struct self s;

	puncher_self(p, &s);
	return s.verdict == VERDICT_UNKNOWN ||
	       (s.verdict == VERDICT_RANDOM && p->other.heard &&
		   p->other.verdict == VERDICT_RANDOM);
}

bool
puncher_reopen(struct puncher *p)
{
	struct lookout *o;
	int err;

	if (p->reopened >= REOPENS_MAX || p->probing ||
	    (o = lookout_open(p->room, &err)) == NULL)
		return false;
	p->out->sampled = NULL;
	p->olds[p->reopened++] = p->out;
	adopt(p, o);
	return true;
}

/* ---- probes in ---- */

/* False: this source has had its answers for now. */
static bool
may_echo(struct puncher *p, const struct addr *from)
{
	uint32_t now_ms = (uint32_t)(p->room->core->world->now_us / 1000);
	struct echo *e = p->echoes;

	while (e < p->echoes + ECHO_HOSTS && !addr_equal(&e->host, from))
		e++;
	if (e == p->echoes + ECHO_HOSTS) {
		e = &p->echoes[p->echo_next++ % ECHO_HOSTS];
		*e = (struct echo){
		    .host = *from, .left = bucket_full(ECHO_RATE, now_ms)};
	}
	bucket_refill(&e->left, ECHO_RATE, ECHO_RATE, now_ms);
	bucket_refill(&p->echo_all, ECHO_RATE_ALL, ECHO_RATE_ALL, now_ms);
	return bucket_take(&e->left, 1) && bucket_take(&p->echo_all, 1);
}

/*
 * Something connects this host to the handshake: the relay saw it, or the peer
 * told of it under seal. Behind a NAT with several addresses the peer may come
 * from any; and who shares our network may be seen at an inner address.
 */
static bool
is_plausible(const struct puncher *p, const struct addr *from)
{
	const struct other *o = &p->other;

	if (addr_same_host(from, &p->peer.addr) ||
	    addr_scope(from) != ADDR_PUBLIC || o->verdict == VERDICT_RANDOM)
		return true;
	for (uint8_t i = 0; i < o->addrs_len; i++)
		if (addr_same_host(from, &o->addrs[i]))
			return true;
	return false;
}

int
puncher_probed(struct puncher *p, const struct dgram *dg)
{
	struct punch_event e = {
	    .kind = PUNCH_CANDIDATE, .addr = dg->from, .sock = dg->sock};

	if (!p->begun || p->err != 0)
		return stats_drop(p->room->core->stats, ERR_UNMATCHED);
	/* An answer would take the mapping that was told for our own probes;
	 * the peer will probe again. */
	if (p->out->gauge.frozen && p->told.predicted && !p->probing)
		return 0;
	/* From the handshake to the end (pitfall P4), but no reflector (pitfall
	 * P19). */
	if (!p->initiator) {
		if (!may_echo(p, &dg->from))
			return stats_drop(p->room->core->stats, ERR_BUDGET);
		probing_send(p, dg->sock, &dg->from, false);
		return 0;
	}
	if (!is_plausible(p, &dg->from))
		return stats_drop(p->room->core->stats, ERR_UNMATCHED);
	puncher_tell(p, &e);
	return 0;
}
