/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <time.h>

#include "dhtctl/dhtctl.h"

enum { STATUS_TEXT_MAX = 4096, STATUS_AGE_MAX = 32 };

/* ---- state ---- */

static const struct column status_lines[] = {
    {"version", "version", UNIT_NONE},
    {"pid", "process", UNIT_NONE},
    {"uptime_ms", "running for", UNIT_MS},
    {"role", "role", UNIT_NONE},
    {"public_key", "public key", UNIT_NONE},
    {"identity_saved", "key is saved", UNIT_NONE},
    {"id", "node id", UNIT_NONE},
    {"state", "state", UNIT_NONE},
    {"reason", "reason", UNIT_NONE},
    {"bootstrap", "bootstrap list", UNIT_NONE},
    {"bootstrapped", "bootstrapped", UNIT_NONE},
    {"online", "online", UNIT_NONE},
    {"degraded", "degraded", UNIT_NONE},
    {"ephemeral", "ephemeral", UNIT_NONE},
    {"firewalled", "firewalled", UNIT_NONE},
    {"blocked", "port blocked", UNIT_NONE},
    {"public_address", "public address", UNIT_NONE},
    {"server_address", "server socket", UNIT_NONE},
    {"client_address", "client socket", UNIT_NONE},
    {"relaying", "relays for others", UNIT_NONE},
    {"relay_volume", "relayed per month", UNIT_BYTES},
    {"nodes", "nodes known", UNIT_NONE},
    {"candidates", "nodes checked", UNIT_NONE},
    {"requests", "requests", UNIT_NONE},
    {"queries", "queries", UNIT_NONE},
    {"promotion_ticks", "promotion in", UNIT_NONE},
    {"records", "records held", UNIT_NONE},
    {"topics", "topics held", UNIT_NONE},
    {"forwards", "peers forwarded", UNIT_NONE},
    {"values", "values held", UNIT_NONE},
    {"value_bytes", "size of values", UNIT_BYTES},
    {"announcements", "announcements", UNIT_NONE},
    {"operations", "operations", UNIT_NONE},
    {"clients", "control clients", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

/* Replaces the bootstrap list by one text, with the result of each entry. */
static void
describe_bootstrap(json_t *r)
{
	char text[STATUS_TEXT_MAX] = "none";
	json_t *list = json_object_get(r, "bootstrap"), *e;
	size_t i, len = 0;

	json_array_foreach(list, i, e)
	{
		const char *entry = "", *result = "";
		const json_t *age = json_object_get(e, "age_ms");
		char when[STATUS_AGE_MAX] = "";
		int n;

		json_unpack(
		    e, "{s:s, s:s}", "entry", &entry, "result", &result);
		if (json_is_integer(age))
			snprintf(when, sizeof when, " %ld s ago",
			    (long)(json_integer_value(age) / 1000));
		n = snprintf(text + len, sizeof text - len, "%s%s %s%s",
		    i > 0 ? "; " : "", entry, result, when);
		if (n < 0 || (size_t)n >= sizeof text - len)
			break;
		len += (size_t)n;
	}
	json_object_set_new(r, "bootstrap", json_string(text));
}

/* Says how to turn off what is on by default. */
static void
describe_relaying(json_t *r)
{
	if (json_is_true(json_object_get(r, "relaying")))
		json_object_set_new(r, "relaying",
		    json_string("yes; relay = off turns this off"));
}

int
cmd_status(struct ctl *c, char **argv)
{
	json_t *result;
	int code;

	(void)argv;
	code = api_client_call(
	    &c->client, API_METHOD_status, json_object(), NULL, &result);
	if (code == EXIT_DONE && c->print.format == PRINT_TEXT)
		describe_bootstrap(result);
	if (code == EXIT_DONE && c->print.format == PRINT_TEXT)
		describe_relaying(result);
	if (code == EXIT_DONE)
		print_object(&c->print, result, status_lines);
	json_decref(result);
	return code;
}

/* ---- relaying ---- */

static const struct column relay_lines[] = {
    {"relaying", "relays for others", UNIT_NONE},
    {"mode", "relay", UNIT_NONE},
    {"relay_key", "relay key", UNIT_NONE},
    {"relay_volume", "volume per month", UNIT_BYTES},
    {"volume_left", "volume left", UNIT_BYTES},
    {"volume_full", "volume when full", UNIT_BYTES},
    {"volume_refill", "refill per hour", UNIT_BYTES},
    {"sessions", "control sessions", UNIT_NONE},
    {"waiting", "waiting pairings", UNIT_NONE},
    {"pairings", "relayed pairs", UNIT_NONE},
    {"packets", "packets relayed", UNIT_NONE},
    {"bytes", "bytes relayed", UNIT_BYTES},
    {"used", "own relayed conns", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_relay(struct ctl *c, char **argv)
{
	json_t *result;
	int code;

	(void)argv;
	code = api_client_call(
	    &c->client, API_METHOD_relay, json_object(), NULL, &result);
	if (code == EXIT_DONE)
		print_object(&c->print, result, relay_lines);
	json_decref(result);
	return code;
}

/* ---- numbers ---- */

/* Prints the counters; on a terminal, those that are not 0. */
static void
print_counts(struct ctl *c, const json_t *counts, const char *prefix)
{
	const char *name;
	json_t *j;

	json_object_foreach((json_t *)counts, name, j)
	{
		char text[64];
		json_t *item;

		if (c->print.terminal && json_integer_value(j) == 0)
			continue;
		snprintf(text, sizeof text, "%s%s", prefix, name);
		item = json_pack("{s:s, s:O}", "name", text, "count", j);
		print_item(&c->print, item);
		json_decref(item);
	}
}

static const struct column stats_columns[] = {
    {"name", "COUNTER", UNIT_NONE},
    {"count", "COUNT", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_stats(struct ctl *c, char **argv)
{
	json_t *result;
	int code;

	(void)argv;
	code = api_client_call(
	    &c->client, API_METHOD_stats, json_object(), NULL, &result);
	if (code == EXIT_DONE && c->print.format == PRINT_TEXT) {
		print_begin(&c->print, "counters", stats_columns);
		print_counts(c, json_object_get(result, "counters"), "");
		print_counts(c, json_object_get(result, "drops"), "drop.");
		print_end(&c->print, NULL);
	} else if (code == EXIT_DONE) {
		print_object(&c->print, result, stats_columns);
	}
	json_decref(result);
	return code;
}

static const struct column limits_columns[] = {
    {"name", "LIMIT", UNIT_NONE},
    {"value", "VALUE", UNIT_NONE},
    {"default", "DEFAULT", UNIT_NONE},
    {"text", "MEANING", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_limits(struct ctl *c, char **argv)
{
	json_t *result, *item;
	size_t i;
	int code;

	(void)argv;
	code = api_client_call(
	    &c->client, API_METHOD_limits, json_object(), NULL, &result);
	if (code != EXIT_DONE)
		return code;
	print_begin(&c->print, "limits", limits_columns);
	json_array_foreach(json_object_get(result, "limits"), i, item)
	    print_item(&c->print, item);
	print_end(&c->print, NULL);
	json_decref(result);
	return EXIT_DONE;
}

/* ---- events ---- */

static void
print_time(void)
{
	time_t now = time(NULL);
	char text[32];

	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S  ", localtime(&now));
	fputs(text, stdout);
}

static const struct column event_columns[] = {
    {"event", "", UNIT_NONE},
    {"address", "", UNIT_NONE},
    {"state", "", UNIT_NONE},
    {"reason", "", UNIT_NONE},
    {"topic", "", UNIT_NONE},
    {"public_key", "", UNIT_NONE},
    {"err_name", "result", UNIT_NONE},
    {"stored", "stored", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static int
on_event(void *owner, const json_t *params)
{
	struct ctl *c = owner;
	json_t *event = json_copy((json_t *)params);

	json_object_del(event, "request");
	if (c->print.format == PRINT_TEXT)
		print_time();
	print_line(&c->print, event, event_columns);
	json_decref(event);
	return print_flush() ? EXIT_DONE : EXIT_FAILED;
}

int
cmd_watch(struct ctl *c, char **argv)
{
	const struct api_client_notes notes = {.note = on_event, .owner = c};
	json_t *params = json_object(), *result;
	int code;

	if (argv[0] != NULL)
		json_object_set_new(params, "event", json_string(argv[0]));
	code = api_client_call(
	    &c->client, API_METHOD_watch, params, &notes, &result);
	json_decref(result);
	return code != EXIT_DONE ? code
				 : api_client_wait_notes(&c->client, &notes);
}

/* ---- orders ---- */

static const struct column no_lines[] = {{NULL, NULL, UNIT_NONE}};

int
cmd_stop(struct ctl *c, char **argv)
{
	int code;

	(void)argv;
	code = call_and_print(c, API_METHOD_stop, json_object(), no_lines);
	/* Scripts expect that the daemon has exited. */
	return code != EXIT_DONE ? code : api_client_wait_end(&c->client);
}

int
cmd_describe(struct ctl *c, char **argv)
{
	json_t *params = json_object(), *result;
	int code;

	if (argv[0] != NULL)
		json_object_set_new(params, "method", json_string(argv[0]));
	code = api_client_call(
	    &c->client, API_METHOD_describe, params, NULL, &result);
	if (code == EXIT_DONE)
		print_whole(&c->print, result);
	json_decref(result);
	return code;
}
