/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes Protomux at both ends of one connection: a script opens, closes, sends
 * and delivers in any order. Two honest ends never break the connection, and a
 * channel delivers what was sent into it, in order. With the first bit set the
 * script also sends what no honest peer would; then only the limits are
 * checked.
 */
#include "base/err.h"
#include "base/wire.h"
#include "fuzz.h"
#include "stream/mux.h"
#include "stream/mux.h"

enum { NAMES = 5, IDS = MUX_CHANNELS_MAX + 1, STEPS = 8 };

/*
 * The contents of a message: which opening of a channel it belongs to, and how
 * many were sent before it.
 */
struct mark {
	uint32_t life, count;
};

struct end {
	struct mux *m;
	struct mark sent[IDS], got[IDS];
	bool open[IDS];       /* that this end may use */
	uint32_t offers[IDS]; /* not answered */
	uint8_t offer_names[IDS];
	uint32_t offers_len;
	bool stuck; /* in a forged message that is never repeated */
};

struct rig {
	struct end ends[2];
	uint32_t lives;
	bool lies; /* forged messages were delivered */
};

static struct mux_name
name_of(uint8_t i)
{
	static const uint8_t letters[NAMES] = "abcde";

	return (struct mux_name){{letters + i, 1}, {letters, i}};
}

static void
check_limits(const struct end *e)
{
	MUST(e->m->channels.len <= MUX_CHANNELS_MAX);
	MUST(e->m->queue.cost <= MUX_QUEUED_MAX);
	MUST(mux_writer_len(&e->m->writer) <= 2 * MUX_OUT_MAX);
	MUST(e->m->reader.depth <= MUX_DEPTH_MAX);
}

static void
do_open(struct rig *g, struct end *e, uint8_t which)
{
	struct mux_name name = name_of(which % NAMES);
	uint32_t id = 0, kept = 0;
	int err = mux_open(e->m, &name, (struct bytes){0}, &id);

	MUST(err == 0 || err == ERR_EXISTS || err == ERR_FULL ||
	     err == ERR_LIMIT || g->lies);
	if (err != 0)
		return;
	MUST(id > 0 && id < IDS && !e->open[id]);
	e->open[id] = true;
	e->sent[id] = (struct mark){++g->lives, 0};
	e->got[id] = (struct mark){0};
	/* It answers the oldest offer of that name. */
	for (uint32_t i = 0, found = 0; i < e->offers_len; i++) {
		if (!found && e->offer_names[i] == which % NAMES) {
			found = 1;
			continue;
		}
		e->offers[kept] = e->offers[i];
		e->offer_names[kept++] = e->offer_names[i];
	}
	e->offers_len = kept;
}

static void
do_close(struct end *e, uint8_t which)
{
	uint32_t id = which % IDS;

	mux_close(e->m, id);
	e->open[id] = false;
}

static void
do_reject(struct end *e)
{
	if (e->offers_len == 0)
		return;
	mux_reject(e->m, e->offers[--e->offers_len]);
}

static void
do_send(struct end *e, uint8_t which, uint16_t extra)
{
	static uint8_t buf[sizeof(struct mark) + UINT16_MAX];
	uint32_t id = which % IDS;
	int err;

	memcpy(buf, &e->sent[id], sizeof e->sent[id]);
	err = mux_send(e->m, id, 0, buf, sizeof(struct mark) + extra);
	MUST((err == ERR_UNKNOWN) == !e->open[id]);
	if (err == 0)
		e->sent[id].count++;
}

static void
take_offer(struct end *e, const struct mux_event *ev)
{
	uint8_t name;

	for (name = 0; name < NAMES; name++)
		if (ev->name.protocol.len == 1 &&
		    ev->name.protocol.p[0] == name_of(name).protocol.p[0] &&
		    ev->name.id.len == name)
			break;
	MUST(e->offers_len < IDS);
	e->offer_names[e->offers_len] = name;
	e->offers[e->offers_len++] = ev->channel;
}

static void
take_message(struct rig *g, struct end *e, const struct mux_event *ev)
{
	struct mark m, *got;

	MUST(ev->channel < IDS && e->open[ev->channel]);
	if (g->lies)
		return;
	got = &e->got[ev->channel];
	MUST(ev->body.len >= sizeof m && ev->type == 0);
	memcpy(&m, ev->body.p, sizeof m);
	if (got->life == 0)
		got->life = m.life;
	MUST(m.life == got->life && m.count == got->count);
	got->count++;
}

/* Reads a message as far as possible. Returns true if it is complete. */
static bool
read_message(struct rig *g, struct end *e, struct bytes message)
{
	struct mux_event ev;
	int result;

	while ((result = mux_read(e->m, message, &ev)) == MUX_EVENT) {
		check_limits(e);
		if (ev.kind == MUX_OFFER)
			take_offer(e, &ev);
		if (ev.kind == MUX_MESSAGE)
			take_message(g, e, &ev);
		if (ev.kind == MUX_CLOSED) {
			MUST(ev.channel < IDS && e->open[ev.channel]);
			e->open[ev.channel] = false;
		}
	}
	check_limits(e);
	MUST(result >= 0 || g->lies);
	return result != MUX_WAIT;
}

static void
do_carry(struct rig *g, int to, unsigned most)
{
	struct end *e = &g->ends[to], *from = &g->ends[1 - to];
	struct bytes message = mux_peek(from->m);

	for (; most > 0 && !e->stuck; most--) {
		if (!read_message(g, e, message) || message.p == NULL)
			return;
		mux_consume(from->m);
		message = mux_peek(from->m);
	}
}

static void
do_lie(struct rig *g, struct end *e, struct rd *r, size_t len)
{
	const uint8_t *p = rd_take(r, len);

	if (p == NULL || len == 0 || e->stuck || e->m->reader.started)
		return;
	g->lies = true;
	e->stuck = !read_message(g, e, (struct bytes){p, len});
}

static void
step(struct rig *g, struct rd *r, bool may_lie)
{
	uint8_t op = rd_u8(r), arg = rd_u8(r);
	int side = op >> 3 & 1;
	struct end *e = &g->ends[side];

	switch (op % STEPS) {
	case 0:
		do_open(g, e, arg);
		break;
	case 1:
		do_close(e, arg);
		break;
	case 2:
		do_reject(e);
		break;
	case 3:
		do_send(e, arg, 0);
		break;
	case 4:
		do_send(e, arg, (uint16_t)((op >> 4) * 1000u));
		break;
	case 5:
		do_carry(g, side, arg);
		break;
	case 6:
		do_carry(g, side, UINT32_MAX);
		break;
	case 7:
		if (may_lie)
			do_lie(g, e, r, arg);
		break;
	}
	check_limits(e);
}

/* All offers are answered, and all messages are received. */
static void
settle(struct rig *g)
{
	bool busy = true;

	for (int i = 0; i < 1000 && busy; i++) {
		for (int side = 0; side < 2; side++) {
			while (g->ends[side].offers_len > 0)
				do_reject(&g->ends[side]);
			do_carry(g, side, UINT32_MAX);
		}
		busy = mux_peek(g->ends[0].m).p != NULL ||
		       mux_peek(g->ends[1].m).p != NULL ||
		       g->ends[0].offers_len > 0 || g->ends[1].offers_len > 0;
	}
	for (int side = 0; side < 2; side++) {
		MUST(mux_peek(g->ends[side].m).p == NULL);
		MUST(g->ends[side].m->queue.cost == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig g;
	struct rd r = rd_init(data, size);
	bool may_lie = (rd_u8(&r) & 1) != 0;

	memset(&g, 0, sizeof g);
	for (int i = 0; i < 2; i++) {
		g.ends[i].m = mux_new();
		MUST(g.ends[i].m != NULL);
	}
	while (rd_ok(&r) && rd_left(&r) > 0)
		step(&g, &r, may_lie);
	if (!g.lies)
		settle(&g);
	for (int i = 0; i < 2; i++)
		mux_free(g.ends[i].m);
	return 0;
}
