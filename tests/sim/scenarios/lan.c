/* SPDX-License-Identifier: ISC */
/*
 * Two hosts in one network call each other. Its NAT does not reflect packets to
 * its own address, so that only the private addresses work; each host has a
 * firewall that admits replies, or none. In the end a host in another network,
 * with a private address of the same /24, calls as well: the listener must not
 * send to hosts of its own network for that. Nor does it send to a neighbour
 * whose key is not on its allow list.
 */
#include "base/err.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	CASES = 4, /* bit 0: firewall of the listener, bit 1: of the caller */
	OPEN_MS_MAX = 1000,
	DATAGRAMS = 60, /* of a dial that gets no answer, too */
	TURNS = 18,     /* both sides open every path at once */
};

static const char *const case_names[CASES] = {"no_firewall_ms",
    "firewall_of_listener_ms", "firewall_of_caller_ms", "two_firewalls_ms"};

struct lan_run {
	uint32_t watched; /* private address of the host elsewhere */
	uint32_t knocks;  /* datagrams of the listener to it */
	uint32_t open_ms;
	int err;
};

static struct lan_run lan;

static struct nat *
add_nat(struct sim *s)
{
	struct nat_config c = {.mapping = NAT_ENDPOINT_INDEPENDENT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_PRESERVING,
	    .timeout_s = 120,
	    .refresh_inbound = true};

	return sim_nat(s, &c, NULL);
}

static struct host *
join_behind(struct sim *s, struct nat *nat, bool has_firewall)
{
	struct nat_config c = {.filtering = NAT_ADDRESS_AND_PORT,
	    .timeout_s = 120,
	    .refresh_inbound = true,
	    .firewall = true};

	return sim_join(s, DHT_AUTO, has_firewall ? sim_nat(s, &c, nat) : nat);
}

/* Counts what the listener sends to the private address of a host elsewhere,
 * which may be that of a host in its own network. */
static size_t
count_knocks(
    struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	(void)s;
	(void)h;
	(void)buf;
	lan.knocks += to.ip == lan.watched;
	return len;
}

static void
over(struct sim *s, struct call *c)
{
	(void)s;
	lan.err = c->err;
	lan.open_ms = (uint32_t)((c->opened_us - c->started_us) / 1000);
}

static void
call(struct sim *s, struct host *from, struct host *to)
{
	struct call_spec spec = {
	    .to = to, .bytes = 1000, .done = over, .bound = {DATAGRAMS, TURNS}};

	if (call_start(from, &spec) != 0)
		sim_fail(s, "a call does not start");
	sim_quiesce(s);
}

static void
run_case(struct sim *s, struct dials *d, uint32_t number)
{
	struct nat *nat = add_nat(s);
	struct host *listener = join_behind(s, nat, number & 1);
	struct host *caller = join_behind(s, nat, number & 2);
	struct host *stranger = NULL;

	sim_run(s, SECONDS(5));
	dials_listen(d, listener);
	dials_wait(d, SECONDS(30));
	sim_run(s, SECONDS(10));
	call(s, caller, listener);
	report_add(&s->report, case_names[number], lan.open_ms);
	sim_expect(s, lan.err == 0 && lan.open_ms <= OPEN_MS_MAX, "%s: %s, %u",
	    case_names[number], err_name(lan.err), lan.open_ms);
	/* The third host of its network has an address that is unused here. */
	nat = add_nat(s);
	for (int i = 0; i < 3; i++)
		stranger = join_behind(s, nat, false);
	sim_run(s, SECONDS(5));
	lan.watched = stranger->ep.ip;
	listener->mangle = count_knocks;
	call(s, stranger, listener);
	sim_expect(
	    s, lan.err == 0, "the host elsewhere: %s", err_name(lan.err));
	sim_expect(s, lan.knocks == 0,
	    "%u datagrams to a host of the listener's network", lan.knocks);
}

/* A listener that admits one key: it opens its firewall to that caller, and
 * sends nothing to a neighbour with another key. */
static void
run_allow_list(struct sim *s)
{
	struct nat *nat = add_nat(s);
	struct host *listener = join_behind(s, nat, true);
	struct host *callers[2];

	for (int i = 0; i < 2; i++)
		callers[i] = join_behind(s, nat, true);
	sim_run(s, SECONDS(5));
	call_listen_for(listener, callers[0]->identity.public_key);
	sim_run(s, SECONDS(30));
	listener->mangle = count_knocks;
	for (int i = 0; i < 2; i++) {
		lan.watched = callers[i]->ep.ip;
		lan.knocks = 0;
		call(s, callers[i], listener);
		sim_expect(s, (lan.err == 0) == (i == 0), "caller %d: %s", i,
		    err_name(lan.err));
		sim_expect(s, (lan.knocks > 0) == (i == 0),
		    "caller %d: %u datagrams of the listener", i, lan.knocks);
	}
}

static void
run(struct sim *s)
{
	struct dials d;

	lan = (struct lan_run){0};
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 0);
	for (uint32_t i = 0; i < CASES; i++)
		run_case(s, &d, i);
	run_allow_list(s);
	dials_fini(&d);
}

const struct scenario scenario_lan = {
    .name = "lan",
    .text = "hosts of one network with and without firewalls call each other",
    .nodes = 30,
    .nodes_min = 20,
    .run = run,
};
