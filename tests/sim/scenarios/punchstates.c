/* SPDX-License-Identifier: ISC */
/*
 * Disturbs each state of a call between two hosts behind boxes: the box of the
 * caller or of the callee restarts, or the node that has just forwarded between
 * them crashes. Mappings expire after 15 s, and an open call is idle for two
 * minutes. The call succeeds in each case; if the callee has lost all its
 * relays, a second one does.
 */
#include "records/record.h"
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum state { AT_HANDSHAKE, AT_ROUND, AT_PROBE, AT_OPEN, STATES };
enum event { CALLER_FORGETS, CALLEE_FORGETS, RELAY_DIES, EVENTS };

static const char *const state_names[STATES] = {
    "the handshake", "a round", "a probe", "an open call"};
static const char *const event_names[EVENTS] = {"the caller's box restarts",
    "the callee's box restarts", "a relay crashes"};

/* Numbers of kinds of box, caller and callee; see boxes.h. */
static const uint32_t pairs[][2] = {
    {18, 18}, {24, 24}, {21, 26}, {26, 21}, {24, 18}};

enum {
	PAIRS = sizeof pairs / sizeof *pairs,
	HOLD_SECONDS = 120,
};

struct trial {
	struct host *caller, *callee;
	enum state state;
	enum event event;
	struct host *relay; /* the last that forwarded to the callee */
	bool happened, open;
	uint32_t answered, failed, happenings;
};

static void
happen(struct sim *s, void *arg)
{
	struct trial *t = arg;

	(void)s;
	if (t->event == CALLER_FORGETS)
		nat_flush(t->caller->nat);
	if (t->event == CALLEE_FORGETS)
		nat_flush(t->callee->nat);
	if (t->event == RELAY_DIES && t->relay != NULL)
		host_crash(t->relay);
}

static void
happen_now(struct sim *s, struct trial *t)
{
	if (t->happened)
		return;
	t->happened = true;
	t->happenings++;
	sim_at(s, 0, happen, t);
}

/* Returns the state that a datagram for the callee shows; STATES: none. */
static enum state
state_of(struct trial *t, const struct net_packet *p)
{
	struct rpc_request m;
	struct host *h;

	if (p->src == &t->caller->ep && p->len == 1)
		return AT_PROBE;
	if (p->len == 0 || p->bytes[0] != RPC_REQUEST ||
	    p->src->kind != ENDPOINT_HOST ||
	    rpc_request_decode(&m, p->bytes, p->len) != 0 || m.internal)
		return STATES;
	if (m.command != CMD_PEER_HANDSHAKE && m.command != CMD_PEER_HOLEPUNCH)
		return STATES;
	h = container_of(p->src, struct host, ep);
	t->relay = h->role == DHT_PERSISTENT ? h : NULL;
	return m.command == CMD_PEER_HANDSHAKE ? AT_HANDSHAKE : AT_ROUND;
}

static void
watch(struct sim *s, const struct net_packet *p)
{
	struct trial *t = s->tap_state;

	if (p->dst == &t->callee->nat->ep && state_of(t, p) == t->state)
		happen_now(s, t);
}

static void
over(struct sim *s, struct call *c)
{
	struct trial *t = c->spec.arg;

	(void)s;
	if (c->err == 0)
		t->answered++;
	else
		t->failed++;
}

/* Waits until the call has been open for long enough. */
static void
wait_open(struct sim *s, struct trial *t)
{
	for (int i = 0; i < 60 && s->calls.open > 0; i++) {
		sim_run(s, MILLISECONDS(500));
		if (t->caller->calls != NULL && t->caller->calls->open)
			break;
	}
	if (t->state == AT_OPEN && t->caller->calls != NULL)
		happen_now(s, t);
}

static void
call(struct sim *s, struct trial *t)
{
	struct call_spec spec = {.to = t->callee,
	    .bytes = 100,
	    .hold_us = SECONDS(HOLD_SECONDS),
	    .done = over,
	    .arg = t};

	if (call_start(t->caller, &spec) != 0)
		sim_fail(s, "a call does not start");
	wait_open(s, t);
	sim_quiesce(s);
}

static struct host *
settle_in(struct sim *s, uint32_t kind)
{
	struct nat_config c = box_kind(kind);

	c.timeout_s = 15;
	return sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
}

static void
try(struct sim *s, struct dials *d, struct trial *t, uint32_t pair)
{
	t->happened = false;
	t->answered = t->failed = 0;
	t->relay = NULL;
	call(s, t);
	/*
	 * Its own nodes reach the callee again only after it has detected the
	 * change.
	 */
	if (t->event == CALLEE_FORGETS && t->answered == 0)
		call(s, t);
	sim_expect(s, t->answered > 0, "pair %u, %s at %s: not answered", pair,
	    event_names[t->event], state_names[t->state]);
	if (t->event == RELAY_DIES)
		sim_join(s, DHT_PERSISTENT, NULL);
	sim_run(s, MINUTES(1));
	dials_wait(d, SECONDS(30));
}

static void
run(struct sim *s)
{
	uint32_t happenings = 0, again = 0;
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 0);
	for (uint32_t i = 0; i < PAIRS && i < s->opt.amount; i++) {
		static struct trial t;

		t = (struct trial){.caller = settle_in(s, pairs[i][0]),
		    .callee = settle_in(s, pairs[i][1])};
		sim_run(s, SECONDS(5));
		dials_listen(&d, t.callee);
		dials_wait(&d, SECONDS(60));
		s->tap = watch;
		s->tap_state = &t;
		for (int n = 0; n < STATES * EVENTS; n++) {
			t.state = (enum state)(n / EVENTS);
			t.event = (enum event)(n % EVENTS);
			try(s, &d, &t, i);
			again += t.failed;
		}
		s->tap = NULL;
		happenings += t.happenings;
	}
	report_add(&s->report, "happenings", happenings);
	report_add(&s->report, "called_again", again);
	dials_fini(&d);
}

const struct scenario scenario_punchstates = {
    .name = "punchstates",
    .text = "boxes restart and relays crash in each state of a call",
    .nodes = 40,
    .amount = PAIRS,
    .nodes_min = 30,
    /* Some rounds of 256 probes each. */
    .bound = {1400, 180},
    .run = run,
};
