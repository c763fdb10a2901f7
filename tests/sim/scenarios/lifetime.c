/* SPDX-License-Identifier: ISC */
/*
 * Keys listen behind boxes with mappings that expire after 15 s, 30 s, 2
 * minutes or never, behind a firewall, and on public hosts. Each measures the
 * lifetime of its mapping and sends keep-alives as rarely as that permits.
 * Callers reach it all the time, and soon after its box has restarted.
 */
#include "dht/mapping.h"
#include "sim/calls.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum {
	KINDS = 6,
	EACH = 2, /* listeners of a kind */
	LISTENERS = KINDS * EACH,
	EARLY_S = 45, /* before anything is measured */
	LEARN_S = 400,
	AWAY_MAX_S = 25,
	FOREVER_S = 86400,
	NO_BOX_KEEP_S = 118,
	SAVES_KEEP_S =
	    20, /* keep-alive interval from which most packets are saved */
};

static const struct {
	const char *pings; /* a minute, in the report */
	uint32_t timeout_s, keep_s;
	bool firewall;
} kinds[KINDS] = {
    {"pings_15s", 15, 5, false},
    {"pings_30s", 30, 10, false},
    {"pings_120s", 120, 46, false},
    {"pings_forever", FOREVER_S, NO_BOX_KEEP_S, false},
    {"pings_firewall", 60, 22, true},
    {"pings_open", 0, 0, false},
};

struct lifetime_run {
	struct host *listeners[LISTENERS];
	uint32_t pings[LISTENERS];
	uint32_t asked, opened;
	uint64_t forgot_us, back_us[LISTENERS]; /* reached again, or 0 */
};

static uint32_t
outer_ip(const struct host *h)
{
	return h->nat != NULL && !h->nat->config.firewall ? h->nat->ep.ip
							  : h->ep.ip;
}

static void
count_pings(struct sim *s, const struct net_packet *p)
{
	struct lifetime_run *r = s->tap_state;
	struct rpc_request m;

	if (p->len == 0 || rpc_kind(p->bytes[0]) != RPC_REQUEST ||
	    rpc_request_decode(&m, p->bytes, p->len) != 0 || !m.internal ||
	    m.command != RPC_PING)
		return;
	for (uint32_t i = 0; i < LISTENERS; i++)
		r->pings[i] += outer_ip(r->listeners[i]) == p->from.ip;
}

static void
start(struct sim *s, struct lifetime_run *r)
{
	for (uint32_t i = 0; i < LISTENERS; i++) {
		uint32_t kind = i % KINDS;
		struct nat_config c = {
		    .mapping = (enum nat_rule)(i % 3),
		    .filtering = NAT_ADDRESS_AND_PORT,
		    .ports = (enum nat_ports)(i / KINDS),
		    .timeout_s = kinds[kind].timeout_s,
		    .firewall = kinds[kind].firewall,
		};

		r->listeners[i] = sim_join(
		    s, DHT_AUTO, c.timeout_s > 0 ? sim_nat(s, &c, NULL) : NULL);
	}
	sim_run(s, SECONDS(20));
	for (uint32_t i = 0; i < LISTENERS; i++)
		call_listen(r->listeners[i]);
	sim_run(s, SECONDS(10));
}

static void
on_called(struct sim *s, struct call *c)
{
	struct lifetime_run *r = c->spec.arg;

	(void)s;
	r->opened += c->open;
}

/* Counts the PINGs of a kind in a minute, while all receive calls. */
static void
watch(struct sim *s, struct lifetime_run *r, uint32_t seconds,
    uint32_t a_minute[KINDS])
{
	for (uint32_t i = 0; i < LISTENERS; i++)
		r->pings[i] = 0;
	for (uint32_t n = 0; n < seconds; n++) {
		struct call_spec spec = {.to = r->listeners[n % LISTENERS],
		    .done = on_called,
		    .arg = r};

		r->asked++;
		if (call_start(call_caller(s), &spec) != 0)
			sim_fail(s, "a call does not start");
		sim_run(s, SECONDS(1));
	}
	for (uint32_t k = 0; k < KINDS; k++) {
		a_minute[k] = 0;
		for (uint32_t i = k; i < LISTENERS; i += KINDS)
			a_minute[k] += r->pings[i] * 60 / seconds / EACH;
	}
}

/* Public hosts may not have found out yet, and measure as well. */
static bool
is_right(uint32_t kind, uint32_t keep_s)
{
	return keep_s == kinds[kind].keep_s ||
	       (kinds[kind].timeout_s == 0 && keep_s == NO_BOX_KEEP_S);
}

static void
check_learnt(struct sim *s, struct lifetime_run *r)
{
	for (uint32_t i = 0; i < LISTENERS; i++) {
		struct mapping *m =
		    dht_mapping(node_dht(r->listeners[i]->node));

		sim_expect(s, is_right(i % KINDS, m->keep_s),
		    "listener %u keeps alive every %u s, not %u", i, m->keep_s,
		    kinds[i % KINDS].keep_s);
	}
}

static void
boxes_forget(struct sim *s, struct lifetime_run *r)
{
	uint32_t worst = 0;

	for (uint32_t i = 0; i < s->nats_len; i++)
		nat_flush(s->nats[i]);
	r->forgot_us = s->now_us;
	for (uint32_t n = 0; n < AWAY_MAX_S * LISTENERS; n++) {
		struct call_spec spec = {.to = r->listeners[n % LISTENERS],
		    .done = call_first_open,
		    .arg = &r->back_us[n % LISTENERS]};

		if (r->back_us[n % LISTENERS] == 0)
			(void)call_start(call_caller(s), &spec);
		sim_run(s, SECONDS(1) / LISTENERS);
	}
	sim_run(s, SECONDS(35));
	for (uint32_t i = 0; i < LISTENERS; i++) {
		uint32_t away =
		    (uint32_t)((r->back_us[i] - r->forgot_us) / 1000);

		sim_expect(
		    s, r->back_us[i] != 0, "listener %u is unreachable", i);
		if (r->back_us[i] != 0 && away > worst)
			worst = away;
	}
	report_add(&s->report, "away_ms_worst", worst);
}

static void
run(struct sim *s)
{
	struct lifetime_run r = {.asked = 0};
	uint32_t early[KINDS], late[KINDS], before = 0, after = 0;

	/* The PINGs that are counted here are keep-alives. */
	s->no_health = true;
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	start(s, &r);
	s->tap_state = &r;
	s->tap = count_pings;
	watch(s, &r, EARLY_S, early);
	sim_run(s, SECONDS(LEARN_S));
	check_learnt(s, &r);
	watch(s, &r, s->opt.minutes * 60, late);
	s->tap = NULL;
	sim_run(s, SECONDS(35));
	report_add(&s->report, "calls", r.asked);
	report_add(&s->report, "calls_opened", r.opened);
	sim_expect(s, r.opened == r.asked, "%u of %u calls fail",
	    r.asked - r.opened, r.asked);
	for (uint32_t k = 0; k < KINDS; k++) {
		report_add(&s->report, kinds[k].pings, late[k]);
		before += early[k];
		after += late[k];
		/* To three relays, and from two sockets of the pool. */
		sim_expect(s,
		    kinds[k].keep_s == 0 ||
			late[k] <= 10 + (3 + 2) * 60 / kinds[k].keep_s,
		    "%s: %u", kinds[k].pings, late[k]);
		sim_expect(s,
		    kinds[k].keep_s < SAVES_KEEP_S || 4 * late[k] <= early[k],
		    "%s: %u instead of %u", kinds[k].pings, late[k], early[k]);
	}
	report_add(&s->report, "pings_early", before / KINDS);
	report_add(&s->report, "pings_late", after / KINDS);
	boxes_forget(s, &r);
	sim_quiesce(s);
}

const struct scenario scenario_lifetime = {
    .name = "lifetime",
    .text = "NAT mappings of all lifetimes: listeners measure them",
    .nodes = 60,
    .minutes = 15,
    .nodes_min = 30,
    .bound = {160, 24},
    .run = run,
};
