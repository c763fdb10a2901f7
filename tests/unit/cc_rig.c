/* SPDX-License-Identifier: ISC */
#include <math.h>
#include <stdlib.h>

#include "cc_rig.h"

enum { RING = 1 << 17, GAP = 3, RIG_PHASES = 16 };
static const uint64_t SECOND_NS = 1000000000;
static const uint64_t NEVER = UINT64_MAX;

struct packet {
	struct cc_packet cc;
	uint64_t sent_ns, acked_ns; /* NEVER: lost on the way */
};

struct tcp {
	double window, slow_start, top, k; /* packets, packets, packets, s */
	uint64_t epoch_ns, reduced_ns;
};

struct flow {
	enum rig_kind kind;
	struct cc cc;
	struct tcp tcp;
	struct packet *ring;
	uint64_t next, una, scan; /* packets: to send, oldest out, next acked */
	uint64_t in_flight, delivered, lost, told;
	uint64_t start_ns, credit_ns, quiet_ns, supply, supplied_ns, rtt_us;
	uint64_t last_acked_ns, told_ns;
	double supply_left;
	uint32_t phase;
};

struct cc_rig {
	struct rig_line line;
	uint64_t now_ns, busy_ns, tick_ns, seed;
	struct flow flow[RIG_FLOWS];
	int flows;
};

static uint32_t
below(struct cc_rig *r, uint32_t n)
{
	r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((r->seed >> 32) * n >> 32);
}

struct cc_rig *
cc_rig_new(struct rig_line line, uint64_t seed)
{
	struct cc_rig *r = calloc(1, sizeof *r);

	r->line = line;
	r->seed = seed;
	r->tick_ns = 1;
	r->now_ns = SECOND_NS;
	return r;
}

void
cc_rig_free(struct cc_rig *r)
{
	for (int i = 0; i < r->flows; i++)
		free(r->flow[i].ring);
	free(r);
}

int
cc_rig_flow(struct cc_rig *r, enum rig_kind kind, double start)
{
	struct flow *f = &r->flow[r->flows];

	f->kind = kind;
	f->phase = below(r, RIG_PHASES);
	f->start_ns = r->now_ns + (uint64_t)(start * 1e9);
	f->ring = calloc(RING, sizeof *f->ring);
	f->tcp = (struct tcp){.window = 10, .slow_start = 1e9};
	cc_init(&f->cc, RIG_PACKET, f->start_ns / 1000, below(r, 1 << 30));
	f->credit_ns = f->quiet_ns = f->start_ns;
	return r->flows++;
}

void
cc_rig_supply(struct cc_rig *r, int flow, uint64_t rate)
{
	r->flow[flow].supply = rate;
	r->flow[flow].supplied_ns = r->now_ns;
	r->flow[flow].supply_left = 0;
}

void
cc_rig_tick(struct cc_rig *r, uint64_t us)
{
	r->tick_ns = us * 1000 + (us == 0);
}

void
cc_rig_line(struct cc_rig *r, struct rig_line line)
{
	r->line = line;
}

/* ---- TCP CUBIC, for comparison ---- */

static void
tcp_acked(struct tcp *c, uint64_t now_ns, double rtt)
{
	double t = (double)(now_ns - c->epoch_ns) / 1e9 + rtt, target;

	if (c->window < c->slow_start) {
		c->window++;
		return;
	}
	target = 0.4 * pow(t - c->k, 3) + c->top;
	/* As Reno would have grown: RFC 8312 §4.2. */
	target = fmax(target, c->top * 0.7 + 0.53 * t / rtt);
	target = fmin(target, 1.5 * c->window);
	if (target > c->window)
		c->window += (target - c->window) / c->window;
}

static void
tcp_lost(struct tcp *c, uint64_t now_ns, uint64_t sent_ns)
{
	if (sent_ns <= c->reduced_ns)
		return;
	c->reduced_ns = c->epoch_ns = now_ns;
	c->top = c->window < c->top ? c->window * 0.85 : c->window;
	c->window = c->slow_start = fmax(c->window * 0.7, 2);
	c->k = cbrt(fmax(c->top - c->window, 0) / 0.4);
}

/* ---- packets ---- */

static uint64_t
window_of(const struct flow *f)
{
	if (f->kind == RIG_CC)
		return cc_window(&f->cc);
	return (uint64_t)(f->tcp.window * RIG_PACKET);
}

static uint64_t
rate_of(const struct flow *f)
{
	return f->kind == RIG_CC ? cc_rate(&f->cc) : 0;
}

/* Each flow has its own phase of ticks: machines wake at different times. */
static uint64_t
on_tick(const struct cc_rig *r, const struct flow *f, uint64_t ns)
{
	uint64_t own_ns = f->phase * r->tick_ns / RIG_PHASES;

	return (ns - own_ns + r->tick_ns - 1) / r->tick_ns * r->tick_ns +
	       own_ns;
}

/* Returns when a flow may send next, or NEVER: not before an event. */
static uint64_t
send_at(const struct cc_rig *r, const struct flow *f)
{
	uint64_t at = f->start_ns > r->now_ns ? f->start_ns : r->now_ns;

	if (f->in_flight + RIG_PACKET > window_of(f) ||
	    f->next - f->una >= RING)
		return NEVER;
	if (f->supply > 0 && f->supply_left < RIG_PACKET)
		at += (uint64_t)((RIG_PACKET - f->supply_left) * 1e9 /
				 (double)f->supply) +
		      1;
	if (rate_of(f) > 0 && f->credit_ns > at)
		at = f->credit_ns;
	return on_tick(r, f, at);
}

static void
send_one(struct cc_rig *r, struct flow *f)
{
	struct packet *p = &f->ring[f->next % RING];
	uint64_t waiting_ns =
	    r->busy_ns > r->now_ns ? r->busy_ns - r->now_ns : 0;
	uint64_t each_ns = RIG_PACKET * SECOND_NS / r->line.rate;
	uint64_t rate = rate_of(f), saved_ns;

	if (f->in_flight == 0)
		f->quiet_ns = r->now_ns;
	if (f->kind == RIG_CC)
		cc_packet_sent(&f->cc, &p->cc, r->now_ns / 1000, f->in_flight);
	p->sent_ns = r->now_ns;
	p->acked_ns = NEVER;
	f->next++;
	f->in_flight += RIG_PACKET;
	f->supply_left -= RIG_PACKET;
	if (rate > 0) {
		saved_ns = cc_burst(&f->cc) * SECOND_NS / rate;
		if (f->credit_ns + saved_ns < r->now_ns)
			f->credit_ns = r->now_ns - saved_ns;
		f->credit_ns += RIG_PACKET * SECOND_NS / rate;
	}
	if (waiting_ns / 1000 * r->line.rate / 1000000 + RIG_PACKET >
	    r->line.queue + RIG_PACKET)
		return;
	r->busy_ns = r->now_ns + waiting_ns + each_ns;
	if (below(r, 1000000) < r->line.loss_ppm)
		return;
	p->acked_ns = r->busy_ns + r->line.rtt_us * 1000;
	if (p->acked_ns < f->last_acked_ns)
		p->acked_ns = f->last_acked_ns;
	f->last_acked_ns = p->acked_ns;
}

/* Returns the time of the next acknowledgement or timeout. */
static uint64_t
ack_at(const struct cc_rig *r, struct flow *f)
{
	while (f->scan < f->next && f->ring[f->scan % RING].acked_ns == NEVER)
		f->scan++;
	if (f->scan < f->next)
		return on_tick(r, f, f->ring[f->scan % RING].acked_ns);
	return f->una < f->next ? on_tick(r, f, f->quiet_ns + SECOND_NS)
				: NEVER;
}

static void
lose(struct cc_rig *r, struct flow *f, uint64_t until)
{
	for (; f->una < until; f->una++) {
		struct packet *p = &f->ring[f->una % RING];

		if (p->acked_ns != NEVER)
			continue;
		f->lost += RIG_PACKET;
		f->in_flight -= RIG_PACKET;
		if (f->kind == RIG_CC)
			cc_packet_lost(&f->cc, &p->cc, RIG_PACKET);
		else
			tcp_lost(&f->tcp, r->now_ns, p->sent_ns);
	}
}

static void
timed_out(struct cc_rig *r, struct flow *f)
{
	lose(r, f, f->next);
	f->scan = f->next;
	f->quiet_ns = r->now_ns;
	if (f->kind == RIG_CC)
		cc_timeout(&f->cc, r->now_ns / 1000, f->in_flight);
	else
		f->tcp.window = 1;
}

static void
acked(struct cc_rig *r, struct flow *f)
{
	uint64_t now_us = r->now_ns / 1000, rtt_ns = 0;

	if (f->scan == f->next) {
		timed_out(r, f);
		return;
	}
	for (; ack_at(r, f) <= r->now_ns && f->scan < f->next; f->scan++) {
		struct packet *p = &f->ring[f->scan % RING];

		f->delivered += RIG_PACKET;
		f->in_flight -= RIG_PACKET;
		rtt_ns = r->now_ns - p->sent_ns;
		if (f->kind == RIG_CC)
			cc_packet_acked(&f->cc, &p->cc, RIG_PACKET);
		else
			tcp_acked(&f->tcp, r->now_ns, (double)rtt_ns / 1e9);
	}
	if (f->scan > f->una + GAP)
		lose(r, f, f->scan - GAP);
	f->quiet_ns = r->now_ns;
	f->rtt_us = rtt_ns / 1000;
	if (f->kind == RIG_CC)
		cc_update(&f->cc, now_us, f->rtt_us, f->in_flight);
}

static void
send(struct cc_rig *r, struct flow *f)
{
	while (send_at(r, f) <= r->now_ns)
		send_one(r, f);
	if (f->kind == RIG_CC && f->supply > 0 && f->supply_left < RIG_PACKET)
		cc_app_limited(&f->cc, f->in_flight);
}

static void
supply(struct cc_rig *r, struct flow *f)
{
	f->supply_left +=
	    (double)(r->now_ns - f->supplied_ns) * (double)f->supply / 1e9;
	f->supplied_ns = r->now_ns;
}

void
cc_rig_run(struct cc_rig *r, double seconds)
{
	uint64_t end_ns = r->now_ns + (uint64_t)(seconds * 1e9);

	for (;;) {
		uint64_t at = NEVER;
		struct flow *next = NULL;
		bool is_ack = false;

		for (int i = 0; i < r->flows; i++) {
			struct flow *f = &r->flow[i];
			uint64_t ack = ack_at(r, f), out = send_at(r, f);

			if (ack < at || out < at)
				next = f;
			if (ack < at)
				at = ack, is_ack = true;
			if (out < at)
				at = out, is_ack = false;
		}
		if (at > end_ns)
			break;
		if (at > r->now_ns)
			r->now_ns = at;
		if (next->supply > 0)
			supply(r, next);
		if (is_ack)
			acked(r, next);
		else
			send(r, next);
	}
	r->now_ns = end_ns;
}

uint64_t
cc_rig_delivered(const struct cc_rig *r, int flow)
{
	return r->flow[flow].delivered;
}

uint64_t
cc_rig_lost(const struct cc_rig *r, int flow)
{
	return r->flow[flow].lost;
}

uint64_t
cc_rig_rtt_us(const struct cc_rig *r, int flow)
{
	return r->flow[flow].rtt_us;
}

const struct cc *
cc_rig_cc(const struct cc_rig *r, int flow)
{
	return &r->flow[flow].cc;
}

uint64_t
cc_rig_use(struct cc_rig *r, int flow)
{
	struct flow *f = &r->flow[flow];
	uint64_t since_ns = f->told_ns > 0 ? f->told_ns : f->start_ns;
	double all =
	    (double)(r->now_ns - since_ns) * (double)r->line.rate / 1e9;
	double use = (double)(f->delivered - f->told) * 10000 / all;

	f->told = f->delivered;
	f->told_ns = r->now_ns;
	return (uint64_t)use;
}
