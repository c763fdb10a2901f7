/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_server.h"
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

/* Returns what the result means for connections, in one sentence. */
static const char *
advice_text(const struct netcheck_result *r, bool open)
{
	if (!r->udp)
		return "no node has replied: UDP is blocked here, or the"
		       " bootstrap nodes are down; without UDP no connection"
		       " is possible";
	if (open)
		return "every peer can reach this node directly";
	switch (r->nat_type) {
	case NAT_TYPE_OPEN:
	case NAT_TYPE_CONSISTENT:
		if (r->filtering == FILTERING_NONE ||
		    r->filtering == FILTERING_HOST)
			return "direct connections work with every peer,"
			       " without delay";
		return "direct connections work; they may take some seconds if"
		       " the peer's NAT chooses ports at random";
	case NAT_TYPE_RANDOM:
		if (r->step != 0)
			return "the NAT assigns ports in a sequence that can"
			       " be predicted: direct connections work with"
			       " most peers";
		return "the NAT uses another port for each destination:"
		       " direct connections may take some seconds, and fail"
		       " where the peer's NAT does the same; if the router is"
		       " yours, forward a UDP port to this machine";
	case NAT_TYPE_UNKNOWN:
		break;
	}
	return "too few nodes have replied to tell";
}

/* ---- the method ---- */

static int
start_netcheck(struct control_call *k, struct control_operation *o)
{
	struct control *c = k->client->control;
	int err = node_netcheck(
	    c->setup.node, control_arg(k, "lifetime")->yes, &o->op);

	if (err == 0)
		hops_send(&c->hops);
	return err;
}

static void
write_uint_or_null(
    struct api_writer *w, const char *name, bool known, uint64_t n)
{
	if (known)
		api_write_uint(w, name, n);
	else
		api_write_null(w, name);
}

static void
write_bool_or_null(struct api_writer *w, const char *name, bool known, bool b)
{
	if (known)
		api_write_bool(w, name, b);
	else
		api_write_null(w, name);
}

static void
write_addresses(
    struct api_writer *w, const struct node *n, const struct netcheck_result *r)
{
	char text[ADDR_TEXT_MAX];
	const struct addr *a;

	api_write_list(w, "addresses");
	for (uint8_t i = 0; i < r->addrs_len; i++)
		api_append_text(
		    w, "addresses", addr_format(&r->addrs[i], text));
	api_write_uint(w, "samples", r->samples);
	api_write_bool(w, "ipv6", node_ipv6(n, 0) != NULL);
	api_write_list(w, "ipv6_addresses");
	for (uint32_t i = 0; (a = node_ipv6(n, i)) != NULL; i++)
		api_append_text(w, "ipv6_addresses", addr_format_host(a, text));
}

/* Writes what was observed of the NAT's mappings in this measurement and in
 * earlier ones. */
static void
write_mappings(struct api_writer *w, const struct node *n,
    const struct netcheck_result *r, uint64_t now_us)
{
	const struct mapping *m = node_mapping(n);
	uint64_t keep_us = mapping_keep_us(m, 0, MAPPING_KEEP_HEARD_S);

	write_bool_or_null(w, "stable", r->stability != STABILITY_UNKNOWN,
	    r->stability == STABILITY_SAME);
	api_write_uint(w, "stable_s", r->stable_s);
	api_write_uint(w, "address_changes", m->changes);
	write_uint_or_null(w, "address_changed_s", m->changes > 0,
	    (now_us - m->changed_us) / 1000000);
	write_uint_or_null(w, "lifetime_min_s", m->known, m->at_least_s);
	write_uint_or_null(
	    w, "lifetime_max_s", m->known && m->at_most_s > 0, m->at_most_s);
	write_uint_or_null(
	    w, "lifetime_age_s", m->known, (now_us - m->measured_us) / 1000000);
	write_uint_or_null(w, "keepalive_s", keep_us > 0, keep_us / 1000000);
}

/* Writes whether two NATs are in a row, which two routers with private
 * addresses indicate. It is unknown if the nearest router does not answer. */
static void
write_double_nat(struct api_writer *w, struct hops *hops, bool nat)
{
	char text[ADDR_TEXT_MAX];
	int routers;

	hops_read(hops);
	routers = hops_private(hops);
	hops_fini(hops);
	write_bool_or_null(w, "double_nat", !nat || routers >= 0, routers > 1);
	api_write_list(w, "private_routers");
	for (int i = 0; i < routers; i++)
		api_append_text(w, "private_routers",
		    addr_format_host(&hops->router[i], text));
}

/* Writes what was found out about the NAT between the node and outer, its
 * external address. */
static void
write_nat(struct api_writer *w, const struct node *n,
    const struct netcheck_result *r, const struct addr *outer)
{
	bool known = outer->family != ADDR_NONE;
	bool nat = known && !node_is_local(n, outer);

	api_write_text(w, "filtering", filtering_name(r));
	api_write_bool(
	    w, "port_kept", r->addrs_len > 0 && outer->port == r->inner_port);
	api_write_uint(
	    w, "port_step", (uint64_t)(r->step < 0 ? -r->step : r->step));
	write_bool_or_null(w, "translated", known, nat);
	write_bool_or_null(w, "hairpin", nat && r->hairpin_tried, r->hairpin);
}

static void
finish_netcheck(const struct control_operation *o, const struct node_event *ev,
    struct api_writer *w)
{
	const struct control_setup *setup = &o->client->control->setup;
	const struct node *n = setup->node;
	const struct netcheck_result *r = node_netcheck_result(n);
	struct node_status st;
	bool open;

	(void)ev;
	node_status(n, &st);
	open = !st.dht.firewalled;
	api_write_bool(w, "udp", r->udp);
	api_write_text(w, "mapping", mapping_name(r, open));
	write_nat(
	    w, n, r, r->addrs_len > 0 ? &r->addrs[0] : &st.dht.public_address);
	write_mappings(w, n, r, setup->world->now_us);
	write_double_nat(w, &o->client->control->hops,
	    r->addrs_len == 0 || !node_is_local(n, &r->addrs[0]));
	api_write_bool(w, "firewalled", st.dht.firewalled);
	api_write_addr(w, "public_address", &st.dht.public_address);
	write_addresses(w, n, r);
	api_write_text(w, "advice", advice_text(r, open));
}

const struct control_operation_type control_netcheck = {
    .start = start_netcheck, .finish = finish_netcheck};
