/* SPDX-License-Identifier: ISC */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { PORT = 1000, UDP_IP = 28 };

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

/* ---- chance ---- */

/* splitmix64: every seed gives a full period. */
uint64_t
lab_random(struct lab *r)
{
	uint64_t z = r->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
lab_below(struct lab *r, uint32_t n)
{
	return (uint32_t)((lab_random(r) >> 32) * n >> 32);
}

/* ---- the world of an end ---- */

static struct lab_end *
end_of(struct world *w)
{
	return (struct lab_end *)(void *)w;
}

struct addr
lab_addr(int end, int sock)
{
	return addr_v4(
	    10, 0, (uint8_t)end, (uint8_t)(sock + 1), (uint16_t)(PORT + sock));
}

static void
world_random(struct world *w, void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)lab_random(end_of(w)->lab);
}

static uint8_t *
world_reserve(struct world *w, const struct dgram_meta *meta, size_t cap)
{
	struct lab_end *e = end_of(w);

	if (cap == 0 || cap > WORLD_BURST_MAX || meta->sock < 0 ||
	    meta->sock >= LAB_SOCKS || e->reserved != 0 ||
	    (meta->segment == 0 && cap > DGRAM_MAX) ||
	    cap > (size_t)WORLD_BURST_SEGMENTS *
		      (meta->segment == 0 ? DGRAM_MAX : meta->segment))
		abort(); /* no world could do that */
	if (e->full || (e->takes > 0 && --e->takes == 0)) {
		e->full = true;
		return NULL;
	}
	e->meta = *meta;
	e->reserved = cap;
	return e->room;
}

static void
put_on_way(struct lab_end *e, struct lab_packet *p)
{
	struct lab_packet **at = &e->way;

	p->order = e->lab->order++;
	/* Mostly it is the last to arrive, and thousands are under way. */
	if (e->way != NULL && e->way_last->at_us <= p->at_us)
		at = &e->way_last->next;
	while (*at != NULL && (*at)->at_us <= p->at_us)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	if (p->next == NULL)
		e->way_last = p;
}

static struct lab_packet *
packet_new(const struct addr *from, const struct addr *to, const uint8_t *buf,
    size_t len)
{
	struct lab_packet *p = must(malloc(sizeof *p + len));

	*p = (struct lab_packet){.from = *from, .to = *to, .len = len};
	if (len > 0)
		memcpy(p->buf, buf, len);
	return p;
}

/* When a packet that leaves now has left; false: the queue is full. */
static bool
queue(struct lab_end *e, size_t len, uint64_t *left_us)
{
	const struct lab_link *l = &e->lab->link;
	uint64_t now = e->lab->now_us;

	*left_us = now;
	if (l->bytes_per_s == 0)
		return true;
	if (e->free_at_us < now)
		e->free_at_us = now;
	if (l->queue_bytes > 0 &&
	    (e->free_at_us - now) * l->bytes_per_s / LAB_S > l->queue_bytes)
		return false;
	e->free_at_us += (len + UDP_IP) * LAB_S / l->bytes_per_s;
	*left_us = e->free_at_us;
	return true;
}

static void
send_one(struct lab_end *e, const uint8_t *buf, size_t len)
{
	struct lab *r = e->lab;
	struct addr from = lab_addr((int)(e - r->end), e->meta.sock);
	struct lab_packet *p = packet_new(&from, &e->meta.to, buf, len);
	uint64_t left_us;
	int copies = 1;

	e->sent++;
	e->sent_bytes += len;
	if ((r->filter != NULL && !r->filter(r, p, r->filter_arg)) ||
	    (r->link.mtu > 0 && len + UDP_IP > r->link.mtu &&
		(!e->meta.fragment || r->link.no_fragments)) ||
	    lab_below(r, 1000000) < r->link.loss_ppm ||
	    !queue(e, len, &left_us)) {
		free(p);
		return;
	}
	if (lab_below(r, 1000000) < r->link.double_ppm)
		copies++;
	while (copies-- > 0) {
		struct lab_packet *q =
		    copies > 0 ? packet_new(&from, &e->meta.to, buf, len) : p;

		q->at_us = left_us + r->link.delay_us;
		if (r->link.jitter_us > 0)
			q->at_us += lab_below(r, r->link.jitter_us);
		put_on_way(e, q);
	}
}

static int
world_commit(struct world *w, size_t len)
{
	struct lab_end *e = end_of(w);
	size_t piece = e->meta.segment != 0 ? e->meta.segment : len;

	if (len == 0 || len > e->reserved)
		abort();
	e->reserved = 0;
	e->bursts++;
	for (size_t at = 0; at < len; at += piece)
		send_one(e, e->room + at, len - at < piece ? len - at : piece);
	return 0;
}

static const struct world_ops ops = {
    .random = world_random,
    .reserve = world_reserve,
    .commit = world_commit,
};

/* ---- life ---- */

void
lab_init(struct lab *r, uint64_t seed, int udx_ends)
{
	*r = (struct lab){.now_us = 3600 * LAB_S, .seed = seed};
	for (int i = 0; i < LAB_ENDS; i++) {
		struct lab_end *e = &r->end[i];

		e->lab = r;
		e->w.ops = &ops;
		e->w.now_us = r->now_us;
		e->got_end = &e->got;
		timers_init(&e->timers);
		limits_init(&e->limits);
		e->core = (struct core){
		    .world = &e->w,
		    .timers = &e->timers,
		    .stats = &e->stats,
		    .limits = &e->limits,
		};
		world_random(&e->w, &e->core.hash_key, sizeof e->core.hash_key);
		if (i < udx_ends)
			e->udx = must(udx_new(&e->core));
	}
}

static void
free_packets(struct lab_packet *p)
{
	while (p != NULL) {
		struct lab_packet *next = p->next;

		free(p);
		p = next;
	}
}

void
lab_fini(struct lab *r)
{
	for (int i = 0; i < LAB_ENDS; i++) {
		udx_free(r->end[i].udx);
		timers_fini(&r->end[i].timers);
		free_packets(r->end[i].got);
		free_packets(r->end[i].way);
	}
}

struct lab_stream *
lab_stream_new(struct lab *r, int end)
{
	struct lab_stream *s = must(calloc(1, sizeof *s));
	int err;

	s->s = must(udx_stream_new(r->end[end].udx, s, &err));
	return s;
}

void
lab_stream_free(struct lab_stream *s)
{
	udx_stream_free(s->s);
	free(s);
}

struct udx_path
lab_path(int sock, int end, int end_sock, const struct lab_stream *to)
{
	return (struct udx_path){
	    .sock = sock, .to = lab_addr(end, end_sock), .id = udx_id(to->s)};
}

void
lab_connect(struct lab_stream *a, int end_a, struct lab_stream *b, int end_b)
{
	struct udx_path to_b = lab_path(0, end_b, 0, b);
	struct udx_path to_a = lab_path(0, end_a, 0, a);

	if (udx_connect(a->s, &to_b) != 0 || udx_connect(b->s, &to_a) != 0)
		abort();
}

/* ---- time ---- */

static void
tell(struct lab_end *e)
{
	struct udx_stream *s;
	unsigned events;

	while ((s = udx_poll(e->udx, &events)) != NULL) {
		struct lab_stream *owner = udx_owner(s);

		if (events == 0)
			abort();
		if (owner != NULL)
			owner->events |= events;
	}
}

void
lab_settle(struct lab *r)
{
	for (int i = 0; i < LAB_ENDS; i++) {
		struct lab_end *e = &r->end[i];

		e->w.now_us = r->now_us;
		timers_run(&e->timers, r->now_us);
		if (e->udx != NULL)
			tell(e);
	}
}

static struct lab_end *
find_end(struct lab *r, const struct addr *to, int *sock)
{
	for (int i = 0; i < LAB_ENDS; i++)
		for (*sock = 0; *sock < LAB_SOCKS; ++*sock) {
			struct addr a = lab_addr(i, *sock);

			if (addr_equal(&a, to))
				return &r->end[i];
		}
	return NULL;
}

static void
deliver(struct lab *r, struct lab_packet *p)
{
	struct dgram dg = {.buf = p->buf, .len = p->len, .from = p->from};
	struct lab_end *e = find_end(r, &p->to, &dg.sock);

	if (e != NULL && e->udx == NULL) {
		p->next = NULL;
		*e->got_end = p;
		e->got_end = &p->next;
		return;
	}
	if (e != NULL) {
		e->w.now_us = r->now_us;
		(void)udx_recv(e->udx, &dg);
	}
	free(p);
}

/* Whose packet arrives next, in the order of sending if at once; or NULL. */
static struct lab_end *
next_sender(struct lab *r)
{
	struct lab_end *next = NULL;

	for (int i = 0; i < LAB_ENDS; i++) {
		const struct lab_packet *p = r->end[i].way;

		if (p != NULL && (next == NULL || p->at_us < next->way->at_us ||
				     (p->at_us == next->way->at_us &&
					 p->order < next->way->order)))
			next = &r->end[i];
	}
	return next;
}

static uint64_t
next_event(struct lab *r)
{
	const struct lab_end *sender = next_sender(r);
	uint64_t next = sender != NULL ? sender->way->at_us : WORLD_NEVER;

	for (int i = 0; i < LAB_ENDS; i++)
		if (timers_deadline(&r->end[i].timers) < next)
			next = timers_deadline(&r->end[i].timers);
	return next;
}

bool
lab_step(struct lab *r, uint64_t until_us)
{
	uint64_t next = next_event(r);
	struct lab_end *sender;

	if (r->tick_us != 0 && next > r->now_us && next != WORLD_NEVER)
		next = (next + r->tick_us - 1) / r->tick_us * r->tick_us;
	if (next > until_us)
		return false;
	if (next > r->now_us)
		r->now_us = next;
	while ((sender = next_sender(r)) != NULL &&
	       sender->way->at_us <= r->now_us) {
		struct lab_packet *p = sender->way;

		sender->way = p->next;
		deliver(r, p);
	}
	lab_settle(r);
	return true;
}

void
lab_run(struct lab *r, uint64_t us)
{
	uint64_t until_us = r->now_us + us;

	lab_settle(r);
	while (lab_step(r, until_us))
		;
	r->now_us = until_us;
	lab_settle(r);
}

int
lab_inject(struct lab *r, int end, int sock, const struct addr *from,
    const void *buf, size_t len)
{
	struct dgram dg = {.len = len, .sock = sock, .from = *from};
	uint8_t *copy = must(malloc(len > 0 ? len : 1));
	int verdict;

	/* Exactly as long as it is, so that a sanitizer sees what is beyond. */
	if (len > 0)
		memcpy(copy, buf, len);
	dg.buf = copy;
	r->end[end].w.now_us = r->now_us;
	verdict = udx_recv(r->end[end].udx, &dg);
	free(copy);
	return verdict;
}

struct lab_packet *
lab_got(struct lab *r, int end)
{
	struct lab_end *e = &r->end[end];
	struct lab_packet *p = e->got;

	if (p == NULL)
		return NULL;
	e->got = p->next;
	if (e->got == NULL)
		e->got_end = &e->got;
	return p;
}

void
lab_drain(struct lab *r, int end)
{
	r->end[end].full = false;
	for (int i = 0; i < LAB_SOCKS; i++)
		udx_writable(r->end[end].udx, i);
}

/* ---- bytes ---- */

static uint8_t
pattern(uint64_t at)
{
	uint64_t z = (at >> 3) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint8_t)(z >> (8 * (at & 7)));
}

size_t
lab_write(struct lab_stream *s, uint64_t at, size_t n)
{
	size_t room = udx_space(s->s);
	uint8_t *p;

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	p = must(udx_reserve(s->s, n));
	for (size_t i = 0; i < n; i++)
		p[i] = pattern(at + i);
	udx_commit(s->s, n);
	return n;
}

size_t
lab_read(struct lab_stream *s, uint64_t at, size_t n)
{
	struct udx_bytes b = udx_peek(s->s);

	if (n > b.len)
		n = b.len;
	for (size_t i = 0; i < n; i++)
		if (b.p[i] != pattern(at + i)) {
			fprintf(stderr, "byte %llu is not what was sent\n",
			    (unsigned long long)(at + i));
			abort();
		}
	if (n > 0)
		udx_consume(s->s, n);
	return n;
}

/* ---- two ends that talk ---- */

void
lab_pair_init(struct lab_pair *p, uint64_t seed, const struct lab_link *link)
{
	*p = (struct lab_pair){0};
	lab_init(&p->lab, seed, 2);
	p->lab.link = *link;
	p->a = lab_stream_new(&p->lab, 0);
	p->b = lab_stream_new(&p->lab, 1);
	lab_connect(p->a, 0, p->b, 1);
}

void
lab_pair_fini(struct lab_pair *p)
{
	if (p->a != NULL)
		lab_stream_free(p->a);
	if (p->b != NULL)
		lab_stream_free(p->b);
	lab_fini(&p->lab);
}

bool
lab_pair_carry(struct lab_pair *p, uint64_t total, uint64_t within_us)
{
	uint64_t until = p->lab.now_us + within_us;

	do {
		p->written +=
		    lab_write(p->a, p->written, (size_t)(total - p->written));
		p->read += lab_read(p->b, p->read, SIZE_MAX);
		if (p->read == total)
			return true;
		lab_settle(&p->lab);
	} while (lab_step(&p->lab, until));
	return false;
}
