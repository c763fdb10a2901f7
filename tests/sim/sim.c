/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/actor.h"
#include "world/mem.h"
#include "sim/scenario.h"

/* Of an event's 24 bits two identify the kind, the others the object. */
enum { EVENT_BITS = QUEUE_WHAT_BITS - 2 };
enum { EVENT_WAKE, EVENT_PACKET, EVENT_TASK };

#define EVENT(kind, number) ((uint32_t)(kind) << EVENT_BITS | (number))

/* Longer than any operation may take. */
enum { QUIESCE_SECONDS = 300 };

/* 20.0.0.0 and up: public, with space for a /24 each. */
#define FIRST_ADDRESS 0x14000000u

static void
check_minute(struct sim *s, void *arg)
{
	(void)arg;
	check_all(s);
}

void
sim_init(struct sim *s, const struct sim_options *o)
{
	memset(s, 0, sizeof *s);
	s->opt = *o;
	queue_init(&s->queue);
	net_init(&s->net, &s->queue, EVENT(EVENT_PACKET, 0), o->seed);
	s->net.faults = o->faults;
	trace_init(&s->trace);
	check_init(&s->check);
	calls_init(&s->calls);
	prng_init(&s->rand, o->seed, PRNG_SCENARIO, 0);
	sim_every(s, MINUTES(1), check_minute, NULL);
}

void
sim_fini(struct sim *s)
{
	for (uint32_t i = 0; i < s->hosts_len; i++)
		host_free(s->hosts[i]);
	for (uint32_t i = 0; i < s->actors_len; i++)
		actor_free(s->actors[i]);
	for (uint32_t i = 0; i < s->nats_len; i++)
		nat_free(s->nats[i]);
	free(s->hosts);
	free(s->actors);
	free(s->nats);
	free(s->tasks);
	check_fini(&s->check);
	calls_fini(&s->calls);
	net_fini(&s->net);
	queue_fini(&s->queue);
}

/* ---- time ---- */

void
sim_wake_at(struct host *h, uint64_t at_us)
{
	queue_push(&h->sim->queue, at_us, EVENT(EVENT_WAKE, h->ep.index));
}

static uint32_t
task_new(struct sim *s, void (*run)(struct sim *s, void *arg), void *arg)
{
	uint32_t i = 0;

	while (i < s->tasks_len && s->tasks[i].run != NULL)
		i++;
	if (i == s->tasks_len) {
		s->tasks = mem_grow(s->tasks, i + 1, sizeof *s->tasks);
		s->tasks_len++;
	}
	s->tasks[i] = (struct task){.run = run, .arg = arg, .live = true};
	return i;
}

uint32_t
sim_at(struct sim *s, uint64_t in_us, void (*run)(struct sim *s, void *arg),
    void *arg)
{
	uint32_t i = task_new(s, run, arg);

	queue_push(&s->queue, s->now_us + in_us, EVENT(EVENT_TASK, i));
	return i;
}

uint32_t
sim_every(struct sim *s, uint64_t period_us,
    void (*run)(struct sim *s, void *arg), void *arg)
{
	uint32_t i = sim_at(s, period_us, run, arg);

	s->tasks[i].period_us = period_us;
	return i;
}

void
sim_stop(struct sim *s, uint32_t task)
{
	s->tasks[task].live = false;
}

/*
 * Runs a task. Its entry is reused only now that its event has left the queue.
 */
static void
task_run(struct sim *s, uint32_t i)
{
	struct task t = s->tasks[i];

	if (t.live && t.period_us != 0)
		queue_push(
		    &s->queue, s->now_us + t.period_us, EVENT(EVENT_TASK, i));
	else
		s->tasks[i].run = NULL;
	if (t.live)
		t.run(s, t.arg);
}

static void
packet_deliver(struct sim *s, const struct net_packet *p)
{
	struct spot to = p->to;
	struct endpoint *e = nat_enter(p->dst, s->now_us, p->from, &to);

	if (e == NULL)
		return;
	trace_word(&s->trace, s->now_us);
	trace_word(&s->trace, (uint64_t)p->from.ip << 32 | p->to.ip);
	trace_word(&s->trace, (uint64_t)p->from.port << 16 | p->to.port);
	trace_bytes(&s->trace, p->bytes, p->len);
	if (s->tap != NULL && e->kind == ENDPOINT_HOST)
		s->tap(s, p);
	if (e->kind == ENDPOINT_HOST)
		host_receive(container_of(e, struct host, ep), p, to);
	else
		actor_take(container_of(e, struct actor, ep), p, to);
}

static void
packet_event(struct sim *s, uint32_t number)
{
	struct net_packet *p = net_arrived(&s->net, s->now_us, number);

	if (p == NULL)
		return;
	packet_deliver(s, p);
	net_done(&s->net, number);
}

void
sim_run(struct sim *s, uint64_t us)
{
	uint64_t until_us = s->now_us + us;
	uint32_t what;

	while (queue_pop(&s->queue, until_us, &s->now_us, &what)) {
		uint32_t number = what & (EVENT(1, 0) - 1);

		s->steps++;
		switch (what >> EVENT_BITS) {
		case EVENT_WAKE:
			host_tick(s->hosts[number]);
			break;
		case EVENT_PACKET:
			packet_event(s, number);
			break;
		default:
			task_run(s, number);
		}
	}
	s->now_us = until_us;
}

void
sim_quiesce(struct sim *s)
{
	for (int i = 0; i < QUIESCE_SECONDS && s->ops.open + s->calls.open > 0;
	     i++)
		sim_run(s, SECONDS(1));
	if (s->ops.open + s->calls.open > 0)
		sim_broken(s, "%u operations and %u calls never ended",
		    s->ops.open, s->calls.open);
}

/* ---- the population ---- */

uint32_t
sim_address(struct sim *s)
{
	uint32_t i = s->addresses++;

	/* The last byte varies too, as in real networks. */
	return FIRST_ADDRESS + (i << 8) + 1 + i * 7919 % 250;
}

struct host *
sim_join(struct sim *s, enum dht_role role, struct nat *box)
{
	struct host *h = host_new(s, role, box);

	host_boot(h);
	return h;
}

struct nat *
sim_nat(struct sim *s, const struct nat_config *c, struct nat *outer)
{
	struct nat *n;
	struct prng r;

	n = nat_new(c, outer == NULL ? sim_address(s) : nat_next_inside(outer),
	    s->opt.seed);
	prng_init(&r, s->opt.seed, PRNG_PLACE, n->ep.ip);
	place_draw(&n->ep.place, &r);
	n->outer = outer;
	if (outer == NULL)
		net_bind(&s->net, n->ep.ip, &n->ep);
	else
		nat_add(outer, &n->ep);
	s->nats = mem_grow(s->nats, s->nats_len + 1, sizeof *s->nats);
	s->nats[s->nats_len++] = n;
	return n;
}

static void
bootstraps_start(struct sim *s)
{
	for (int i = 0; i < SIM_BOOTSTRAPS; i++) {
		struct host *h = sim_join(s, DHT_BOOTSTRAP, NULL);
		struct bootstrap_entry *e = &s->bootstrap[s->bootstrap_len++];

		e->addr = spot_addr(host_spot(h));
		e->port = HOST_PORT;
	}
}

void
sim_grow(struct sim *s, uint32_t n, enum dht_role role, uint64_t over_us)
{
	if (s->bootstrap_len == 0) {
		bootstraps_start(s);
		n = n > SIM_BOOTSTRAPS ? n - SIM_BOOTSTRAPS : 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		sim_run(s, over_us / n);
		sim_join(s, role, NULL);
	}
}

static bool
ready(const struct host *h)
{
	return h->state == HOST_UP && h->bootstrapped && !h->leaving &&
	       h->mangle == NULL;
}

struct host *
sim_any(struct sim *s)
{
	uint32_t start;

	if (s->hosts_len == 0)
		return NULL;
	for (int i = 0; i < 64; i++) {
		start = prng_below(&s->rand, s->hosts_len);
		if (ready(s->hosts[start]))
			return s->hosts[start];
	}
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (ready(s->hosts[(start + i) % s->hosts_len]))
			return s->hosts[(start + i) % s->hosts_len];
	return NULL;
}

uint32_t
sim_count_up(const struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->hosts_len; i++)
		n += s->hosts[i]->state == HOST_UP;
	return n;
}

/* ---- datagrams ---- */

/* Sends between two endpoints behind one box, if `to` is one of them. */
static bool
send_inside(struct sim *s, struct endpoint *src, struct nat *box,
    struct spot from, struct spot to, const void *buf, size_t len)
{
	struct endpoint *dst = nat_inside(box, to.ip);

	if (dst == NULL)
		return false;
	net_send_lan(&s->net, s->now_us, src, dst, from, to, buf, len);
	return true;
}

void
sim_send(struct sim *s, struct endpoint *src, struct nat *box, struct spot from,
    struct spot to, const void *buf, size_t len)
{
	dial_cost_sent(s, src, to, buf, len);
	for (; box != NULL; box = box->outer) {
		if (!box->config.firewall &&
		    send_inside(s, src, box, from, to, buf, len))
			return;
		if (!nat_out(box, s->now_us, &from, to))
			return;
		if (to.ip == box->ep.ip && !box->config.firewall) {
			if (box->config.hairpin &&
			    nat_in(box, s->now_us, from, &to))
				send_inside(s, src, box, from, to, buf, len);
			return;
		}
	}
	net_send(&s->net, s->now_us, src, from, to, buf, len);
}

/* ---- failures ---- */

static void
report_failure(struct sim *s, const char *format, va_list ap)
{
	uint64_t ms = s->now_us / 1000;

	fflush(stdout);
	fprintf(stderr,
	    "FAILED %s at %02llu:%02llu:%02llu.%03llu: ", s->opt.scenario->name,
	    (unsigned long long)(ms / 3600000),
	    (unsigned long long)(ms / 60000 % 60),
	    (unsigned long long)(ms / 1000 % 60),
	    (unsigned long long)(ms % 1000));
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\nSEED=%llu: ", (unsigned long long)s->opt.seed);
	options_print(&s->opt, stderr);
	s->failed++;
}

void
sim_fail(struct sim *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_failure(s, format, ap);
	va_end(ap);
}

void
sim_broken(struct sim *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_failure(s, format, ap);
	va_end(ap);
	exit(1);
}
