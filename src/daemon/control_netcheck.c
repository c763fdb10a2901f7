/* SPDX-License-Identifier: ISC */
#include "daemon/control_client.h"
#include "punch/netcheck.h"

static const char *
mapping_name(const struct netcheck_result *r, bool open)
{
	static const char *const names[] = {
	    [VERDICT_UNKNOWN] = "unknown",
	    [VERDICT_OPEN] = "open",
	    [VERDICT_CONSISTENT] = "consistent",
	    [VERDICT_RANDOM] = "random",
	};

	return names[open ? VERDICT_OPEN : r->verdict];
}

static const char *
filtering_name(const struct netcheck_result *r)
{
	static const char *const names[] = {
	    [FILTER_UNKNOWN] = "unknown",
	    [FILTER_NONE] = "none",
	    [FILTER_HOST] = "host",
	    [FILTER_PORT] = "port",
	};

	return names[r->filter];
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
	switch (r->verdict) {
	case VERDICT_OPEN:
	case VERDICT_CONSISTENT:
		if (r->filter == FILTER_NONE || r->filter == FILTER_HOST)
			return "direct connections work with every peer, and"
			       " at once";
		return "direct connections work; with a peer whose NAT"
		       " chooses ports at random they may take some seconds";
	case VERDICT_RANDOM:
		if (r->step != 0)
			return "the NAT hands out ports one after the other,"
			       " which can be foreseen: direct connections"
			       " work with most peers";
		return "the NAT takes another port for each destination:"
		       " direct connections may take some seconds, and fail"
		       " where the peer's NAT does the same; if the router is"
		       " yours, forward a UDP port to this machine";
	case VERDICT_UNKNOWN:
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
hairpin(const struct netcheck_result *r)
{
	return r->hairpin_tried ? json_boolean(r->hairpin) : json_null();
}

json_t *
control_netcheck_result(
    const struct control_operation *o, const struct news *news)
{
	const struct node *n = o->client->control->daemon->node;
	const struct netcheck_result *r = node_netcheck_result(n);
	struct node_status st;
	bool open, kept;

	(void)news;
	node_status(n, &st);
	open = !st.dht.firewalled;
	kept = r->addrs_len > 0 && r->addrs[0].port == r->inner_port;
	return json_pack("{s:b, s:s, s:s, s:b, s:i, s:o, s:b, s:o, s:o, s:i,"
			 " s:b, s:s}",
	    "udp", r->udp, "mapping", mapping_name(r, open), "filtering",
	    filtering_name(r), "port_kept", kept, "port_step",
	    r->step < 0 ? -r->step : r->step, "hairpin", hairpin(r),
	    "firewalled", st.dht.firewalled, "public_address",
	    control_addr_or_null(&st.dht.public_address), "addresses",
	    addresses(r), "samples", (int)r->samples, "ipv6", node_has_ipv6(n),
	    "advice", advice(r, open));
}
