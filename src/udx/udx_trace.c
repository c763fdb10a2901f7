/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "udx/stream.h"
#include "udx/stream_trace.h"

struct udx_trace {
	struct udx *udx;      /* borrowed */
	struct udx_stream *s; /* NULL: it was freed */
	uint64_t began_us;
	uint64_t dropped;
	uint32_t cap, head, len; /* of the ring; head: the oldest event */
	uint32_t seq_max;        /* one after the highest number sent */
	const char *state;       /* last recorded */
	uint16_t mtu;            /* last recorded, 0: none */
	struct udx_trace_event ring[];
};

/* ---- the ring ---- */

static struct udx_trace_event *
last_event(struct udx_trace *t)
{
	return t->len > 0 ? &t->ring[(t->head + t->len - 1) % t->cap] : NULL;
}

/* Appends an event of the time now, whose further members are the caller's to
 * set. Returns NULL if the ring is full. */
static struct udx_trace_event *
append_event(struct udx_trace *t, enum udx_trace_kind kind)
{
	struct stats *st = t->udx->core->stats;
	struct udx_trace_event *e;

	if (t->len == t->cap) {
		t->dropped++;
		st->trace_events_dropped++;
		return NULL;
	}
	st->trace_events++;
	t->len++;
	e = last_event(t);
	e->at_us = udx_trace_age_us(t);
	e->kind = kind;
	return e;
}

/* ---- what is recorded ---- */

static void
record_packet(struct udx_trace *t, enum udx_trace_kind kind,
    const struct udx_trace_packet *p)
{
	struct udx_trace_event *e = append_event(t, kind);

	if (e != NULL)
		e->packet = *p;
}

static struct udx_trace_packet
describe_packet(const struct packet *p, size_t size)
{
	size_t body = size - PACKET_HEADER - p->offset;
	bool has_ranges = (p->type & PACKET_SACK) != 0;

	return (struct udx_trace_packet){
	    .type = p->type,
	    .size = (uint16_t)size,
	    .len = has_ranges ? 0 : (uint16_t)body,
	    .ranges = has_ranges ? (uint16_t)(body / PACKET_RANGE) : 0,
	    .seq = p->seq,
	    .ack = p->ack,
	    .window = p->rwnd,
	};
}

void
trace_sent(struct udx_trace *t, const struct packet *p, size_t size)
{
	struct udx_trace_packet d = describe_packet(p, size);

	if ((p->type & (PACKET_DATA | PACKET_END)) != 0) {
		d.resent = seq_diff(p->seq, t->seq_max) < 0;
		if (!d.resent)
			t->seq_max = p->seq + 1;
	}
	record_packet(t, UDX_TRACE_SENT, &d);
}

void
trace_received(struct udx_trace *t, const struct packet *p, size_t size)
{
	struct udx_trace_packet d = describe_packet(p, size);

	/* Data may share its packet with ranges. */
	if ((p->type & PACKET_SACK) != 0) {
		d.len = (uint16_t)p->payload.len;
		d.ranges = (uint16_t)(p->sacks.len / PACKET_RANGE);
	}
	record_packet(t, UDX_TRACE_RECEIVED, &d);
}

void
trace_acked(struct udx_trace *t, uint32_t seq)
{
	struct udx_trace_event *e = last_event(t);
	struct udx_trace_acked *a;

	if (e == NULL || e->kind != UDX_TRACE_ACKED ||
	    e->at_us != udx_trace_age_us(t) ||
	    (e->acked.range[e->acked.len - 1].end != seq &&
		e->acked.len == UDX_TRACE_RANGES)) {
		e = append_event(t, UDX_TRACE_ACKED);
		if (e == NULL)
			return;
		e->acked.len = 0;
	}
	a = &e->acked;
	if (a->len == 0 || a->range[a->len - 1].end != seq)
		a->range[a->len++].start = seq;
	a->range[a->len - 1].end = seq + 1;
}

void
trace_lost(struct udx_trace *t, const struct udx_trace_lost *lost)
{
	struct udx_trace_event *e = append_event(t, UDX_TRACE_LOST);

	if (e != NULL)
		e->lost = *lost;
}

void
trace_timer(struct udx_trace *t, bool timeout)
{
	struct udx_trace_event *e = append_event(t, UDX_TRACE_TIMER);

	if (e != NULL)
		e->timeout = timeout;
}

void
trace_path(struct udx_trace *t)
{
	struct udx_trace_event *e = append_event(t, UDX_TRACE_PATH);

	if (e != NULL)
		e->remote = t->s->path.current.to;
}

static void
record_state(struct udx_trace *t)
{
	const char *now = cc_state_name(&t->s->cc);
	struct udx_trace_event *e;

	if (now == t->state)
		return;
	e = append_event(t, UDX_TRACE_STATE);
	if (e == NULL)
		return;
	e->state.from = t->state;
	e->state.to = now;
	t->state = now;
}

static void
record_mtu(struct udx_trace *t)
{
	struct udx_trace_event *e;

	if (t->s->mtu.size == t->mtu)
		return;
	e = append_event(t, UDX_TRACE_MTU);
	if (e == NULL)
		return;
	e->mtu.from = t->mtu;
	e->mtu.to = t->s->mtu.size;
	t->mtu = t->s->mtu.size;
}

void
trace_metrics(struct udx_trace *t)
{
	const struct loss *l = &t->s->loss;
	struct udx_trace_event *e;

	record_state(t);
	record_mtu(t);
	e = append_event(t, UDX_TRACE_METRICS);
	if (e == NULL)
		return;
	e->metrics = (struct udx_trace_metrics){
	    .cwnd = cc_window(&t->s->cc),
	    .in_flight = l->in_flight.bytes,
	    .rate = cc_rate(&t->s->cc),
	    .srtt_us = (uint32_t)l->rtt.srtt_us,
	    .rttvar_us = (uint32_t)l->rtt.rttvar_us,
	    .min_rtt_us = (uint32_t)l->rtt.min_us,
	    .latest_rtt_us = (uint32_t)l->rack.rtt_us,
	    .in_recovery = l->in_recovery,
	};
}

void
trace_closed(struct udx_trace *t, int err)
{
	struct udx_trace_event *e = append_event(t, UDX_TRACE_CLOSED);

	if (e != NULL)
		e->err = err;
}

void
trace_detach(struct udx_trace *t)
{
	t->s = NULL;
}

/* ---- life ---- */

static int
check_start(const struct udx_stream *s)
{
	if (stream_is_closed(s))
		return ERR_CLOSED;
	if (s->loss.trace != NULL)
		return ERR_EXISTS;
	if (s->udx->traces_len >= s->udx->core->limits->traces)
		return ERR_LIMIT;
	return 0;
}

struct udx_trace *
udx_trace_start(struct udx_stream *s, int *err)
{
	struct udx *u = s->udx;
	uint32_t cap = u->core->limits->trace_events;
	struct udx_trace *t;

	*err = check_start(s);
	if (*err != 0)
		return NULL;
	t = calloc(1, sizeof *t + cap * sizeof t->ring[0]);
	if (t == NULL) {
		*err = ERR_MEMORY;
		return NULL;
	}
	t->udx = u;
	t->s = s;
	t->cap = cap;
	t->began_us = u->core->world->now_us;
	t->seq_max = s->loss.in_flight.nxt;
	s->loss.trace = t;
	u->traces_len++;
	if (stream_path_is_set(&s->path)) {
		trace_path(t);
		trace_metrics(t);
	}
	return t;
}

void
udx_trace_stop(struct udx_trace *t)
{
	if (t->s != NULL)
		t->s->loss.trace = NULL;
	t->udx->traces_len--;
	free(t);
}

/* ---- reading ---- */

bool
udx_trace_next(struct udx_trace *t, struct udx_trace_event *out)
{
	if (t->len == 0)
		return false;
	*out = t->ring[t->head];
	t->head = (t->head + 1) % t->cap;
	t->len--;
	return true;
}

uint64_t
udx_trace_dropped(const struct udx_trace *t)
{
	return t->dropped;
}

bool
udx_trace_is_over(const struct udx_trace *t)
{
	return t->len == 0 && (t->s == NULL || stream_is_closed(t->s));
}

uint64_t
udx_trace_age_us(const struct udx_trace *t)
{
	return t->udx->core->world->now_us - t->began_us;
}
