/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/lifetime.h"

/*
 * Idle trial: the steps of one idle time.
 *
 *	state	request			replied		timed out
 *	CONTACT	PING			SETTLE		the next node
 *	SETTLE	none, then VERIFY
 *	VERIFY	PING_NAT to own socket	IDLE		the next node
 *	IDLE	none, then CHECK
 *	CHECK	PING_NAT to own socket	ALIVE		LOCATE
 *	LOCATE	PING			CONFIRM		UNKNOWN
 *	CONFIRM	PING_NAT to asking one	EXPIRED		UNKNOWN
 *
 * If no node is left, the result is UNKNOWN. CONTACT and VERIFY are sent from
 *the trial's own socket, CHECK, LOCATE and CONFIRM from the node's ordinary
 *one. The timer starts the next step: it is armed in SETTLE and IDLE, at the
 *start and after a request that could not be sent; the other steps end with
 *their request.
 */
enum trial_state {
	TRIAL_CONTACT,
	TRIAL_SETTLE, /* lasts for STEADY_MS */
	TRIAL_VERIFY,
	TRIAL_IDLE,
	TRIAL_CHECK,
	TRIAL_LOCATE,
	TRIAL_CONFIRM,
	/* results */
	TRIAL_ALIVE,
	TRIAL_EXPIRED,
	TRIAL_UNKNOWN,
};

enum {
	/* Linux gives a mapping its full lifetime only after it has been used
	 * in both directions for more than two seconds, as those are that must
	 * be kept alive. */
	STEADY_MS = 2500,
	SENDS = 3,
	REPLY_MS = 1000,
	TRIED_MAX = 3,            /* nodes per trial */
	NODES_EXAMINED_MAX = 256, /* of a large routing table */
};

/* Just below the usual lifetimes of 15, 30, 60, 120, 180 and 300 s. */
static const uint16_t idle_times_s[LIFETIME_SOCKETS] = {
    10, 25, 55, 115, 175, 295};

struct idle_trial {
	struct lifetime *lifetime;
	uint32_t idle_s;
	enum trial_state state;
	struct socket_entry entry;
	struct addr tried[TRIED_MAX]; /* the last is in use */
	uint32_t tried_len;
	struct addr outer; /* of the socket, as that node sees it */
	uint64_t since_us; /* when the socket last sent a datagram */
	struct timer timer;
	struct request *request;
};

struct lifetime {
	struct socket_table *table;
	struct lifetime_listener sink;
	bool ending;
	uint32_t opened; /* trials that have a socket */
	struct idle_trial trials[LIFETIME_SOCKETS];
};

static void contact_next_node(struct idle_trial *s);
static void on_reply(void *owner, const struct dht_answer *a);
static void on_timer(struct timer *t);

static bool
is_over(const struct idle_trial *s)
{
	return s->state >= TRIAL_ALIVE;
}

static void
stop_trial(struct idle_trial *s)
{
	struct socket_table *t = s->lifetime->table;

	timer_disarm(t->core->timers, &s->timer);
	if (s->request != NULL)
		dht_cancel(t->dht, s->request);
}

static void
lifetime_free(struct lifetime *l)
{
	l->ending = true;
	for (uint32_t i = 0; i < l->opened; i++) {
		stop_trial(&l->trials[i]);
		socket_table_close(l->table, &l->trials[i].entry);
	}
	free(l);
}

void
lifetime_cancel(struct lifetime *l)
{
	lifetime_free(l);
}

/* ---- results ---- */

static struct lifetime_result
result_of(const struct lifetime *l)
{
	struct lifetime_result r = {0};

	for (uint32_t i = 0; i < LIFETIME_SOCKETS; i++) {
		const struct idle_trial *s = &l->trials[i];

		if (s->state == TRIAL_EXPIRED && r.at_most_s == 0)
			r.at_most_s = s->idle_s;
		/* A longer idle time that was survived is no evidence, see the
		 * header. */
		if (s->state == TRIAL_ALIVE && r.at_most_s == 0)
			r.at_least_s = s->idle_s;
		if (!is_over(s) && r.next_s == 0)
			r.next_s = s->idle_s;
	}
	r.known = r.at_least_s > 0 || r.at_most_s > 0;
	return r;
}

/* Ends a trial and reports the result. May free the measurement, so that the
 * caller must return at once. */
static void
end_trial(struct idle_trial *s, enum trial_state state)
{
	struct lifetime *l = s->lifetime;
	struct lifetime_listener sink = l->sink;
	struct lifetime_result r;

	s->state = state;
	for (uint32_t i = 0; i < LIFETIME_SOCKETS; i++) {
		struct idle_trial *longer = &l->trials[i];

		if (state != TRIAL_EXPIRED || is_over(longer) ||
		    longer->idle_s < s->idle_s)
			continue;
		longer->state = TRIAL_UNKNOWN;
		stop_trial(longer);
	}
	r = result_of(l);
	if (r.next_s == 0)
		lifetime_free(l);
	if (r.next_s == 0 || state == TRIAL_ALIVE)
		sink.event(sink.owner, &r);
}

/* ---- choice of nodes ---- */

static bool
was_tried(const struct idle_trial *s, const struct addr *a)
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
		const struct idle_trial *s = &l->trials[i];

		for (uint32_t j = 0; j < s->tried_len; j++)
			if (addr_same_prefix(&s->tried[j], a))
				return true;
	}
	return false;
}

/* Finds a node that was not tried yet, in another network than those of all
 * trials if possible. Returns false if none is left. */
static bool
choose_node(const struct idle_trial *s, struct addr *out)
{
	struct dht *d = s->lifetime->table->dht;
	uint32_t cursor = 0;
	bool any = false;
	struct dht_node n;

	for (uint32_t i = 0;
	     i < NODES_EXAMINED_MAX && dht_next_node(d, &cursor, &n); i++) {
		bool near = is_near_others(s->lifetime, &n.addr);

		if (was_tried(s, &n.addr) || (near && any))
			continue;
		*out = n.addr;
		any = true;
		if (!near)
			break;
	}
	return any;
}

/* ---- requests ---- */

static const struct addr *
trial_node(const struct idle_trial *s)
{
	return &s->tried[s->tried_len - 1];
}

/* Sends a PING (port 0), or a PING_NAT that requests the reply at that port of
 * our outer host. */
static void
ping_node(struct idle_trial *s, enum trial_state state, int sock, uint16_t port)
{
	uint8_t value[2];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = *trial_node(s),
	    .internal = true,
	    .command = port == 0 ? RPC_PING : RPC_PING_NAT,
	    .value = {value, port == 0 ? 0 : sizeof value},
	    .sends = SENDS,
	    .timeout_ms = REPLY_MS,
	};
	struct dht_done done = {.call = on_reply, .owner = s};

	wr_le16(&w, port);
	s->state = state;
	if (dht_call_from(
		s->lifetime->table->dht, sock, &c, done, &s->request) != 0) {
		s->request = NULL;
		/* No datagram was sent, so the result is unknown. End the trial
		 * from the timer, as this may free the measurement. */
		timer_arm(s->lifetime->table->core->timers, &s->timer,
		    s->lifetime->table->core->world->now_us);
	}
}

static void
contact_next_node(struct idle_trial *s)
{
	struct addr node;

	if (s->tried_len == TRIED_MAX || !choose_node(s, &node)) {
		end_trial(s, TRIAL_UNKNOWN);
		return;
	}
	s->tried[s->tried_len++] = node;
	ping_node(s, TRIAL_CONTACT, s->entry.sock, 0);
}

static void
wait_until(struct idle_trial *s, enum trial_state state, uint64_t due_us)
{
	s->state = state;
	timer_arm(s->lifetime->table->core->timers, &s->timer, due_us);
}

/* Stores the address of our socket that the node reports. */
static void
handle_contact_reply(struct idle_trial *s, const struct dht_answer *a)
{
	const struct addr *us = &a->reply->to;

	/* The node reports a useless address, to which it cannot send. */
	if (!addr_usable(us)) {
		contact_next_node(s);
		return;
	}
	s->outer = *us;
	wait_until(s, TRIAL_SETTLE,
	    s->lifetime->table->core->world->now_us +
		STEADY_MS * UINT64_C(1000));
}

static void
handle_verify_reply(struct idle_trial *s, const struct dht_answer *a)
{
	if (a->sock != s->entry.sock) {
		contact_next_node(s);
		return;
	}
	s->since_us = s->lifetime->table->core->world->now_us - a->rtt_us;
	wait_until(s, TRIAL_IDLE, s->since_us + s->idle_s * UINT64_C(1000000));
}

/* If the NAT has several outer hosts, the missing reply went to another one. */
static void
handle_locate_reply(struct idle_trial *s, const struct dht_answer *a)
{
	if (addr_usable(&a->reply->to) &&
	    addr_same_host(&a->reply->to, &s->outer))
		ping_node(s, TRIAL_CONFIRM, dht_socket(s->lifetime->table->dht),
		    a->reply->to.port);
	else
		end_trial(s, TRIAL_UNKNOWN);
}

static void
handle_reply(struct idle_trial *s, const struct dht_answer *a)
{
	switch (s->state) {
	case TRIAL_CONTACT:
		handle_contact_reply(s, a);
		break;
	case TRIAL_VERIFY:
		handle_verify_reply(s, a);
		break;
	case TRIAL_CHECK:
		end_trial(
		    s, a->sock == s->entry.sock ? TRIAL_ALIVE : TRIAL_UNKNOWN);
		break;
	case TRIAL_LOCATE:
		handle_locate_reply(s, a);
		break;
	case TRIAL_CONFIRM:
		end_trial(s,
		    a->sock == s->entry.sock ? TRIAL_UNKNOWN : TRIAL_EXPIRED);
		break;
	default:
		break;
	}
}

static void
handle_timeout(struct idle_trial *s)
{
	switch (s->state) {
	case TRIAL_CONTACT:
	case TRIAL_VERIFY:
		contact_next_node(s);
		break;
	case TRIAL_CHECK:
		ping_node(
		    s, TRIAL_LOCATE, dht_socket(s->lifetime->table->dht), 0);
		break;
	default:
		end_trial(s, TRIAL_UNKNOWN);
		break;
	}
}

static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct idle_trial *s = owner;

	s->request = NULL;
	if (s->lifetime->ending || is_over(s))
		return;
	if (a->err == 0)
		handle_reply(s, a);
	else if (a->err == ERR_TIMEOUT)
		handle_timeout(s);
	else
		end_trial(s, TRIAL_UNKNOWN);
}

static void
on_timer(struct timer *t)
{
	struct idle_trial *s = container_of(t, struct idle_trial, timer);

	if (s->tried_len == 0)
		contact_next_node(s);
	else if (s->state == TRIAL_SETTLE)
		ping_node(s, TRIAL_VERIFY, s->entry.sock, s->outer.port);
	else if (s->state == TRIAL_IDLE)
		ping_node(s, TRIAL_CHECK, dht_socket(s->lifetime->table->dht),
		    s->outer.port);
	else
		end_trial(s, TRIAL_UNKNOWN);
}

/* ---- creation ---- */

struct lifetime *
lifetime_start(struct socket_table *t, struct lifetime_listener sink, int *err)
{
	struct lifetime *l = calloc(1, sizeof *l);
	struct dht_node n;
	uint16_t port;

	*err = ERR_MEMORY;
	if (l == NULL)
		return NULL;
	l->table = t;
	l->sink = sink;
	*err = dht_next_node(t->dht, &(uint32_t){0}, &n) ? 0 : ERR_UNREACHABLE;
	while (*err == 0 && l->opened < LIFETIME_SOCKETS) {
		struct idle_trial *s = &l->trials[l->opened];

		s->lifetime = l;
		s->idle_s = idle_times_s[l->opened];
		s->timer.fire = on_timer;
		*err = socket_table_open(t, &s->entry, &port);
		if (*err != 0)
			break;
		l->opened++;
		timer_arm(t->core->timers, &s->timer, t->core->world->now_us);
	}
	if (*err != 0) {
		lifetime_free(l);
		return NULL;
	}
	return l;
}
