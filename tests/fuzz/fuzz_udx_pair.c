/* SPDX-License-Identifier: ISC */
/*
 * Drives two connected streams by a script: what is written and read, what the
 * network does, when time passes, and which packets unknown sources send.
 *
 * Checks that the data received is the data sent, in order; that in the end all
 * of it has arrived or both sides have an error; that the state is consistent;
 * and that packets of unknown sources change nothing.
 *
 * A script is the seed and two bytes of limits, then steps: an opcode and its
 * operands. The high bit of an opcode selects the side.
 */
#include "base/err.h"
#include "fuzz.h"
#include "lab.h"
#include "udx/stream.h"
#include "udx/stream_timer.h"

enum step {
	STEP_TIME,
	STEP_WRITE,
	STEP_READ,
	STEP_END,
	STEP_LINK,
	STEP_MTU,
	STEP_MOVE,
	STEP_MESSAGE,
	STEP_BLOCK,
	STEP_UNKNOWN,
	STEP_SLEEP,
	STEP_FREE,
	STEP_KEEPALIVE,
	STEP_SOCKET_CLOSED,
	STEP_PROBE,
	STEPS,
};

enum { STEPS_MAX = 2000, HUGE_TIME_S = 900 };

struct side {
	struct lab_stream *s; /* NULL once freed */
	uint64_t written, read;
	bool ended;
};

struct pair {
	struct lab lab;
	struct side side[2];
	struct rd script;
};

/* ---- invariants ---- */

static void
check_flight(const struct udx_stream *s)
{
	const struct in_flight *f = &s->loss.in_flight;
	uint64_t bytes = 0, unacked = 0;
	uint32_t out = 0, lost = 0, sacked = 0;

	for (uint32_t seq = f->una; seq != f->nxt; seq++) {
		const struct sent_packet *p = in_flight_at(f, seq);

		if (p->state == SENT_IN_FLIGHT) {
			bytes += sent_packet_size(p);
			out++;
		}
		lost += p->state == SENT_LOST;
		sacked += p->state == SENT_SACKED;
		if (p->state != SENT_SACKED)
			unacked += p->len;
		MUST(p->pad == 0 || p->state != SENT_LOST);
	}
	MUST(f->out.len == out && f->lost.len == lost && f->sacked == sacked);
	MUST(f->bytes == bytes && f->unacked == unacked);
	MUST(f->sacked == 0 || in_flight_at(f, f->una)->state != SENT_SACKED);
}

/* Packets in flight are listed in the order of sending, each once. */
static void
check_order(const struct in_flight *f)
{
	uint32_t seq = f->out.first;
	uint64_t last_us = 0;

	for (uint32_t i = 0; i < f->out.len; i++) {
		const struct sent_packet *p = in_flight_at(f, seq);

		MUST(p->state == SENT_IN_FLIGHT && p->cc.sent_us >= last_us);
		last_us = p->cc.sent_us;
		MUST(i + 1 < f->out.len || seq == f->out.last);
		seq = p->next;
	}
}

static uint64_t
queued(const struct message_list *q)
{
	const struct queued_message *m = STAILQ_FIRST(q);
	uint64_t bytes = 0;

	for (; m != NULL; m = STAILQ_NEXT(m, link))
		bytes += sizeof *m + m->len;
	return bytes;
}

static uint64_t
held_by(const struct udx_stream *s)
{
	uint64_t held = receive_buffer_held(&s->receive.data) +
			reassembly_held(&s->receive.reassembly);

	for (const struct chunk *c = s->send.buffer.first; c != NULL;
	     c = c->next)
		held += c->cap;
	held += queued(&s->messages.in) + queued(&s->messages.out);
	if (s->messages.lent != NULL)
		held += sizeof *s->messages.lent + s->messages.lent->len;
	return held;
}

static void
check_stream(const struct udx_stream *s)
{
	uint64_t due = stream_timer_deadline(s);
	const struct receive_part *r = &s->receive;
	const struct reassembly *e = &r->reassembly;

	for (uint32_t i = 0; i < e->ranges_len; i++) {
		MUST(seq_diff(e->ranges[i].end, e->ranges[i].start) > 0);
		MUST(i == 0 ||
		     seq_diff(e->ranges[i].start, e->ranges[i - 1].end) > 0);
	}
	MUST(e->ranges_len == 0 || stream_is_closed(s) ||
	     r->state == RECEIVE_ENDED ||
	     seq_diff(e->ranges[0].start, r->next_seq) > 0);
	MUST(receive_buffer_cost(&r->data) + e->cost <=
	     2 * (uint64_t)r->window + 2 * DGRAM_MAX);
	if (stream_is_closed(s)) {
		MUST(s->sched.state == SCHED_IDLE && !timer_armed(&s->timer));
		return;
	}
	check_flight(s);
	check_order(&s->loss.in_flight);
	/* A timer waits for data in flight. */
	MUST(in_flight_len(&s->loss.in_flight) == 0 ||
	     s->sched.state != SCHED_IDLE || s->loss.due_us != WORLD_NEVER);
	/* A deadline that has passed is handled in the next wake-up. */
	MUST(due == WORLD_NEVER ||
	     (timer_armed(&s->timer) &&
		 (s->timer.due_us <= due ||
		     s->timer.due_us <= stream_now(s) + 1)));
}

static void
check(struct pair *t)
{
	for (int i = 0; i < 2; i++) {
		const struct side *a = &t->side[i], *b = &t->side[!i];
		struct udx *u = t->lab.end[i].udx;

		MUST(a->read <= b->written);
		if (a->s == NULL)
			continue;
		check_stream(a->s->s);
		MUST(udx_buffered(u) == held_by(a->s->s));
	}
}

/* ---- steps ---- */

static uint32_t
number(struct pair *t)
{
	uint8_t v = rd_u8(&t->script);

	/* Operands from 128 on are powers of two. */
	return v < 128 ? v : 1U << (v - 128) % 20;
}

static void
write_some(struct pair *t, struct side *a)
{
	size_t n = number(t);

	if (a->s != NULL && !a->ended)
		a->written += lab_write(a->s, a->written, n);
}

static void
read_some(struct side *a, size_t n)
{
	if (a->s != NULL)
		a->read += lab_read(a->s, a->read, n);
}

static void
end_side(struct side *a)
{
	if (a->s != NULL)
		udx_end(a->s->s);
	a->ended = true;
}

static void
set_link(struct pair *t)
{
	struct rd *r = &t->script;

	t->lab.link.delay_us = rd_u8(r) * 1000U;
	t->lab.link.jitter_us = rd_u8(r) * 200U;
	t->lab.link.loss_ppm = rd_u8(r) * 4000U;
	t->lab.link.double_ppm = rd_u8(r) * 1000U;
}

static void
move(struct pair *t, int i)
{
	uint8_t socks = rd_u8(&t->script);
	struct side *a = &t->side[i], *b = &t->side[!i];
	struct udx_path path;

	if (a->s == NULL || b->s == NULL)
		return;
	path = lab_path(
	    socks % LAB_SOCKS, !i, socks / LAB_SOCKS % LAB_SOCKS, b->s);
	(void)udx_migrate(a->s->s, &path);
}

static void
message(struct pair *t, struct side *a)
{
	static const uint8_t bytes[2000];
	struct udx_message m;
	size_t n = number(t) % sizeof bytes;

	if (a->s == NULL)
		return;
	(void)udx_send_message(a->s->s, bytes, n);
	while (udx_next_message(a->s->s, &m))
		MUST(m.payload.len <= DGRAM_MAX);
}

static void
block_end(struct pair *t, int i)
{
	uint32_t n = number(t);

	t->lab.end[i].takes = n;
	if (n == 0)
		lab_drain(&t->lab, i);
}

/* Injects any packet from an unknown source. */
static void
inject_unknown(struct pair *t, int i)
{
	struct rd *r = &t->script;
	struct addr from = addr_v4(6, 6, 6, rd_u8(r), 666);
	uint8_t buf[PACKET_HEADER + 64];
	size_t n = number(t) % 65;
	struct packet p = {.type = rd_u8(r), .offset = rd_u8(r)};
	const uint8_t *rest;

	if (t->side[i].s == NULL)
		return;
	p.id = udx_id(t->side[i].s->s);
	p.rwnd = number(t);
	p.seq = t->side[i].s->s->receive.next_seq + number(t) - 64;
	p.ack = t->side[i].s->s->loss.in_flight.una + number(t) - 64;
	packet_encode(buf, &p);
	rest = rd_take(r, n);
	if (rest == NULL)
		n = 0;
	else if (n > 0)
		memcpy(buf + PACKET_HEADER, rest, n);
	(void)lab_inject(&t->lab, i, 0, &from, buf, PACKET_HEADER + n);
}

static void
free_side(struct side *a)
{
	if (a->s != NULL)
		lab_stream_free(a->s);
	a->s = NULL;
}

static void
step(struct pair *t)
{
	uint8_t op = rd_u8(&t->script);
	int i = op >> 7;
	struct side *a = &t->side[i];

	switch ((op & 0x7f) % STEPS) {
	case STEP_TIME:
		lab_run(&t->lab, number(t) * LAB_MS);
		return;
	case STEP_WRITE:
		write_some(t, a);
		return;
	case STEP_READ:
		read_some(a, number(t));
		return;
	case STEP_END:
		end_side(a);
		return;
	case STEP_LINK:
		set_link(t);
		return;
	case STEP_MTU:
		t->lab.link.mtu = 1200 + 2 * (uint32_t)rd_u8(&t->script);
		return;
	case STEP_MOVE:
		move(t, i);
		return;
	case STEP_MESSAGE:
		message(t, a);
		return;
	case STEP_BLOCK:
		block_end(t, i);
		return;
	case STEP_UNKNOWN:
		inject_unknown(t, i);
		return;
	case STEP_SLEEP:
		udx_slept(t->lab.end[i].udx, number(t) * LAB_S);
		return;
	case STEP_FREE:
		free_side(a);
		return;
	case STEP_KEEPALIVE:
		if (a->s != NULL)
			udx_set_keepalive(a->s->s, 1000 + number(t));
		return;
	case STEP_SOCKET_CLOSED:
		udx_socket_closed(
		    t->lab.end[i].udx, rd_u8(&t->script) % LAB_SOCKS);
		return;
	case STEP_PROBE: {
		struct udx_path path = {.to = addr_v4(6, 6, 6, 6, 666)};

		if (a->s != NULL)
			udx_probe_path(a->s->s, &path);
		return;
	}
	}
}

/* ---- the end ---- */

/* Removes all faults of the network. */
static void
clear_faults(struct pair *t)
{
	t->lab.link = (struct lab_link){.delay_us = 5000};
	for (int i = 0; i < 2; i++) {
		t->lab.end[i].takes = 0;
		lab_drain(&t->lab, i);
		end_side(&t->side[i]);
		/* An idle side has to probe whether the other is alive. */
		if (t->side[i].s != NULL)
			udx_set_keepalive(t->side[i].s->s, 1000);
	}
}

/*
 * A side that closed without error has read all that was written, and all that
 * it wrote was read: where bytes are missing, both have an error. (If the last
 * acknowledgement is lost, one side alone has one.)
 */
static void
check_end(const struct pair *t, int i)
{
	const struct side *a = &t->side[i], *b = &t->side[!i];
	struct udx_status st;

	if (a->s == NULL)
		return;
	udx_status(a->s->s, &st);
	MUST(st.closed);
	if (st.err != 0)
		return;
	MUST(udx_ended(a->s->s) && a->read == b->written);
	MUST(b->s == NULL || b->read == a->written);
}

static void
finish(struct pair *t)
{
	uint64_t until = t->lab.lan.now_us + HUGE_TIME_S * LAB_S;

	clear_faults(t);
	lab_settle(&t->lab);
	do {
		check(t);
		read_some(&t->side[0], SIZE_MAX);
		read_some(&t->side[1], SIZE_MAX);
	} while (lab_step(&t->lab, until));
	check_end(t, 0);
	check_end(t, 1);
	/* No timer is armed any more. */
	for (int i = 0; i < 2; i++)
		MUST(
		    timers_deadline(&t->lab.end[i].host.timers) == WORLD_NEVER);
}

static void
start(struct pair *t)
{
	struct rd *r = &t->script;
	uint8_t kind = rd_u8(r);

	lab_init(&t->lab, rd_le16(r), 2);
	if (kind & 1)
		for (int i = 0; i < 2; i++) {
			t->lab.end[i].host.limits.stream_window_bytes = 65536;
			t->lab.end[i].host.limits.stream_send_bytes = 65536;
			t->lab.end[i].host.limits.stream_memory_bytes = 1 << 17;
		}
	for (int i = 0; i < 2; i++)
		t->side[i].s = lab_stream_new(&t->lab, i);
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < LAB_SOCKS; k++) {
			struct addr a = lab_addr(!i, k);

			udx_allow_source(t->side[i].s->s, &a);
		}
	lab_connect(t->side[0].s, 0, t->side[1].s, 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair t;

	t = (struct pair){.script = rd_init(data, size)};
	start(&t);
	for (int i = 0; i < STEPS_MAX && rd_left(&t.script) > 0; i++) {
		step(&t);
		lab_settle(&t.lab);
		check(&t);
	}
	finish(&t);
	free_side(&t.side[0]);
	free_side(&t.side[1]);
	lab_fini(&t.lab);
	return 0;
}
