/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <config.h>
#include <string.h>
#include <unistd.h>

#include "api/text.h"
#include "control/control_client.h"

static const struct control_setup *
setup_of(const struct control_call *k)
{
	return &k->client->control->setup;
}

/* For methods that say no more than that it is done. */
static int
done(struct control_call *k)
{
	k->result = json_object();
	return CALL_DONE;
}

/* ---- status ---- */

json_t *
control_addr_or_null(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return json_null();
	return json_string(addr_format(a, text));
}

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

static json_t *
status_of_daemon(const struct control_call *k, const struct node_status *st)
{
	const struct control_setup *setup = setup_of(k);
	char key[TEXT_Z32_MAX];

	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:b, s:I}", "version",
	    PACKAGE_VERSION, "pid", (json_int_t)getpid(), "uptime_ms",
	    (json_int_t)(st->uptime_us / 1000), "role", role_name(setup->role),
	    "public_key", text_z32(key, setup->identity->public_key),
	    "identity_saved", setup->identity_saved, "clients",
	    (json_int_t)k->client->control->clients_len);
}

static json_t *
status_of_network(const struct dht_status *st)
{
	char id[TEXT_HEX_MAX];

	return json_pack("{s:s?, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:I}",
	    "id", st->has_id ? text_hex(id, st->id) : NULL, "bootstrapped",
	    st->bootstrapped, "ephemeral", st->ephemeral, "firewalled",
	    st->firewalled, "online", st->online, "degraded", st->degraded,
	    "public_address", control_addr_or_null(&st->public_address),
	    "server_address", control_addr_or_null(&st->server_address),
	    "client_address", control_addr_or_null(&st->client_address),
	    "promotion_ticks", (json_int_t)st->promotion_ticks);
}

static json_t *
status_of_tables(const struct node_status *st)
{
	const struct {
		const char *name;
		uint32_t value;
	} counts[] = {
	    {"nodes", st->dht.nodes},
	    {"candidates", st->dht.candidates},
	    {"requests", st->dht.requests},
	    {"queries", st->dht.queries},
	    {"records", st->records},
	    {"topics", st->topics},
	    {"forwards", st->forwards},
	    {"values", st->values},
	    {"value_bytes", st->value_bytes},
	    {"announcements", st->announcements},
	    {"operations", st->operations},
	};
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_object_set_new(
		    j, counts[i].name, json_integer(counts[i].value));
	return j;
}

static int
method_status(struct control_call *k)
{
	struct node_status st;

	node_status(setup_of(k)->node, &st);
	k->result = status_of_daemon(k, &st);
	json_object_update_new(k->result, status_of_network(&st.dht));
	json_object_update_new(k->result, status_of_tables(&st));
	return CALL_DONE;
}

/* ---- lists, a page at a time ---- */

int
control_page_done(struct control_call *k, const char *name, json_t *list,
    bool more, uint32_t cursor)
{
	k->result = json_pack("{s:o, s:o}", name, list, "next",
	    more ? json_integer(cursor) : json_null());
	return CALL_DONE;
}

static json_t *
node_of_table(const struct dht_node *node)
{
	char addr[ADDR_TEXT_MAX], id[TEXT_HEX_MAX];

	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "address",
	    addr_format(&node->addr, addr), "id", text_hex(id, node->id),
	    "heard_s", (json_int_t)node->heard_s, "added_s",
	    (json_int_t)node->added_s, "row", (json_int_t)node->row);
}

static int
method_nodes(struct control_call *k)
{
	const struct dht *dht = node_dht(setup_of(k)->node);
	uint32_t cursor = (uint32_t)api_request_value(k->rq, "cursor")->uint;
	json_t *list = json_array();
	struct dht_node node;
	bool more = true;

	while (json_array_size(list) < API_PAGE_MAX && more) {
		more = dht_next_node(dht, &cursor, &node);
		if (more)
			json_array_append_new(list, node_of_table(&node));
	}
	return control_page_done(k, "nodes", list, more, cursor);
}

static json_t *
announcement_of(const struct node_announcement *a)
{
	char topic[TEXT_HEX_MAX];

	return json_pack("{s:s, s:b, s:s, s:I, s:I, s:I}", "topic",
	    text_hex(topic, a->topic), "announced", a->announced, "err_name",
	    err_name(a->err), "stored", (json_int_t)a->stored, "age_ms",
	    (json_int_t)(a->age_us / 1000), "next_ms",
	    (json_int_t)(a->next_us / 1000));
}

static int
method_announcements(struct control_call *k)
{
	uint32_t cursor = (uint32_t)api_request_value(k->rq, "cursor")->uint;
	json_t *list = json_array();
	struct node_announcement a;
	bool more = true;

	while (json_array_size(list) < API_PAGE_MAX && more) {
		more = node_announcement(setup_of(k)->node, cursor, &a);
		if (more) {
			json_array_append_new(list, announcement_of(&a));
			cursor++;
		}
	}
	return control_page_done(k, "announcements", list, more, cursor);
}

/* ---- numbers ---- */

static uint64_t
counter(const struct stats *s, uint32_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)s + offset, sizeof v);
	return v;
}

static int
method_stats(struct control_call *k)
{
	const struct stats *s = node_stats(setup_of(k)->node);
	json_t *counters = json_object(), *drops = json_object();

	for (unsigned i = 0; i < stat_table_len; i++)
		json_object_set_new(counters, stat_table[i].name,
		    json_integer((json_int_t)counter(s, stat_table[i].offset)));
	for (int err = -1; err > -ERR_INDEX_MAX; err--)
		json_object_set_new(drops, err_name(err),
		    json_integer((json_int_t)s->drop[-err]));
	k->result =
	    json_pack("{s:o, s:o}", "counters", counters, "drops", drops);
	return CALL_DONE;
}

static json_t *
limit_of(const struct limits *l, const struct limit_info *info)
{
	uint32_t value;

	memcpy(&value, (const char *)l + info->offset, sizeof value);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "name", info->name,
	    "value", (json_int_t)value, "default", (json_int_t)info->value,
	    "low", (json_int_t)info->low, "high", (json_int_t)info->high,
	    "text", info->text);
}

static int
method_limits(struct control_call *k)
{
	const struct limits *l = node_limits(setup_of(k)->node);
	json_t *list = json_array();

	for (unsigned i = 0; i < limit_table_len; i++)
		json_array_append_new(list, limit_of(l, &limit_table[i]));
	k->result = json_pack("{s:o}", "limits", list);
	return CALL_DONE;
}

/* ---- watching ---- */

static int
method_watch(struct control_call *k)
{
	const struct api_value *only = api_request_value(k->rq, "event");
	json_t *names = json_array();
	int event = -1;

	if (only->set) {
		event = api_event_find(only->text);
		if (event < 0) {
			json_decref(names);
			return api_error_param(&k->fault, "event",
			    "names no event", "one that describe lists");
		}
	}
	for (int i = 0; i < API_EVENTS; i++) {
		if (event >= 0 && i != event)
			continue;
		k->client->watched |= 1u << i;
		json_array_append_new(names, json_string(api_events[i].name));
	}
	json_decref(k->client->watch_id);
	k->client->watch_id = json_incref(k->rq->id);
	k->result = json_pack("{s:o}", "events", names);
	return CALL_DONE;
}

static int
method_unwatch(struct control_call *k)
{
	k->client->watched = 0;
	return done(k);
}

static int
method_cancel(struct control_call *k)
{
	struct control_operation *o = control_operation_find(
	    k->client, api_request_value(k->rq, "request")->id);

	if (o != NULL)
		control_operation_cancel(o);
	k->result = json_pack("{s:b}", "cancelled", o != NULL);
	return CALL_DONE;
}

/* ---- the daemon ---- */

static int
method_reload(struct control_call *k)
{
	const struct control_setup *setup = setup_of(k);
	char err[ERR_REASON_MAX];

	if (setup->ops->reload(setup->owner, err) != 0)
		return api_error_set(
		    &k->fault, API_ERR_FAILED, NULL, "reload: %s", err);
	return done(k);
}

static int
method_stop(struct control_call *k)
{
	const struct control_setup *setup = setup_of(k);

	setup->ops->stop(setup->owner);
	return done(k);
}

static int
method_describe(struct control_call *k)
{
	const struct api_value *name = api_request_value(k->rq, "method");
	const struct api_method *only = NULL;

	if (name->set) {
		only = api_method_find(name->text);
		if (only == NULL)
			return api_error_param(&k->fault, "method",
			    "names no method", "one that describe lists");
	}
	k->result = api_describe(only, PACKAGE_VERSION);
	return CALL_DONE;
}

static const struct {
	const char *name;
	int (*run)(struct control_call *k);
} methods[] = {
    {"status", method_status},
    {"nodes", method_nodes},
    {"ping", control_operation_start},
    {"netcheck", control_operation_start},
    {"find_node", control_operation_start},
    {"find_peer", control_operation_start},
    {"lookup", control_operation_start},
    {"announce", control_operation_start},
    {"unannounce", control_operation_start},
    {"announcements", method_announcements},
    {"put_immutable", control_operation_start},
    {"put_mutable", control_operation_start},
    {"get_immutable", control_operation_start},
    {"get_mutable", control_operation_start},
    {"listen", control_operation_start},
    {"answer", control_answer},
    {"unlisten", control_unlisten},
    {"accept", control_operation_start},
    {"connect", control_operation_start},
    {"disconnect", control_disconnect},
    {"outcome", control_outcome},
    {"connections", control_connections},
    {"listeners", control_listeners},
    {"explain", control_explain},
    {"key_list", control_key_list},
    {"key_show", control_key_show},
    {"key_new", control_key_new},
    {"stats", method_stats},
    {"limits", method_limits},
    {"watch", method_watch},
    {"unwatch", method_unwatch},
    {"cancel", method_cancel},
    {"reload", method_reload},
    {"stop", method_stop},
    {"describe", method_describe},
};

int (*control_method(const struct api_method *m))(struct control_call *k)
{
	size_t i = 0;

	while (strcmp(methods[i].name, m->name) != 0) {
		i++;
		assert(i < sizeof methods / sizeof *methods);
	}
	return methods[i].run;
}
