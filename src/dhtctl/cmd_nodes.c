/* SPDX-License-Identifier: ISC */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "dhtctl/dhtctl.h"

static const struct column nodes_columns[] = {
    {"address", "ADDRESS", UNIT_NONE},
    {"id", "ID", UNIT_NONE},
    {"heard_s", "HEARD", UNIT_SECONDS},
    {"added_s", "ADDED", UNIT_SECONDS},
    {"row", "ROW", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_nodes(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(
	    c, API_METHOD_nodes, "nodes", nodes_columns, NULL);
}

/* ---- ping ---- */

/* Resolves a host name with the system's resolver, because the daemon accepts
 * addresses only. Returns other texts as they are, to be reported. */
static const char *
resolve_name(const char *text, char buf[ADDR_TEXT_MAX])
{
	const struct addrinfo hints = {
	    .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	const char *colon = strrchr(text, ':');
	struct addrinfo *found;
	struct addr a;
	char name[256], host[NI_MAXHOST];

	if (colon == NULL || colon == text || addr_parse(&a, text, 0) == 0 ||
	    (size_t)(colon - text) >= sizeof name)
		return text;
	snprintf(name, sizeof name, "%.*s", (int)(colon - text), text);
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return text;
	if (getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host,
		NULL, 0, NI_NUMERICHOST) == 0) {
		snprintf(buf, ADDR_TEXT_MAX, "%.15s%.10s", host, colon);
		text = buf;
	}
	freeaddrinfo(found);
	return text;
}

static const struct column ping_lines[] = {
    {"address", "address", UNIT_NONE},
    {"id", "node id", UNIT_NONE},
    {"rtt_us", "round trip", UNIT_US},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_ping(struct ctl *c, char **argv)
{
	char buf[ADDR_TEXT_MAX];

	return call_and_print(c, API_METHOD_ping,
	    json_pack("{s:s}", "address", resolve_name(argv[0], buf)),
	    ping_lines);
}

/* ---- find-node ---- */

static const struct column found_columns[] = {
    {"address", "ADDRESS", UNIT_NONE},
    {"id", "ID", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static int
on_node(void *owner, const json_t *params)
{
	struct ctl *c = owner;
	json_t *node = json_copy((json_t *)params);

	json_object_del(node, "request");
	print_item(&c->print, node);
	json_decref(node);
	return EXIT_DONE;
}

int
cmd_find_node(struct ctl *c, char **argv)
{
	const struct api_client_notes notes = {.note = on_node, .owner = c};
	json_t *result;
	int code;

	print_begin(&c->print, "nodes", found_columns);
	code = api_client_call(&c->client, API_METHOD_find_node,
	    json_pack("{s:s}", "target", argv[0]), &notes, &result);
	if (code == EXIT_DONE)
		print_end(&c->print, result);
	json_decref(result);
	return code;
}
