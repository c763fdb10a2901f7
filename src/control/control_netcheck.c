/* SPDX-License-Identifier: ISC */
#include "control/control_client.h"
#include "dht/mapping.h"
#include "punch/netcheck.h"

static const char *
mapping_name(const struct netcheck_result *r, bool open)
{
	static const char *const names[] = {
	    [NAT_TYPE_UNKNOWN] = "unknown",
	    [NAT_TYPE_OPEN] = "open",
	    [NAT_TYPE_CONSISTENT] = "consistent",
	    [NAT_TYPE_RANDOM] = "random",
	};

	return names[open ? NAT_TYPE_OPEN : r->nat_type];
}

static const char *
filtering_name(const struct netcheck_result *r)
{
	static const char *const names[] = {
	    [FILTERING_UNKNOWN] = "unknown",
	    [FILTERING_NONE] = "none",
	    [FILTERING_HOST] = "host",
	    [FILTERING_PORT] = "port",
	};

	return names[r->filtering];
}

/* What it means, for a person who would rather not know the rest. */
static const char *
advice(const struct netcheck_result *r, bool open)
{
	if (!r->udp)
		return "no node has answered: UDP does not get through here, or"
		       " the bootstrap nodes are down; without UDP nobody can"
		       " be reached";
	if (open)
		return "anybody reaches this node directly";
	switch (r->nat_type) {
	case NAT_TYPE_OPEN:
	case NAT_TYPE_CONSISTENT:
		if (r->filtering == FILTERING_NONE ||
		    r->filtering == FILTERING_HOST)
			return "direct connections work with every peer, and"
			       " at once";
		return "direct connections work; with a peer whose NAT"
		       " chooses ports at random they may take some seconds";
	case NAT_TYPE_RANDOM:
		if (r->step != 0)
			return "the NAT hands out ports one after the other,"
			       " which can be foreseen: direct connections"
			       " work with most peers";
		return "the NAT takes another port for each destination:"
		       " direct connections may take some seconds, and fail"
		       " where the peer's NAT does the same; if the router is"
		       " yours, forward a UDP port to this machine";
	case NAT_TYPE_UNKNOWN:
		break;
	}
	return "too few nodes have answered to tell";
}

static json_t *
addresses(const struct netcheck_result *r)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (uint8_t i = 0; i < r->addrs_len; i++)
		json_array_append_new(
		    list, json_string(addr_format(&r->addrs[i], text)));
	return list;
}

static json_t *
ipv6_addresses(const struct node *n)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];
	const struct addr *a;

	for (uint32_t i = 0; (a = node_ipv6(n, i)) != NULL; i++)
		json_array_append_new(
		    list, json_string(addr_format_host(a, text)));
	return list;
}

static json_t *
number_or_null(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *
yes_or_null(bool known, bool yes)
{
	return known ? json_boolean(yes) : json_null();
}

/* What has been seen of the NAT's mappings, now and before. */
static json_t *
mappings(const struct node *n, const struct netcheck_result *r, uint64_t now_us)
{
	const struct mapping *m = node_mapping(n);
	uint64_t keep_us = mapping_keep_us(m, 0, MAPPING_KEEP_HEARD_S);

	return json_pack("{s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "stable",
	    yes_or_null(r->stability != STABILITY_UNKNOWN,
		r->stability == STABILITY_SAME),
	    "stable_s", (int)r->stable_s, "address_changes", (int)m->changes,
	    "address_changed_s",
	    number_or_null(m->changes > 0, (now_us - m->changed_us) / 1000000),
	    "lifetime_min_s", number_or_null(m->known, m->at_least_s),
	    "lifetime_max_s",
	    number_or_null(m->known && m->at_most_s > 0, m->at_most_s),
	    "lifetime_age_s",
	    number_or_null(m->known, (now_us - m->measured_us) / 1000000),
	    "keepalive_s", number_or_null(keep_us > 0, keep_us / 1000000));
}

json_t *
control_netcheck_result(
    const struct control_operation *o, const struct news *news)
{
	const struct control_setup *setup = &o->client->control->setup;
	const struct node *n = setup->node;
	const struct netcheck_result *r = node_netcheck_result(n);
	struct node_status st;
	const struct addr *outer;
	bool seen, nat, open;
	json_t *j, *seen_of_nat;

	(void)news;
	node_status(n, &st);
	open = !st.dht.firewalled;
	outer = r->addrs_len > 0 ? &r->addrs[0] : &st.dht.public_address;
	seen = outer->family != ADDR_NONE;
	nat = seen && !node_is_local(n, outer);
	j = json_pack("{s:b, s:s, s:s, s:b, s:i, s:o, s:o, s:b, s:o, s:o, s:i,"
		      " s:b, s:o, s:s}",
	    "udp", r->udp, "mapping", mapping_name(r, open), "filtering",
	    filtering_name(r), "port_kept",
	    r->addrs_len > 0 && outer->port == r->inner_port, "port_step",
	    r->step < 0 ? -r->step : r->step, "translated",
	    yes_or_null(seen, nat), "hairpin",
	    yes_or_null(nat && r->hairpin_tried, r->hairpin), "firewalled",
	    st.dht.firewalled, "public_address",
	    control_addr_or_null(&st.dht.public_address), "addresses",
	    addresses(r), "samples", (int)r->samples, "ipv6",
	    node_ipv6(n, 0) != NULL, "ipv6_addresses", ipv6_addresses(n),
	    "advice", advice(r, open));
	seen_of_nat = mappings(n, r, setup->world->now_us);
	json_object_update(j, seen_of_nat);
	json_decref(seen_of_nat);
	return j;
}
