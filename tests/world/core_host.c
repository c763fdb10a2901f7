/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/core_host.h"
#include "world/mem.h"

void
core_host_init(
    struct core_host *h, const struct sim_hooks *hooks, uint64_t seed)
{
	*h = (struct core_host){0};
	sim_world_init(&h->world, hooks, seed);
	timers_init(&h->timers);
	limits_init(&h->limits);
	h->core = (struct core){
	    .world = &h->world.w,
	    .timers = &h->timers,
	    .stats = &h->stats,
	    .limits = &h->limits,
	};
}

void
core_host_fini(struct core_host *h)
{
	timers_fini(&h->timers);
	sim_world_fini(&h->world);
}

static void
set_clock(struct core_host *h, uint64_t now_us)
{
	struct world *w = &h->world.w;

	if (now_us > w->now_us) {
		w->unix_ms += now_us / 1000 - w->now_us / 1000;
		w->now_us = now_us;
	}
}

void
core_host_pass_ms(struct core_host *h, uint64_t ms)
{
	uint64_t end_us = h->world.w.now_us + ms * 1000, due_us;

	while ((due_us = timers_deadline(&h->timers)) <= end_us) {
		set_clock(h, due_us);
		timers_run(&h->timers, h->world.w.now_us);
	}
	set_clock(h, end_us);
}

/* ---- several hosts in one virtual time ---- */

void
lan_init(struct lan *l, uint64_t seed)
{
	*l = (struct lan){.now_us = UINT64_C(3600) * 1000000};
	queue_init(&l->queue);
	net_init(&l->net, &l->queue, 0, seed);
	l->net.faults.no_distance = true;
	l->hosts_end = &l->hosts;
}

void
lan_fini(struct lan *l)
{
	net_fini(&l->net);
	queue_fini(&l->queue);
}

void
lan_add(struct lan *l, struct core_host *h, uint32_t ip)
{
	h->lan = l;
	h->ep = (struct endpoint){.kind = ENDPOINT_HOST, .ip = ip};
	set_clock(h, l->now_us);
	if (ip != 0)
		net_bind(&l->net, ip, &h->ep);
	*l->hosts_end = h;
	l->hosts_end = &h->next;
}

void
lan_add_nat(struct core_host *h, struct nat *box)
{
	net_unbind(&h->lan->net, h->ep.ip);
	net_bind(&h->lan->net, box->ep.ip, &box->ep);
	h->nat = box;
	nat_add(box, &h->ep);
}

struct spot
lan_spot(const struct core_host *h, int sock)
{
	int port = h->world.socks[sock].bound.port + h->port_shift;

	return (struct spot){h->ep.ip, (uint16_t)port};
}

void
lan_send(struct core_host *h, struct spot from, const struct addr *to,
    const uint8_t *buf, size_t len)
{
	if (!h->deaf)
		net_send(&h->lan->net, h->lan->now_us, &h->ep, from,
		    addr_spot(to), buf, len);
}

static void
send_hook(struct sim_world *sw, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	struct core_host *h = container_of(sw, struct core_host, world);
	struct spot from = lan_spot(h, meta->sock);

	if (h->nat == NULL ||
	    nat_out(h->nat, h->lan->now_us, &from, addr_spot(&meta->to)))
		lan_send(h, from, &meta->to, buf, len);
}

const struct sim_hooks lan_hooks = {.send = send_hook};

static void
settle_host(struct core_host *h)
{
	set_clock(h, h->lan->now_us);
	timers_run(&h->timers, h->world.w.now_us);
	if (h->settle != NULL)
		h->settle(h);
}

void
lan_settle(struct lan *l)
{
	for (struct core_host *h = l->hosts; h != NULL; h = h->next)
		settle_host(h);
}

/* The copy has the datagram's size, so that sanitizers detect overreads. */
static void
receive_packet(struct core_host *h, const struct net_packet *p, struct spot to)
{
	uint8_t *copy = mem_new(1, p->len > 0 ? p->len : 1);
	struct dgram dg = {
	    .buf = copy, .len = p->len, .from = spot_addr(p->from)};

	memcpy(copy, p->bytes, p->len);
	dg.sock = sim_sock_at(&h->world, (uint16_t)(to.port - h->port_shift));
	set_clock(h, h->lan->now_us);
	if (!h->deaf && dg.sock != WORLD_NO_SOCK)
		h->receive(h, &dg);
	free(copy);
}

static void
deliver_packet(struct lan *l, uint32_t number)
{
	struct net_packet *p = net_arrived(&l->net, l->now_us, number);
	struct endpoint *e;
	struct spot to;

	if (p == NULL)
		return;
	to = p->to;
	e = nat_enter(p->dst, l->now_us, p->from, &to);
	if (e != NULL)
		receive_packet(container_of(e, struct core_host, ep), p, to);
	net_done(&l->net, number);
}

static uint64_t
next_event(const struct lan *l)
{
	uint64_t next_us = queue_next(&l->queue);

	for (const struct core_host *h = l->hosts; h != NULL; h = h->next)
		if (timers_deadline(&h->timers) < next_us)
			next_us = timers_deadline(&h->timers);
	return next_us;
}

bool
lan_step(struct lan *l, uint64_t until_us)
{
	uint64_t next_us = next_event(l), at_us;
	uint32_t number;

	if (l->tick_us != 0 && next_us > l->now_us && next_us != WORLD_NEVER)
		next_us = (next_us + l->tick_us - 1) / l->tick_us * l->tick_us;
	if (next_us > until_us)
		return false;
	if (next_us > l->now_us)
		l->now_us = next_us;
	while (queue_pop(&l->queue, l->now_us, &at_us, &number))
		deliver_packet(l, number);
	lan_settle(l);
	return true;
}

void
lan_run(struct lan *l, uint64_t us)
{
	uint64_t until_us = l->now_us + us;

	lan_settle(l);
	while (lan_step(l, until_us))
		;
	l->now_us = until_us;
	lan_settle(l);
}
