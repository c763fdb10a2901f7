/* SPDX-License-Identifier: ISC */
#include <config.h>
#include <string.h>
#include <unistd.h>

#include "control/control_call.h"
#include "control/control_page.h"
#include "control/control_relay.h"
#include "control/control_server.h"
#include "control/control_state.h"
#include "node/node_relay.h"

static struct node *
node_of(const struct control_call *k)
{
	return k->client->control->setup.node;
}

/* ---- status ---- */

static const char *
role_name(enum dht_role role)
{
	switch (role) {
	case DHT_PERSISTENT:
		return "persistent";
	case DHT_BOOTSTRAP:
		return "bootstrap";
	default:
		return "auto";
	}
}

static void
write_daemon(struct api_writer *w, const struct control *c)
{
	api_write_text(w, "version", PACKAGE_VERSION);
	api_write_uint(w, "pid", (uint64_t)getpid());
	api_write_text(w, "role", role_name(c->setup.role));
	api_write_bytes32(w, "public_key", c->setup.identity->public_key);
	api_write_bool(w, "identity_saved", c->setup.identity_saved);
	api_write_uint(w, "clients", c->clients.len);
}

static void
write_entries(struct api_writer *w, const struct dht *d)
{
	char text[BOOTSTRAP_NAME_MAX + 8];
	struct api_writer item;
	struct dht_entry e;

	api_write_list(w, "bootstrap");
	for (size_t i = 0; dht_entry(d, i, &e); i++) {
		api_item_init(&item, w, "bootstrap");
		api_write_text(
		    &item, "entry", control_entry_text(&e, text, sizeof text));
		api_write_addr(&item, "address", &e.addr);
		api_write_text(&item, "result", control_entry_result(e.result));
		if (e.result == DHT_ENTRY_UNTRIED || e.result == DHT_ENTRY_SELF)
			api_write_null(&item, "age_ms");
		else
			api_write_uint(&item, "age_ms", e.age_us / 1000);
		api_append_item(w, "bootstrap", &item);
	}
}

static void
write_health(
    struct api_writer *w, const struct dht *d, const struct dht_status *st)
{
	char reason[CONTROL_REASON_MAX];

	api_write_text(w, "state", control_state_name(st->state));
	api_write_text(w, "reason", control_state_reason(d, st, reason));
	write_entries(w, d);
	api_write_bool(w, "bootstrapped", st->bootstrapped);
	api_write_bool(
	    w, "online", st->state == DHT_ONLINE || st->state == DHT_DEGRADED);
	api_write_bool(w, "degraded", st->state == DHT_DEGRADED);
}

static void
write_network(struct api_writer *w, const struct dht_status *st)
{
	api_write_bytes32(w, "id", st->has_id ? st->id : NULL);
	api_write_bool(w, "ephemeral", st->ephemeral);
	api_write_bool(w, "firewalled", st->firewalled);
	api_write_bool(w, "blocked", st->blocked);
	api_write_addr(w, "public_address", &st->public_address);
	api_write_addr(w, "server_address", &st->server_address);
	api_write_addr(w, "client_address", &st->client_address);
	api_write_uint(w, "promotion_ticks", st->promotion_ticks);
	api_write_uint(w, "nodes", st->nodes);
	api_write_uint(w, "candidates", st->candidates);
	api_write_uint(w, "requests", st->requests);
	api_write_uint(w, "queries", st->queries);
}

static void
write_relaying(struct api_writer *w, const struct node *n)
{
	struct node_relay_status st;

	node_relay_status(n, &st);
	api_write_bool(w, "relaying", st.on);
	control_relay_volume(w, &st);
}

static void
write_tables(struct api_writer *w, const struct node_status *st)
{
	api_write_uint(w, "uptime_ms", st->uptime_us / 1000);
	api_write_uint(w, "records", st->records);
	api_write_uint(w, "topics", st->topics);
	api_write_uint(w, "forwards", st->forwards);
	api_write_uint(w, "values", st->values);
	api_write_uint(w, "value_bytes", st->value_bytes);
	api_write_uint(w, "announcements", st->announcements);
	api_write_uint(w, "operations", st->operations);
}

int
control_status(struct control_call *k)
{
	struct node_status st;

	node_status(node_of(k), &st);
	write_daemon(&k->result, k->client->control);
	write_health(&k->result, node_dht(node_of(k)), &st.dht);
	write_network(&k->result, &st.dht);
	write_relaying(&k->result, node_of(k));
	write_tables(&k->result, &st);
	return 0;
}

/* ---- lists ---- */

static void
write_node(struct api_writer *w, const struct dht_node *node)
{
	api_write_addr(w, "address", &node->addr);
	api_write_bytes32(w, "id", node->id);
	api_write_uint(w, "heard_s", node->heard_s);
	api_write_uint(w, "added_s", node->added_s);
	api_write_uint(w, "row", node->row);
}

int
control_nodes(struct control_call *k)
{
	const struct dht *dht = node_dht(node_of(k));
	struct control_page page;
	struct api_writer item;
	struct dht_node node;

	control_page_begin(&page, k, "nodes", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		page.more = dht_node_after(dht, page.cursor, &node);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "nodes");
		write_node(&item, &node);
		control_page_append(&page, &item, node.number);
	}
	control_page_end(&page);
	return 0;
}

/* ---- numbers ---- */

static uint64_t
read_counter(const struct stats *s, uint32_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)s + offset, sizeof v);
	return v;
}

int
control_stats(struct control_call *k)
{
	const struct stats *s = node_stats(node_of(k));
	json_t *counters = json_object(), *drops = json_object();

	for (unsigned i = 0; i < stat_table_len; i++)
		json_object_set_new(counters, stat_table[i].name,
		    json_integer(
			(json_int_t)read_counter(s, stat_table[i].offset)));
	for (int err = -1; err > -ERR_INDEX_MAX; err--)
		json_object_set_new(drops, err_name(err),
		    json_integer((json_int_t)s->drop[-err]));
	api_write_json(&k->result, "counters", counters);
	api_write_json(&k->result, "drops", drops);
	return 0;
}

static void
write_limit(
    struct api_writer *w, const struct limits *l, const struct limit_info *info)
{
	uint32_t value;

	memcpy(&value, (const char *)l + info->offset, sizeof value);
	api_write_text(w, "name", info->name);
	api_write_uint(w, "value", value);
	api_write_uint(w, "default", info->value);
	api_write_uint(w, "low", info->low);
	api_write_uint(w, "high", info->high);
	api_write_text(w, "text", info->text);
}

int
control_limits(struct control_call *k)
{
	const struct limits *l = control_limits_of(k->client->control);
	struct api_writer item;

	api_write_list(&k->result, "limits");
	for (unsigned i = 0; i < limit_table_len; i++) {
		api_item_init(&item, &k->result, "limits");
		write_limit(&item, l, &limit_table[i]);
		api_append_item(&k->result, "limits", &item);
	}
	return 0;
}
