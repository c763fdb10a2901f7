/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"
#include "punch/lifetime.h"

/*
 * A silence, and what each question comes to:
 *
 *	state	asks		answered		nothing comes
 *	MEETS	the node	PAUSES			another node
 *	PAUSES	nobody, then TRIES
 *	TRIES	for our socket	SILENT			another node
 *	SILENT	nobody, then ASKS
 *	ASKS	for our socket	LIVED			SEEN
 *	SEEN	the node	WORD			UNKNOWN
 *	WORD	for the asking	DIED			UNKNOWN
 *
 * Without another node it is UNKNOWN as well. MEETS and TRIES leave from its
 * own socket, ASKS, SEEN and WORD from that of the node's other requests. One
 * timer, armed in PAUSES and SILENT; all other states end with their request.
 */
enum silence_state {
	SILENCE_MEETS,
	SILENCE_PAUSES, /* see STEADY_MS */
	SILENCE_TRIES,
	SILENCE_SILENT,
	SILENCE_ASKS,
	SILENCE_SEEN,
	SILENCE_WORD,
	/* the end */
	SILENCE_LIVED,
	SILENCE_DIED,
	SILENCE_UNKNOWN,
};

enum {
	/* Linux gives a mapping that has been used in both directions for more
	 * than two seconds its full lifetime, others less: what is to be kept
	 * alive is of the first kind. */
	STEADY_MS = 2500,
	SENDS = 3,
	ANSWER_MS = 1000,
	TRIED_MAX = 3,       /* nodes for each silence */
	LOOKED_AT_MAX = 256, /* nodes of a large table */
};

/* Just below what NATs are known to have: 15, 30, 60, 120, 180 and 300 s. */
static const uint16_t lengths_s[LIFETIME_SOCKETS] = {10, 25, 55, 115, 175, 295};

struct silence {
	struct lifetime *of;
	uint32_t length_s;
	enum silence_state state;
	struct hole hole;
	struct addr tried[TRIED_MAX]; /* the last is the one */
	uint32_t tried_len;
	struct addr outer; /* as that one saw the socket */
	uint64_t since_us; /* of the last datagram that left from it */
	struct timer timer;
	struct request *request;
};

struct lifetime {
	struct punch *room;
	struct lifetime_sink sink;
	bool ending;
	uint32_t opened; /* silences that have a socket */
	struct silence silences[LIFETIME_SOCKETS];
};

static void meet(struct silence *s);
static void on_answer(void *owner, const struct dht_answer *a);
static void on_timer(struct timer *t);

static bool
is_over(const struct silence *s)
{
	return s->state >= SILENCE_LIVED;
}

static void
silence_stop(struct silence *s)
{
	struct punch *p = s->of->room;

	timer_disarm(p->core->timers, &s->timer);
	if (s->request != NULL)
		dht_cancel(p->d, s->request);
}

static void
lifetime_free(struct lifetime *l)
{
	l->ending = true;
	for (uint32_t i = 0; i < l->opened; i++) {
		silence_stop(&l->silences[i]);
		room_close_hole(l->room, &l->silences[i].hole);
	}
	free(l);
}

void
lifetime_cancel(struct lifetime *l)
{
	lifetime_free(l);
}

/* ---- what has come of it ---- */

static struct lifetime_result
result_of(const struct lifetime *l)
{
	struct lifetime_result r = {0};

	for (uint32_t i = 0; i < LIFETIME_SOCKETS; i++) {
		const struct silence *s = &l->silences[i];

		if (s->state == SILENCE_DIED && r.at_most_s == 0)
			r.at_most_s = s->length_s;
		/* Whatever was outlived later says nothing: see the header. */
		if (s->state == SILENCE_LIVED && r.at_most_s == 0)
			r.at_least_s = s->length_s;
		if (!is_over(s) && r.next_s == 0)
			r.next_s = s->length_s;
	}
	r.known = r.at_least_s > 0 || r.at_most_s > 0;
	return r;
}

/* The last thing that its caller does: the measurement may be gone. */
static void
silence_end(struct silence *s, enum silence_state state)
{
	struct lifetime *l = s->of;
	struct lifetime_sink sink = l->sink;
	struct lifetime_result r;

	s->state = state;
	for (uint32_t i = 0; i < LIFETIME_SOCKETS; i++) {
		struct silence *longer = &l->silences[i];

		if (state != SILENCE_DIED || is_over(longer) ||
		    longer->length_s < s->length_s)
			continue;
		longer->state = SILENCE_UNKNOWN;
		silence_stop(longer);
	}
	r = result_of(l);
	if (r.next_s == 0)
		lifetime_free(l);
	if (r.next_s == 0 || state == SILENCE_LIVED)
		sink.event(sink.owner, &r);
}

/* ---- whom to ask ---- */

static bool
was_tried(const struct silence *s, const struct addr *a)
{
	for (uint32_t i = 0; i < s->tried_len; i++)
		if (addr_equal(&s->tried[i], a))
			return true;
	return false;
}

static bool
is_near_others(const struct lifetime *l, const struct addr *a)
{
	for (uint32_t i = 0; i < LIFETIME_SOCKETS; i++) {
		const struct silence *s = &l->silences[i];

		for (uint32_t j = 0; j < s->tried_len; j++)
			if (addr_same_prefix(&s->tried[j], a))
				return true;
	}
	return false;
}

/* In another network than all others, if there is one. */
static bool
choose(const struct silence *s, struct addr *out)
{
	struct dht *d = s->of->room->d;
	uint32_t cursor = 0;
	bool any = false;
	struct dht_node n;

	for (uint32_t i = 0; i < LOOKED_AT_MAX && dht_next_node(d, &cursor, &n);
	     i++) {
		bool near = is_near_others(s->of, &n.addr);

		if (was_tried(s, &n.addr) || (near && any))
			continue;
		*out = n.addr;
		any = true;
		if (!near)
			break;
	}
	return any;
}

/* ---- questions ---- */

static const struct addr *
node_of(const struct silence *s)
{
	return &s->tried[s->tried_len - 1];
}

/* port 0: a PING; else the answer is to go to that port of our outer host. */
static void
ask(struct silence *s, enum silence_state state, int sock, uint16_t port)
{
	uint8_t value[2];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = *node_of(s),
	    .internal = true,
	    .command = port == 0 ? RPC_PING : RPC_PING_NAT,
	    .value = {value, port == 0 ? 0 : sizeof value},
	    .sends = SENDS,
	    .timeout_ms = ANSWER_MS,
	};
	struct dht_done done = {.call = on_answer, .owner = s};

	wr_le16(&w, port);
	s->state = state;
	if (dht_call_from(s->of->room->d, sock, &c, done, &s->request) != 0) {
		s->request = NULL;
		/* Nothing was said, so nothing can be concluded; not here, as
		 * the end of a silence may be that of all. */
		timer_arm(s->of->room->core->timers, &s->timer,
		    s->of->room->core->world->now_us);
	}
}

static void
meet(struct silence *s)
{
	struct addr node;

	if (s->tried_len == TRIED_MAX || !choose(s, &node)) {
		silence_end(s, SILENCE_UNKNOWN);
		return;
	}
	s->tried[s->tried_len++] = node;
	ask(s, SILENCE_MEETS, s->hole.sock, 0);
}

static void
wait_until(struct silence *s, enum silence_state state, uint64_t due_us)
{
	s->state = state;
	timer_arm(s->of->room->core->timers, &s->timer, due_us);
}

/* The node has answered our own socket's question. */
static void
met(struct silence *s, const struct dht_answer *a)
{
	const struct addr *us = &a->reply->to;

	/* What it says is not worth a try, or not where it sent to. */
	if (!addr_usable(us)) {
		meet(s);
		return;
	}
	s->outer = *us;
	wait_until(s, SILENCE_PAUSES,
	    s->of->room->core->world->now_us + STEADY_MS * UINT64_C(1000));
}

static void
tried(struct silence *s, const struct dht_answer *a)
{
	if (a->sock != s->hole.sock) {
		meet(s);
		return;
	}
	s->since_us = s->of->room->core->world->now_us - a->rtt_us;
	wait_until(
	    s, SILENCE_SILENT, s->since_us + s->length_s * UINT64_C(1000000));
}

/* Where a NAT has several outer hosts, the answer went to another one. */
static void
seen(struct silence *s, const struct dht_answer *a)
{
	if (addr_usable(&a->reply->to) &&
	    addr_same_host(&a->reply->to, &s->outer))
		ask(s, SILENCE_WORD, dht_socket(s->of->room->d),
		    a->reply->to.port);
	else
		silence_end(s, SILENCE_UNKNOWN);
}

static void
answered(struct silence *s, const struct dht_answer *a)
{
	switch (s->state) {
	case SILENCE_MEETS:
		met(s, a);
		break;
	case SILENCE_TRIES:
		tried(s, a);
		break;
	case SILENCE_ASKS:
		silence_end(s,
		    a->sock == s->hole.sock ? SILENCE_LIVED : SILENCE_UNKNOWN);
		break;
	case SILENCE_SEEN:
		seen(s, a);
		break;
	case SILENCE_WORD:
		silence_end(s,
		    a->sock == s->hole.sock ? SILENCE_UNKNOWN : SILENCE_DIED);
		break;
	default:
		break;
	}
}

static void
unanswered(struct silence *s)
{
	switch (s->state) {
	case SILENCE_MEETS:
	case SILENCE_TRIES:
		meet(s);
		break;
	case SILENCE_ASKS:
		ask(s, SILENCE_SEEN, dht_socket(s->of->room->d), 0);
		break;
	default:
		silence_end(s, SILENCE_UNKNOWN);
		break;
	}
}

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct silence *s = owner;

	s->request = NULL;
	if (s->of->ending || is_over(s))
		return;
	if (a->err == 0)
		answered(s, a);
	else if (a->err == ERR_TIMEOUT)
		unanswered(s);
	else
		silence_end(s, SILENCE_UNKNOWN);
}

static void
on_timer(struct timer *t)
{
	struct silence *s = container_of(t, struct silence, timer);

	if (s->tried_len == 0)
		meet(s);
	else if (s->state == SILENCE_PAUSES)
		ask(s, SILENCE_TRIES, s->hole.sock, s->outer.port);
	else if (s->state == SILENCE_SILENT)
		ask(s, SILENCE_ASKS, dht_socket(s->of->room->d), s->outer.port);
	else
		silence_end(s, SILENCE_UNKNOWN);
}

/* ---- life ---- */

struct lifetime *
lifetime_start(struct punch *p, struct lifetime_sink sink, int *err)
{
	struct lifetime *l = calloc(1, sizeof *l);
	struct dht_node n;
	uint16_t port;

	*err = ERR_MEMORY;
	if (l == NULL)
		return NULL;
	l->room = p;
	l->sink = sink;
	*err = dht_next_node(p->d, &(uint32_t){0}, &n) ? 0 : ERR_UNREACHABLE;
	while (*err == 0 && l->opened < LIFETIME_SOCKETS) {
		struct silence *s = &l->silences[l->opened];

		s->of = l;
		s->length_s = lengths_s[l->opened];
		s->timer.fire = on_timer;
		*err = room_open_hole(p, &s->hole, &port);
		if (*err != 0)
			break;
		l->opened++;
		*err = timer_arm(
		    p->core->timers, &s->timer, p->core->world->now_us);
	}
	if (*err != 0) {
		lifetime_free(l);
		return NULL;
	}
	return l;
}
