/* SPDX-License-Identifier: ISC */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/mem.h"

enum { PORT = 1000, UDP_IP = 28 };

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static struct lab_end *
end_of(struct core_host *h)
{
	return container_of(h, struct lab_end, host);
}

static struct lab *
lab_of(struct core_host *h)
{
	return container_of(h->lan, struct lab, lan);
}

struct addr
lab_addr(int end, int sock)
{
	return addr_v4(
	    10, 0, (uint8_t)end, (uint8_t)(sock + 1), (uint16_t)(PORT + sock));
}

/* ---- sending ---- */

static void
apply_link(struct lab *r, struct lab_end *e)
{
	const struct lab_link *l = &r->link;

	r->lan.net.faults = (struct faults){.no_distance = true,
	    .flat_us = l->delay_us,
	    .loss_ppm = l->loss_ppm,
	    .double_ppm = l->double_ppm};
	if (l->jitter_us > 0) {
		r->lan.net.faults.overtake_ppm = 1000000;
		r->lan.net.faults.overtake_us = l->jitter_us - 1;
	}
	e->host.ep.up.bytes_per_s = l->bytes_per_s;
	e->host.ep.up.queue_bytes =
	    l->queue_bytes > 0 ? l->queue_bytes : UINT32_MAX;
}

static bool
passes_mtu(const struct lab_link *l, const struct dgram_meta *meta, size_t len)
{
	return l->mtu == 0 || len + UDP_IP <= l->mtu ||
	       (meta->fragment && !l->no_fragments);
}

static void
send_hook(struct sim_world *sw, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	struct core_host *h = container_of(sw, struct core_host, world);
	struct lab *r = lab_of(h);
	struct lab_end *e = end_of(h);
	struct lab_packet p = {.to = meta->to, .len = len, .buf = buf};

	e->sent++;
	p.from = lab_addr((int)(e - r->end), meta->sock);
	if ((r->filter != NULL && !r->filter(r, &p, r->filter_arg)) ||
	    !passes_mtu(&r->link, meta, len))
		return;
	apply_link(r, e);
	lan_send(h, addr_spot(&p.from), &p.to, buf, len);
}

static bool
is_full(struct sim_world *sw, int sock)
{
	struct lab_end *e = container_of(sw, struct lab_end, host.world);

	(void)sock;
	if (e->takes > 0 && --e->takes == 0)
		e->full = true;
	e->bursts += !e->full;
	return e->full;
}

static const struct sim_hooks hooks = {
    .send = send_hook,
    .is_full = is_full,
};

/* ---- receiving ---- */

static void
receive(struct core_host *h, const struct dgram *dg)
{
	struct lab_end *e = end_of(h);
	struct lab_packet *p;

	if (e->udx != NULL) {
		(void)udx_recv(e->udx, dg);
		return;
	}
	p = mem_new(1, sizeof *p + dg->len);
	*p = (struct lab_packet){
	    .from = dg->from, .len = dg->len, .buf = p->copy};
	p->to = lab_addr((int)(e - lab_of(h)->end), dg->sock);
	memcpy(p->copy, dg->buf, dg->len);
	*e->got_end = p;
	e->got_end = &p->next;
}

static void
collect_events(struct core_host *h)
{
	struct lab_end *e = end_of(h);
	struct udx_stream *s;
	unsigned events;

	while (e->udx != NULL && (s = udx_poll(e->udx, &events)) != NULL) {
		struct lab_stream *owner = udx_owner(s);

		if (events == 0)
			abort();
		if (owner != NULL)
			owner->events |= events;
	}
}

/* ---- life ---- */

static void
init_end(struct lab *r, int i, uint64_t seed)
{
	struct lab_end *e = &r->end[i];
	struct world *w = &e->host.world.w;
	struct addr bound;

	core_host_init(&e->host, &hooks, seed * LAB_ENDS + (uint64_t)i);
	lan_add(&r->lan, &e->host, 0);
	e->host.receive = receive;
	e->host.settle = collect_events;
	e->got_end = &e->got;
	w->ops->random(w, &e->host.core.hash_key, sizeof(struct hash_key));
	for (int sock = 0; sock < LAB_SOCKS; sock++) {
		struct addr at = lab_addr(i, sock);

		net_bind(&r->lan.net, addr_spot(&at).ip, &e->host.ep);
		if (w->ops->open(w, &at, &bound) != sock)
			abort();
	}
}

void
lab_init(struct lab *r, uint64_t seed, int udx_ends)
{
	*r = (struct lab){0};
	lan_init(&r->lan, seed);
	r->lan.net.header_bytes = UDP_IP;
	r->rand = prng_seeded(seed);
	for (int i = 0; i < LAB_ENDS; i++) {
		init_end(r, i, seed);
		if (i < udx_ends)
			r->end[i].udx = must(udx_new(&r->end[i].host.core));
	}
}

void
lab_fini(struct lab *r)
{
	for (int i = 0; i < LAB_ENDS; i++) {
		udx_free(r->end[i].udx);
		core_host_fini(&r->end[i].host);
		while (r->end[i].got != NULL)
			free(lab_got(r, i));
	}
	lan_fini(&r->lan);
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

void
lab_settle(struct lab *r)
{
	lan_settle(&r->lan);
}

bool
lab_step(struct lab *r, uint64_t until_us)
{
	return lan_step(&r->lan, until_us);
}

void
lab_run(struct lab *r, uint64_t us)
{
	lan_run(&r->lan, us);
}

void
lab_drop_in_flight(struct lab *r, int end)
{
	net_drop_from(&r->lan.net, &r->end[end].host.ep);
}

int
lab_inject(struct lab *r, int end, int sock, const struct addr *from,
    const void *buf, size_t len)
{
	struct dgram dg = {.len = len, .sock = sock, .from = *from};
	uint8_t *copy = must(malloc(len > 0 ? len : 1));
	int err;

	/* Of exactly that size, so that a sanitizer detects overreads. */
	if (len > 0)
		memcpy(copy, buf, len);
	dg.buf = copy;
	r->end[end].host.world.w.now_us = r->lan.now_us;
	err = udx_recv(r->end[end].udx, &dg);
	free(copy);
	return err;
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
	size_t done = 0;

	while (done < n) {
		struct udx_bytes b = udx_peek(s->s);

		if (b.len > n - done)
			b.len = n - done;
		if (b.len == 0)
			break;
		for (size_t i = 0; i < b.len; i++)
			if (b.p[i] != pattern(at + done + i)) {
				fprintf(stderr, "byte %llu is wrong\n",
				    (unsigned long long)(at + done + i));
				abort();
			}
		udx_consume(s->s, b.len);
		done += b.len;
	}
	return done;
}

/* ---- two connected ends ---- */

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
	uint64_t until = p->lab.lan.now_us + within_us;

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
