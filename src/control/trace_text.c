/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "control/trace_text.h"

/* A line that is being written. */
struct line_writer {
	char *out;
	size_t len;
};

static void add_text(struct line_writer *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends text, and drops what is too long: no event of the core is. */
static void
add_text(struct line_writer *w, const char *fmt, ...)
{
	size_t space = TRACE_TEXT_MAX - w->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->out + w->len, space, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->len += (size_t)n < space ? (size_t)n : space - 1;
}

/* Appends the bits of the type, joined by "+"; "ack" if none is set. */
static void
add_type(struct line_writer *w, uint8_t type)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} bits[] = {
	    {PACKET_DATA, "data"},
	    {PACKET_END, "end"},
	    {PACKET_SACK, "sack"},
	    {PACKET_MESSAGE, "message"},
	    {PACKET_DESTROY, "destroy"},
	    {PACKET_HEARTBEAT, "heartbeat"},
	};
	const char *join = "";

	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
		if ((type & bits[i].bit) == 0)
			continue;
		add_text(w, "%s%s", join, bits[i].name);
		join = "+";
	}
	if (*join == '\0')
		add_text(w, "ack");
}

static void
add_packet(
    struct line_writer *w, const char *way, const struct udx_trace_packet *p)
{
	add_text(w, "%s ", way);
	add_type(w, p->type);
	add_text(w, " seq=%u ack=%u len=%u size=%u window=%u", p->seq, p->ack,
	    p->len, p->size, p->window);
	if (p->ranges > 0)
		add_text(w, " ranges=%u", p->ranges);
	if (p->resent)
		add_text(w, " resent=1");
}

static void
add_acked(struct line_writer *w, const struct udx_trace_acked *a)
{
	add_text(w, "acked");
	for (uint32_t i = 0; i < a->len; i++)
		add_text(w, " %u-%u", a->range[i].start, a->range[i].end - 1);
}

static void
add_lost(struct line_writer *w, const struct udx_trace_lost *l)
{
	static const char *const reasons[] = {
	    [UDX_LOSS_REORDERING] = "reordering",
	    [UDX_LOSS_TIMEOUT] = "timeout",
	    [UDX_LOSS_PATH] = "path",
	};

	add_text(
	    w, "lost %s seq=%u size=%u", reasons[l->reason], l->seq, l->size);
	if (l->mtu_probe)
		add_text(w, " probe=1");
}

static void
add_metrics(struct line_writer *w, const struct udx_trace_metrics *m)
{
	add_text(w,
	    "metrics cwnd=%" PRIu64 " in_flight=%" PRIu64 " rate=%" PRIu64
	    " srtt_us=%u rttvar_us=%u min_rtt_us=%u latest_rtt_us=%u"
	    " recovery=%d",
	    m->cwnd, m->in_flight, m->rate, m->srtt_us, m->rttvar_us,
	    m->min_rtt_us, m->latest_rtt_us, m->in_recovery);
}

const char *
trace_text(const struct udx_trace_event *e, char out[TRACE_TEXT_MAX])
{
	struct line_writer w = {.out = out};
	char addr[ADDR_TEXT_MAX];

	add_text(&w, "%" PRIu64 " ", e->at_us);
	switch (e->kind) {
	case UDX_TRACE_SENT:
		add_packet(&w, "sent", &e->packet);
		break;
	case UDX_TRACE_RECEIVED:
		add_packet(&w, "received", &e->packet);
		break;
	case UDX_TRACE_ACKED:
		add_acked(&w, &e->acked);
		break;
	case UDX_TRACE_LOST:
		add_lost(&w, &e->lost);
		break;
	case UDX_TRACE_TIMER:
		add_text(&w, "timer %s", e->timeout ? "timeout" : "probe");
		break;
	case UDX_TRACE_METRICS:
		add_metrics(&w, &e->metrics);
		break;
	case UDX_TRACE_STATE:
		add_text(&w, "state %s", e->state.to);
		break;
	case UDX_TRACE_MTU:
		add_text(&w, "mtu %u", e->mtu.to);
		break;
	case UDX_TRACE_PATH:
		add_text(&w, "path %s", addr_format(&e->remote, addr));
		break;
	case UDX_TRACE_CLOSED:
		add_text(&w, "closed %s", err_name(e->err));
		break;
	}
	return out;
}
