/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/inside.h"

/* Of the secret stream, while it is not known how long mappings live: as the
 * reference has it, protocol 03 §7.4. */
enum { KEEPALIVE_S = 5 };

/* What the application has not been told yet, in the order of telling. */
enum tell {
	TELL_OFFER = 1,
	TELL_OPEN = 2,
	TELL_READY = 4,
	TELL_CLOSED = 8,
};

/* ---- what is told ---- */

static void
tell(struct conn *c, enum tell what)
{
	if (!c->mends)
		c->tell |= what;
	peers_stir(c->peers, &c->stirred);
}

static enum peer_event_kind
take_first(struct conn *c)
{
	static const struct {
		enum tell bit;
		enum peer_event_kind kind;
	} order[] = {
	    {TELL_OFFER, PEER_OFFER},
	    {TELL_OPEN, PEER_OPEN},
	    {TELL_READY, PEER_READY},
	    {TELL_CLOSED, PEER_CLOSED},
	};
	unsigned i = 0;

	while ((c->tell & order[i].bit) == 0)
		i++;
	c->tell &= ~(unsigned)order[i].bit;
	return order[i].kind;
}

static void conn_free(struct conn *c);
static void prove(struct conn *c);

static bool
next(struct stirred *s, struct peer_event *out)
{
	struct conn *c = container_of(s, struct conn, stirred);

	if (c->state == CONN_PROVING)
		prove(c);
	if (c->tell == 0) {
		/* Nobody has heard of it, nobody hears of its end. */
		if (c->state == CONN_CLOSED)
			conn_free(c);
		return false;
	}
	*out = (struct peer_event){
	    .kind = take_first(c),
	    .number = c->number,
	    .listener = c->listener,
	    .err = c->err,
	    .addr = conn_remote(c),
	};
	if (out->kind == PEER_OFFER)
		out->addr = c->said;
	memcpy(out->key, c->key, KEY_LEN);
	if (out->kind == PEER_CLOSED)
		conn_free(c);
	else if (c->tell != 0)
		peers_stir(c->peers, s);
	return true;
}

/* ---- life ---- */

void
conn_note(struct conn *c, const struct dial_step *step)
{
	struct peers *p = c->peers;

	dial_records_note(&p->attempts, c->attempt, step, p->core->world->now_us);
}

static bool
set_up(struct conn *c, const struct conn_spec *spec, int *err)
{
	struct peers *p = c->peers;

	c->udx = udx_stream_new(p->base.udx, c, err);
	if (c->udx == NULL)
		return false;
	c->stirred.next = next;
	c->number = peers_number(p);
	c->listener = spec->listener;
	c->known = spec->listener == 0 && !spec->mends;
	c->mends = spec->mends;
	c->own = spec->own;
	memcpy(c->key, spec->key, KEY_LEN);
	memcpy(c->own_key, spec->own_key, KEY_LEN);
	c->settled = spec->settled;
	c->owner = spec->owner;
	c->began_us = p->core->world->now_us;
	c->sock = WORLD_NO_SOCK;
	conn_paths_init(c);
	conn_moves_init(c);
	HASH_ADD_BYHASHVALUE(
	    hh, p->conns, number, sizeof c->number, c->number, c);
	*err = c->hh.tbl != NULL ? 0 : ERR_MEMORY;
	if (*err != 0)
		udx_stream_free(c->udx);
	else if (spec->listener == 0)
		c->attempt = dial_records_begin(
		    &p->attempts, c->key, c->number, c->began_us);
	return *err == 0;
}

struct conn *
conn_new(struct peers *p, const struct conn_spec *spec, int *err)
{
	struct conn *c;

	*err = ERR_LIMIT;
	if (HASH_COUNT(p->conns) >= p->core->limits->connections)
		return NULL;
	*err = ERR_MEMORY;
	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	c->peers = p;
	if (!set_up(c, spec, err)) {
		free(c);
		return NULL;
	}
	return c;
}

/* The streams go, and with them all that may still come in. */
static void
drop_streams(struct conn *c)
{
	if (c->holds)
		punch_path_closed(c->peers->base.punch);
	c->holds = false;
	conn_paths_fini(c);
	conn6_fini(c);
	conn_moves_fini(c);
	secret_free(c->secret);
	c->secret = NULL;
	if (c->udx != NULL)
		udx_stream_free(c->udx);
	c->udx = NULL;
	conn_punch_fini(c);
}

static void
conn_free(struct conn *c)
{
	drop_streams(c);
	peers_unstir(c->peers, &c->stirred);
	HASH_DELETE(hh, c->peers->conns, c);
	free(c);
}

/* Whoever works on it hears of its fate once. */
static void
settle(struct conn *c, int err)
{
	void (*settled)(void *owner, struct conn *c, int err) = c->settled;

	if (c->state != CONN_OPEN && c->state != CONN_CLOSED)
		conn_note(c,
		    &(struct dial_step){.kind = DIAL_STEP_FAILED, .err = err});
	c->settled = NULL;
	if (settled != NULL)
		settled(c->owner, c, err);
}

void
conn_disown(struct conn *c)
{
	c->settled = NULL;
}

void
conn_fail(struct conn *c, int err)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->mends && c->state != CONN_OPEN)
		conn_mend_failed(c, err);
	settle(c, err);
	c->state = CONN_CLOSED;
	c->err = err;
	drop_streams(c);
	c->tell = c->known ? TELL_CLOSED : 0;
	peers_stir(c->peers, &c->stirred);
}

void
conn_close(struct conn *c)
{
	settle(c, ERR_CANCELLED);
	conn_free(c);
}

void
conn_offer(struct conn *c, const struct addr *said)
{
	c->said = *said;
	c->known = true;
	tell(c, TELL_OFFER);
}

/* ---- from the handshake to the proof ---- */

/*
 * Whoever has ended sends no keep-alives any more: his NAT, of which we know
 * nothing, then lives on what he acknowledges.
 */
static int
set_keepalive(struct conn *c)
{
	uint64_t us = mapping_keep_us(dht_mapping(c->peers->base.dht),
	    KEEPALIVE_S, c->alone ? KEEPALIVE_S : MAPPING_KEEP_HEARD_S);

	return secret_set_keepalive(c->secret, (uint32_t)(us / 1000));
}

static void
watch_end(struct conn *c)
{
	if (c->state != CONN_OPEN || c->alone || !secret_ended(c->secret))
		return;
	c->alone = true;
	(void)set_keepalive(c);
}

void
conns_repace(struct peers *p)
{
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->secret != NULL)
			(void)set_keepalive(c);
}

int
conn_complete_handshake(struct conn *c, const struct noise_secrets *s, bool initiator,
    uint32_t peer_udx_id)
{
	struct secret_keys keys = {.initiator = initiator};
	struct udx_status st;
	int err = ERR_MEMORY;

	if (c->state != CONN_NEW)
		return ERR_EXISTS;
	udx_status(c->udx, &st);
	if (st.closed)
		return ERR_RESET;
	memcpy(keys.tx, s->tx, sizeof keys.tx);
	memcpy(keys.rx, s->rx, sizeof keys.rx);
	memcpy(keys.hash, s->hash, sizeof keys.hash);
	c->secret = secret_new(
	    c->peers->core->world, c->peers->core->timers, c->udx, &keys);
	if (c->secret != NULL) {
		secret_set_budget(c->secret, &c->peers->frames);
		err = secret_start(c->secret);
	}
	if (err == 0)
		err = set_keepalive(c);
	sodium_memzero(&keys, sizeof keys);
	if (err != 0)
		return err;
	c->state = CONN_PROVING;
	c->shaken_us = c->peers->core->world->now_us;
	c->initiator = initiator;
	c->peer_udx_id = peer_udx_id;
	/* The peer may have been faster than the answer to our handshake. What
	 * it sent is looked at later: the caller goes on with this one. */
	conn_source(c);
	peers_stir(c->peers, &c->stirred);
	return 0;
}

/* The path leads both ways: nobody need look for another. */
static void
confirm(struct conn *c)
{
	conn_punch_settle(c);
	settle(c, 0);
}

/* Reads on until the peer's header is there, or does not hold. */
static void
prove(struct conn *c)
{
	int err = 0;

	secret_peek(c->secret, NULL, &err);
	if (err != 0) {
		conn_fail(c, err);
		return;
	}
	/* The header may have come through a socket that is not ours to use:
	 * then there is a peer, but no way to it yet. */
	if (!secret_opened(c->secret) || !conn_has_path(c))
		return;
	conn_paths_settle(c);
	c->state = CONN_OPEN;
	c->holds = true;
	punch_path_opened(c->peers->base.punch);
	c->known = !c->mends;
	c->peers->core->stats->conns_opened += !c->mends;
	conn_note_path(c, DIAL_STEP_OPEN, &c->paths[c->current]);
	conn6_settle(c);
	conn_messages(c); /* they may have come before the header */
	tell(c, TELL_OPEN);
	tell(c, TELL_READY);
	/* That the client reaches us does not say that we reach it. */
	if (c->initiator || c->puncher == NULL)
		confirm(c);
	if (c->mends)
		conn_mend_opened(c);
}

/* Closed on both sides; what came in before is still the reader's. */
static void
conclude(struct conn *c)
{
	if (c->over && secret_ended(c->secret))
		conn_fail(c, 0);
}

static void
on_closed(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	if (st.err != 0 || c->state != CONN_OPEN) {
		conn_fail(c, st.err != 0 ? st.err : ERR_RESET);
		return;
	}
	c->over = true;
	tell(c, TELL_READY);
	conclude(c);
}

void
conn_stirred(struct conn *c, unsigned events)
{
	if (events & UDX_EV_SOURCE) {
		conn_source(c);
		conn6_source(c);
	}
	if (events & UDX_EV_READABLE && c->state == CONN_PROVING)
		prove(c);
	if (events & UDX_EV_READABLE)
		watch_end(c);
	if (events & UDX_EV_MESSAGE)
		conn_messages(c);
	if (events & UDX_EV_STALLED)
		conn_stuck(c);
	c->two_way |= (events & UDX_EV_DRAINED) != 0;
	if (c->state == CONN_OPEN && c->puncher != NULL && conn_is_two_way(c))
		confirm(c);
	if (events & (UDX_EV_READABLE | UDX_EV_WRITABLE) &&
	    c->state == CONN_OPEN)
		tell(c, TELL_READY);
	/* Last, as the connection may be gone afterwards. */
	if (events & UDX_EV_CLOSED && c->state != CONN_CLOSED)
		on_closed(c);
}

/* ---- for the application ---- */

struct bytes
conn_peek(struct conn *c)
{
	struct bytes b;
	int err = 0;

	if (c->state != CONN_OPEN)
		return (struct bytes){0};
	b = secret_peek(c->secret, NULL, &err);
	if (err != 0) {
		conn_fail(c, err);
		return (struct bytes){0};
	}
	/* What was left may have been empty frames. */
	if (b.p == NULL)
		conclude(c);
	return b;
}

void
conn_consume(struct conn *c, size_t len)
{
	if (c->state != CONN_OPEN || len == 0)
		return;
	secret_consume(c->secret, len);
	watch_end(c);
	conclude(c);
}

bool
conn_ended(const struct conn *c)
{
	return c->state == CONN_OPEN && secret_ended(c->secret);
}

size_t
conn_write_space(const struct conn *c)
{
	return c->state == CONN_OPEN ? secret_space(c->secret) : 0;
}

ptrdiff_t
conn_write(struct conn *c, const void *p, size_t len)
{
	return c->state == CONN_OPEN ? secret_write(c->secret, p, len)
				     : ERR_CLOSED;
}

uint64_t
conn_unacked(const struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	return st.closed ? 0 : st.waiting;
}

void
conn_end(struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	secret_end(c->secret);
	conn_listens_on(c);
}

/* ---- what may be asked ---- */

uint32_t
conn_number(const struct conn *c)
{
	return c->number;
}

uint32_t
conn_udx_id(const struct conn *c)
{
	return udx_id(c->udx);
}

struct addr
conn_remote(const struct conn *c)
{
	return c->paths_len > 0 ? c->paths[c->current].to
				: (struct addr){.family = ADDR_NONE};
}

void
conn_status(const struct conn *c, struct conn_status *out)
{
	*out = (struct conn_status){
	    .number = c->number,
	    .listener = c->listener,
	    .key = c->key,
	    .own_key = c->own_key,
	    .open = c->state == CONN_OPEN,
	    .remote = conn_remote(c),
	    .age_us = c->peers->core->world->now_us - c->began_us,
	};
	if (c->paths_len > 0)
		out->path = c->paths[c->current].kind;
	if (c->udx != NULL)
		udx_status(c->udx, &out->udx);
}

void
conn_set_rtt(struct conn *c, uint64_t rtt_us)
{
	c->rtt_us = rtt_us;
}

bool
conn_mends(const struct conn *c)
{
	return c->mends;
}

void
conn_set_native(struct conn *c)
{
	c->native = true;
}

void
conn_set_reusable(struct conn *c)
{
	c->reusable = true;
}

struct conn *
conn_to_reuse(const struct peers *p, const uint8_t *key)
{
	struct conn *c = p->conns;

	while (c != NULL &&
	       (c->state != CONN_OPEN || !c->reusable || c->mends ||
		   conn6_is_current(c) || memcmp(c->key, key, KEY_LEN) != 0))
		c = c->hh.next;
	return c;
}

struct conn *
peers_conn(const struct peers *p, uint32_t number)
{
	struct conn *c;

	HASH_FIND_BYHASHVALUE(hh, p->conns, &number, sizeof number, number, c);
	return c;
}

struct conn *
peers_nth(const struct peers *p, uint32_t i)
{
	struct conn *c = p->conns;

	while (c != NULL && (c->mends || i-- > 0))
		c = c->hh.next;
	return c;
}
