/* SPDX-License-Identifier: ISC */
/*
 * A public core, and behind it every kind of box: mappings drift as boxes
 * restart. Unreachable nodes must not become persistent and must not enter a
 * table; reachable ones may. All nodes find what is announced, and a node whose
 * address changes detects it.
 */
#include "sim/scenario.h"
#include "sim/work.h"

enum { KINDS = 3 * 3 * 3 };

/* Returns a pair of rules and a way to choose ports by number. */
static struct nat_config
box_config(uint32_t i)
{
	return (struct nat_config){
	    .mapping = (enum nat_rule)(i % 3),
	    .filtering = (enum nat_rule)(i / 3 % 3),
	    .ports = (enum nat_ports)(i / 9 % 3),
	    .timeout_s = i % 2 == 0 ? 30 : 120,
	    .refresh_inbound = i % 4 < 2,
	    .hairpin = i % 5 < 2,
	};
}

static void
homes_start(struct sim *s)
{
	struct nat_config wall = {.filtering = NAT_ADDRESS_AND_PORT,
	    .timeout_s = 60,
	    .firewall = true};

	for (uint32_t i = 0; i < KINDS; i++) {
		struct nat_config c = box_config(i);
		struct nat *box = sim_nat(s, &c, NULL);

		/*
		 * Some boxes have two nodes, some nodes are behind two boxes.
		 */
		sim_join(s, DHT_AUTO, box);
		if (i % 3 == 0)
			sim_join(s, DHT_AUTO, box);
		if (i % 4 == 0)
			sim_join(s, DHT_AUTO, sim_nat(s, &c, box));
		sim_run(s, SECONDS(2));
	}
	sim_join(s, DHT_AUTO, sim_nat(s, &wall, NULL));
}

/* Returns whether any host can reach its server's port. */
static bool
reachable(const struct host *h)
{
	const struct nat_config *c;

	if (h->nat == NULL)
		return true;
	c = &h->nat->config;
	return !c->firewall && h->nat->outer == NULL &&
	       c->filtering == NAT_ENDPOINT_INDEPENDENT &&
	       c->mapping == NAT_ENDPOINT_INDEPENDENT &&
	       c->ports == NAT_PRESERVING;
}

static uint32_t
count_persistent(struct sim *s, bool can_be_reached)
{
	uint32_t n = 0;

	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i++) {
		struct host *h = s->hosts[i];
		struct dht_status st;

		if (h->role != DHT_AUTO || reachable(h) != can_be_reached)
			continue;
		dht_status(node_dht(h->node), &st);
		n += !st.ephemeral;
	}
	return n;
}

static void
check_tables(struct sim *s)
{
	for (uint32_t i = 0; i < s->hosts_len; i++) {
		uint32_t cursor = 0;
		struct dht_node n;

		while (
		    dht_next_node(node_dht(s->hosts[i]->node), &cursor, &n)) {
			struct endpoint *e =
			    net_owner(&s->net, addr_spot(&n.addr).ip);
			struct nat *box;

			if (e->kind != ENDPOINT_NAT)
				continue;
			box = container_of(e, struct nat, ep);
			sim_expect(s,
			    box->config.filtering == NAT_ENDPOINT_INDEPENDENT,
			    "host %u has an unreachable node in its table", i);
		}
	}
}

static void
drift(struct sim *s, void *arg)
{
	(void)arg;
	nat_flush(s->nats[prng_below(&s->rand, s->nats_len)]);
}

/* Returns whether it reports its own address correctly. */
static bool
knows_address(const struct host *h)
{
	const struct addr *a = dht_public_address(node_dht(h->node));

	return a != NULL && addr_spot(a).ip == h->ep.ip;
}

static void
movers_move(struct sim *s)
{
	uint32_t first = SIM_BOOTSTRAPS, n = 5, know = 0;

	for (uint32_t i = first; i < first + n; i++)
		host_move(s->hosts[i]);
	sim_run(s, MINUTES(15));
	for (uint32_t i = first; i < first + n; i++)
		know += knows_address(s->hosts[i]);
	report_add(&s->report, "moved_know_address", know);
	sim_expect(
	    s, know == n, "only %u of %u detected their new address", know, n);
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint32_t bad, good, public_autos = 5;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	for (uint32_t i = 0; i < public_autos; i++)
		sim_join(s, DHT_AUTO, NULL);
	homes_start(s);
	sim_every(s, SECONDS(5), drift, NULL);
	sim_run(s, MINUTES(s->opt.minutes));
	bad = count_persistent(s, false);
	good = count_persistent(s, true);
	report_add(&s->report, "promoted_unreachable", bad);
	report_add(&s->report, "promoted_reachable", good);
	sim_expect(
	    s, bad == 0, "%u became persistent and are unreachable", bad);
	sim_expect(s, good >= public_autos,
	    "only %u were promoted, %u are public", good, public_autos);
	check_tables(s);
	movers_move(s);
	work_topics(&w, s, 30);
	work_lookups(&w, &t, 500, MINUTES(10));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99000, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_natdrift = {
    .name = "natdrift",
    .text = "27 kinds of NAT that restart, a firewall, moving hosts",
    .nodes = 60,
    .minutes = 90,
    .nodes_min = 30,
    .run = run,
};
