/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "world/net.h"

enum { FIRST_TABLE = 1024, LAN_US = 1000 };

#define QUEUE_FULL UINT64_MAX

static const uint16_t class_bytes[PACKET_CLASSES] = {64, 256, 1280, 2048};

void
net_init(struct net *n, struct queue *q, uint32_t event, uint64_t seed)
{
	*n = (struct net){.queue = q, .event = event};
	prng_init(&n->rand, seed, PRNG_LINK, 0);
	n->table_len = FIRST_TABLE;
	n->by_ip = mem_new(n->table_len, sizeof *n->by_ip);
	n->ips = mem_new(n->table_len, sizeof *n->ips);
	n->bound = mem_new(n->table_len, sizeof *n->bound);
}

void
net_fini(struct net *n)
{
	for (uint32_t i = 0; i < n->packets_len; i++)
		free(n->packets[i]);
	for (int c = 0; c < PACKET_CLASSES; c++)
		while (n->free[c] != NULL) {
			struct net_packet *p = n->free[c];

			n->free[c] = p->next;
			free(p);
		}
	free(n->packets);
	free(n->free_numbers);
	free(n->by_ip);
	free(n->ips);
	free(n->bound);
}

/* ---- addresses ---- */

static uint32_t
slot_of(const struct net *n, uint32_t ip)
{
	uint32_t i = (uint32_t)(ip * 0x9e3779b1u) >> 7;

	for (i &= n->table_len - 1; n->ips[i] != 0 && n->ips[i] != ip;)
		i = (i + 1) & (n->table_len - 1);
	return i;
}

static void
table_double(struct net *n)
{
	struct net old = *n;

	n->table_len *= 2;
	n->by_ip = mem_new(n->table_len, sizeof *n->by_ip);
	n->ips = mem_new(n->table_len, sizeof *n->ips);
	n->bound = mem_new(n->table_len, sizeof *n->bound);
	for (uint32_t i = 0; i < old.table_len; i++) {
		uint32_t to;

		if (old.ips[i] == 0)
			continue;
		to = slot_of(n, old.ips[i]);
		n->ips[to] = old.ips[i];
		n->by_ip[to] = old.by_ip[i];
		n->bound[to] = old.bound[i];
	}
	free(old.by_ip);
	free(old.ips);
	free(old.bound);
}

void
net_bind(struct net *n, uint32_t ip, struct endpoint *e)
{
	uint32_t i;

	if (n->table_used * 2 >= n->table_len)
		table_double(n);
	i = slot_of(n, ip);
	n->table_used += n->ips[i] == 0;
	n->ips[i] = ip;
	n->by_ip[i] = e;
	n->bound[i] = true;
}

void
net_unbind(struct net *n, uint32_t ip)
{
	n->bound[slot_of(n, ip)] = false;
}

struct endpoint *
net_find(const struct net *n, uint32_t ip)
{
	uint32_t i = slot_of(n, ip);

	return n->bound[i] ? n->by_ip[i] : NULL;
}

struct endpoint *
net_owner(const struct net *n, uint32_t ip)
{
	return n->by_ip[slot_of(n, ip)];
}

/* ---- packets ---- */

static uint8_t
class_of(size_t len)
{
	uint8_t c = 0;

	while (len > class_bytes[c])
		c++;
	return c;
}

static uint32_t
number_new(struct net *n)
{
	if (n->free_len > 0)
		return n->free_numbers[--n->free_len];
	if ((n->packets_len & (n->packets_len - 1)) == 0 ||
	    n->packets_len == 0) {
		uint32_t cap = n->packets_len == 0 ? 1 : n->packets_len * 2;

		n->packets = mem_grow(n->packets, cap, sizeof *n->packets);
		n->free_numbers =
		    mem_grow(n->free_numbers, cap, sizeof *n->free_numbers);
	}
	return n->packets_len++;
}

static struct net_packet *
packet_new(struct net *n, const void *buf, size_t len)
{
	uint8_t c = class_of(len);
	struct net_packet *p = n->free[c];

	if (p != NULL)
		n->free[c] = p->next;
	else
		p = mem_new(1, sizeof *p + class_bytes[c]);
	p->size_class = c;
	p->len = (uint16_t)len;
	p->queued = false;
	p->lan = false;
	memcpy(p->bytes, buf, len);
	return p;
}

static void
packet_free(struct net *n, struct net_packet *p)
{
	p->next = n->free[p->size_class];
	n->free[p->size_class] = p;
}

/*
 * Returns when the last byte has left the line, or QUEUE_FULL. A line without
 * limit takes no time.
 */
static uint64_t
pass_line(struct net_line *p, uint64_t now_us, size_t len)
{
	uint64_t start = p->free_at_us > now_us ? p->free_at_us : now_us;

	if (p->bytes_per_s == 0)
		return now_us;
	if ((start - now_us) * p->bytes_per_s / 1000000 > p->queue_bytes)
		return QUEUE_FULL;
	p->free_at_us = start + (uint64_t)len * 1000000 / p->bytes_per_s;
	return p->free_at_us;
}

/*
 * Draws a delay with mean m, half of the time below m, and a tail: a sum of
 * geometric steps.
 */
static uint32_t
jitter(struct prng *r, uint32_t m)
{
	uint32_t steps = 0;
	uint64_t coins;

	if (m == 0)
		return 0;
	coins = prng_next(r) | 1ull << 20;
	while ((coins >> steps & 1) == 0)
		steps++;
	return steps * m / 2 + prng_below(r, m);
}

static uint32_t
way_us(struct net *n, const struct endpoint *a, const struct endpoint *b)
{
	const struct faults *f = &n->faults;
	uint32_t us = f->flat_us;

	if (us == 0 && !f->no_distance)
		us = place_delay_us(&a->place, &b->place);
	us += jitter(&n->rand, f->jitter_us);
	if (prng_chance(&n->rand, f->overtake_ppm))
		us += prng_below(&n->rand, f->overtake_us + 1);
	return us + (a->slow + b->slow) * f->slow_us;
}

static bool
lost(struct net *n, const struct endpoint *a, const struct endpoint *b)
{
	const struct faults *f = &n->faults;

	return prng_chance(&n->rand, f->loss_ppm) ||
	       (a->slow && prng_chance(&n->rand, f->slow_loss_ppm)) ||
	       (b->slow && prng_chance(&n->rand, f->slow_loss_ppm));
}

static struct net_packet *
put_one(struct net *n, uint64_t at_us, struct endpoint *src,
    struct endpoint *dst, struct spot from, struct spot to, const void *buf,
    size_t len)
{
	struct net_packet *p = packet_new(n, buf, len);
	uint32_t number = number_new(n);

	p->src = src;
	p->dst = dst;
	p->from = from;
	p->to = to;
	n->packets[number] = p;
	queue_push(n->queue, at_us, n->event | number);
	return p;
}

static void
put_on_way(struct net *n, uint64_t at_us, struct endpoint *src,
    struct endpoint *dst, struct spot from, struct spot to, const void *buf,
    size_t len)
{
	put_one(n, at_us + way_us(n, src, dst), src, dst, from, to, buf, len);
	if (!prng_chance(&n->rand, n->faults.double_ppm))
		return;
	n->counts.doubled++;
	put_one(n, at_us + way_us(n, src, dst), src, dst, from, to, buf, len);
}

bool
net_send(struct net *n, uint64_t now_us, struct endpoint *src, struct spot from,
    struct spot to, const void *buf, size_t len)
{
	struct endpoint *dst = net_find(n, to.ip);
	uint64_t left_us = pass_line(&src->up, now_us, len + n->header_bytes);

	n->counts.sent++;
	n->counts.bytes += len;
	if (dst == NULL) {
		n->counts.nowhere++;
		return false;
	}
	if (left_us == QUEUE_FULL)
		n->counts.full++;
	else if (n->split && src->group != dst->group)
		n->counts.cut++;
	else if (lost(n, src, dst) ||
		 (n->lose != NULL && n->lose(n->lose_arg, src, dst, buf, len)))
		n->counts.lost++;
	else
		put_on_way(n, left_us, src, dst, from, to, buf, len);
	return true;
}

void
net_send_lan(struct net *n, uint64_t now_us, struct endpoint *src,
    struct endpoint *dst, struct spot from, struct spot to, const void *buf,
    size_t len)
{
	n->counts.sent++;
	n->counts.bytes += len;
	put_one(n, now_us + LAN_US, src, dst, from, to, buf, len)->lan = true;
}

struct net_packet *
net_arrived(struct net *n, uint64_t now_us, uint32_t number)
{
	struct net_packet *p = n->packets[number];
	uint64_t through_us;

	/* The address may have moved, or be unused, since it was sent. */
	if (!p->lan)
		p->dst = net_find(n, p->to.ip);
	if (p->dst == NULL) {
		n->counts.nowhere++;
		net_done(n, number);
		return NULL;
	}
	if (p->dst->down.bytes_per_s != 0 && !p->queued) {
		through_us =
		    pass_line(&p->dst->down, now_us, p->len + n->header_bytes);
		if (through_us == QUEUE_FULL) {
			n->counts.full++;
			net_done(n, number);
		} else {
			p->queued = true;
			queue_push(n->queue, through_us, n->event | number);
		}
		return NULL;
	}
	n->counts.delivered++;
	return p;
}

void
net_done(struct net *n, uint32_t number)
{
	packet_free(n, n->packets[number]);
	n->packets[number] = NULL;
	n->free_numbers[n->free_len++] = number;
}

void
net_drop_from(struct net *n, const struct endpoint *src)
{
	for (uint32_t i = 0; i < n->packets_len; i++)
		if (n->packets[i] != NULL && n->packets[i]->src == src)
			n->packets[i]->to.ip = 0; /* no endpoint has it */
}
