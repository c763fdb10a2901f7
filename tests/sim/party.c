/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/mem.h"
#include "sim/party.h"
#include "sim/sim.h"

#define CLOCK_BASE_US SECONDS(1000)
#define FULL_US MILLISECONDS(1)
#define STRAGGLE_US SECONDS(1)

enum { KEEPALIVE_MS = 2000 };

static void schedule_wake_up(struct party *p);

/* ---- the world that udx sees ---- */

static struct party *
party_of(struct sim_world *sw)
{
	return container_of(sw, struct party, host.world);
}

/* A full socket stays full until wake_up() has its stream write again. */
static bool
party_is_full(struct sim_world *sw, int sock)
{
	uint32_t ppm = party_of(sw)->sim->opt.full_permille * 1000;

	if (!sw->socks[sock].full)
		sw->socks[sock].full = prng_chance(&sw->rand, ppm);
	return sw->socks[sock].full;
}

static void
party_send(struct sim_world *sw, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	struct party *p = party_of(sw);

	sim_send(p->sim, &p->actor->ep, p->box, party_spot(p, meta->sock),
	    addr_spot(&meta->to), buf, len);
}

static const struct sim_hooks hooks = {
    .send = party_send,
    .is_full = party_is_full,
};

/* ---- the pattern of bytes ---- */

static uint64_t
mixed(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint8_t
pattern(const struct talk *t, uint64_t at)
{
	return (uint8_t)(mixed(t->pattern + at / 8) >> at % 8 * 8);
}

static bool
write_some(struct talk *t)
{
	uint64_t n = udx_space(t->udx);
	uint8_t *out;

	if (n > t->to_write - t->written)
		n = t->to_write - t->written;
	if (t->chunk != 0 && n > t->chunk)
		n = t->chunk;
	if (n == 0)
		return false;
	out = udx_reserve(t->udx, n);
	if (out == NULL)
		sim_broken(t->party->sim, "no memory for %llu bytes",
		    (unsigned long long)n);
	for (uint64_t i = 0; i < n; i++)
		out[i] = pattern(t, t->written + i);
	udx_commit(t->udx, n);
	t->written += n;
	return true;
}

static void
write_pattern(struct talk *t)
{
	while (write_some(t))
		;
	if (t->written < t->to_write || t->ended || t->open_ended)
		return;
	t->ended = true;
	udx_end(t->udx);
}

static void
read_pattern(struct talk *t)
{
	struct udx_bytes in;

	if (t->deaf)
		return;
	while ((in = udx_peek(t->udx)).len > 0) {
		for (size_t i = 0; i < in.len; i++)
			if (in.p[i] != pattern(t->other, t->read + i))
				sim_broken(t->party->sim,
				    "byte %llu of a stream is wrong",
				    (unsigned long long)t->read + i);
		t->read += in.len;
		udx_consume(t->udx, in.len);
	}
	if (!udx_ended(t->udx))
		return;
	if (t->read != t->other->to_write)
		sim_broken(t->party->sim, "a stream of %llu bytes ends at %llu",
		    (unsigned long long)t->other->to_write,
		    (unsigned long long)t->read);
	t->complete = true;
}

/* ---- events of streams ---- */

static bool
goes_to(const struct udx_path *p, const struct udx_path *q)
{
	return p->sock == q->sock && p->id == q->id &&
	       addr_equal(&p->to, &q->to);
}

/*
 * Returns whether a packet was sent before the peer moved, and was overtaken.
 */
static bool
is_straggler(const struct talk *t, const struct udx_path *from)
{
	return t->left_us != 0 && goes_to(from, &t->left) &&
	       t->party->sim->now_us - t->left_us < STRAGGLE_US;
}

/*
 * Handles packets of the peer from a new address: the first one, or one after a
 * move. During a migration they are accepted, and followed later.
 */
static void
follow_peer(struct talk *t)
{
	struct udx_path path;
	struct udx_status st;
	struct udx_source from;

	if (t->other->udx == NULL || !udx_source(t->udx, &from))
		return;
	udx_status(t->udx, &st);
	path.id = udx_id(t->other->udx);
	path.sock = from.sock;
	path.to = from.from;
	if (!st.connected) {
		udx_connect(t->udx, &path);
	} else if (t->party->follows && !goes_to(&path, &st.path) &&
		   !is_straggler(t, &path)) {
		udx_allow_source(t->udx, &from.from);
		if (udx_migrate(t->udx, &path) != 0)
			return;
		t->left = st.path;
		t->left_us = t->party->sim->now_us;
	}
}

static void
finish(struct talk *t)
{
	struct udx_status st;

	udx_status(t->udx, &st);
	t->err = st.err;
	t->resent = st.resent;
	t->lost = st.lost;
	t->packets = st.packets_out;
	t->closed = true;
	t->closed_us = t->party->sim->now_us;
	udx_stream_free(t->udx);
	t->udx = NULL;
}

static void
handle(struct talk *t, unsigned events)
{
	if (events & (UDX_EV_SOURCE | UDX_EV_MIGRATED))
		follow_peer(t);
	read_pattern(t);
	if (events & UDX_EV_CLOSED) {
		finish(t);
		return;
	}
	write_pattern(t);
}

static void
set_clock(struct party *p)
{
	p->host.world.w.now_us = CLOCK_BASE_US + p->sim->now_us - p->slept_us;
}

static bool
is_full(const struct party *p)
{
	for (int i = 0; i < PARTY_SOCKS; i++)
		if (p->host.world.socks[i].full)
			return true;
	return false;
}

static void
drain(struct party *p)
{
	struct udx_stream *s;
	unsigned events;

	while ((s = udx_poll(p->udx, &events)) != NULL)
		handle(udx_owner(s), events);
}

void
party_settle(struct party *p)
{
	set_clock(p);
	drain(p);
	schedule_wake_up(p);
}

static void
wake_up(struct sim *s, void *arg)
{
	struct party *p = arg;

	if (p->wake_us != s->now_us || p->asleep || p->udx == NULL)
		return;
	p->wake_us = WORLD_NEVER;
	set_clock(p);
	for (int i = 0; i < PARTY_SOCKS; i++)
		if (p->host.world.socks[i].full) {
			p->host.world.socks[i].full = false;
			udx_writable(p->udx, i);
		}
	timers_run(&p->host.timers, p->host.world.w.now_us);
	party_settle(p);
}

static void
schedule_wake_up(struct party *p)
{
	uint64_t due_us = timers_deadline(&p->host.timers);

	if (is_full(p) && due_us > p->host.world.w.now_us + FULL_US)
		due_us = p->host.world.w.now_us + FULL_US;
	if (due_us == WORLD_NEVER)
		return;
	if (due_us < p->host.world.w.now_us)
		due_us = p->host.world.w.now_us;
	due_us += p->slept_us - CLOCK_BASE_US;
	if (due_us >= p->wake_us)
		return;
	p->wake_us = due_us;
	sim_at(p->sim, due_us - p->sim->now_us, wake_up, p);
}

static void
receive(struct actor *a, struct spot from, struct spot to, const uint8_t *buf,
    size_t len)
{
	struct party *p = a->state;
	struct dgram dg = {
	    .buf = buf, .len = len, .sock = to.port - PARTY_PORT};

	if (p->asleep || p->udx == NULL ||
	    !sim_is_open(&p->host.world, dg.sock))
		return;
	dg.from = spot_addr(from);
	set_clock(p);
	udx_recv(p->udx, &dg);
	party_settle(p);
}

/* ---- its life ---- */

struct party *
party_new(struct sim *s, struct nat *box)
{
	struct actor *a = actor_behind(s, box, receive, sizeof(struct party));
	struct party *p = a->state;
	struct world *w = &p->host.world.w;
	struct addr at = {.family = ADDR_V4, .port = PARTY_PORT}, bound;

	core_host_init(&p->host, &hooks, 0);
	p->host.world.rand = a->rand;
	p->host.world.space = s->out;
	p->sim = s;
	p->actor = a;
	p->box = box;
	p->wake_us = WORLD_NEVER;
	set_clock(p);
	w->ops->random(w, &p->host.core.hash_key, sizeof(struct hash_key));
	for (int i = 0; i < PARTY_SOCKS; i++, at.port++)
		w->ops->open(w, &at, &bound);
	p->udx = udx_new(&p->host.core);
	if (p->udx == NULL)
		sim_broken(s, "no memory for streams");
	return p;
}

void
party_end(struct party *p)
{
	for (struct talk *t = p->talks, *next; t != NULL; t = next) {
		next = t->next;
		if (t->udx != NULL)
			udx_stream_free(t->udx);
		free(t);
	}
	udx_free(p->udx);
	p->udx = NULL;
	core_host_fini(&p->host);
}

struct spot
party_spot(const struct party *p, int sock)
{
	return (struct spot){p->actor->ep.ip, (uint16_t)(PARTY_PORT + sock)};
}

void
party_sleep(struct party *p)
{
	p->asleep = true;
	p->wake_us = WORLD_NEVER;
	p->asleep_since_us = p->sim->now_us;
}

void
party_wake(struct party *p)
{
	uint64_t us = p->sim->now_us - p->asleep_since_us;

	p->asleep = false;
	p->slept_us += us;
	set_clock(p);
	udx_slept(p->udx, us);
	party_settle(p);
}

void
party_move(struct party *p)
{
	struct sim *s = p->sim;

	net_unbind(&s->net, p->actor->ep.ip);
	p->actor->ep.ip = sim_address(s);
	net_bind(&s->net, p->actor->ep.ip, &p->actor->ep);
}

/* ---- talks ---- */

static struct talk *
talk_end_new(struct party *p, uint64_t writes)
{
	struct talk *t = mem_new(1, sizeof *t);
	int err;

	t->party = p;
	t->to_write = writes;
	t->pattern = prng_next(&p->sim->rand);
	t->udx = udx_stream_new(p->udx, t, &err);
	if (t->udx == NULL)
		sim_broken(p->sim, "no stream: %s", err_text(err));
	/*
	 * As a node's connections do, so that an idle peer that moves is found.
	 */
	udx_set_keepalive(t->udx, KEEPALIVE_MS);
	t->next = p->talks;
	p->talks = t;
	return t;
}

struct talk *
talk_new(struct party *first, struct party *second, uint64_t first_writes,
    uint64_t second_writes)
{
	struct talk *a, *b;
	struct udx_path path = {.to = spot_addr(party_spot(second, 0))};

	set_clock(first);
	set_clock(second);
	a = talk_end_new(first, first_writes);
	b = talk_end_new(second, second_writes);
	a->other = b;
	b->other = a;
	path.id = udx_id(b->udx);
	if (udx_connect(a->udx, &path) != 0)
		sim_broken(first->sim, "a stream does not connect");
	write_pattern(b);
	write_pattern(a);
	party_settle(second);
	party_settle(first);
	return a;
}

void
talk_destroy(struct talk *t)
{
	if (t->udx == NULL)
		return;
	set_clock(t->party);
	udx_stream_free(t->udx);
	t->udx = NULL;
	t->closed = true;
	t->err = ERR_RESET;
	t->closed_us = t->party->sim->now_us;
	party_settle(t->party);
}

int
talk_change_path(struct talk *t, int sock, int peer_sock)
{
	struct udx_path path = {.sock = sock};
	int err;

	if (t->udx == NULL || t->other->udx == NULL)
		return ERR_CLOSED;
	path.id = udx_id(t->other->udx);
	path.to = spot_addr(party_spot(t->other->party, peer_sock));
	set_clock(t->party);
	err = udx_migrate(t->udx, &path);
	party_settle(t->party);
	return err;
}

bool
talk_is_over(const struct talk *t)
{
	return t->closed && t->other->closed;
}

bool
talk_agrees(const struct talk *t)
{
	const struct talk *o = t->other;

	if (t->err != 0 || o->err != 0)
		return t->err != 0 && o->err != 0;
	return t->complete && o->complete;
}
