/* SPDX-License-Identifier: ISC */
#include "api/text.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/stdio_splice.h"

enum {
	/* The daemon times out first, because it knows the reason. */
	GRACE_S = 2,
	TIMEOUT_S_MAX = 3600, /* limit of the daemon */
};

/* Returns the parameters for a key, or for an address: a key and the nodes to
 * query first. */
static json_t *
parse_destination(const char *text)
{
	struct text_address a;
	char buf[ADDR_TEXT_MAX], key[TEXT_Z32_MAX];
	json_t *params, *relays;

	/* The check of the request reports what is neither. */
	if (text_address_parse(&a, text) != 0 || a.nodes_len == 0)
		return json_pack("{s:s}", "public_key", text);
	relays = json_array();
	for (size_t i = 0; i < a.nodes_len; i++)
		if (addr_usable(&a.nodes[i]))
			json_array_append_new(
			    relays, json_string(addr_format(&a.nodes[i], buf)));
	params = json_pack(
	    "{s:s, s:o}", "public_key", text_z32(key, a.key), "relays", relays);
	return params;
}

int
cmd_connect(struct ctl *c, char **argv)
{
	struct api_client *cl = &c->client;
	json_t *params = parse_destination(argv[0]), *result;
	json_int_t conn = 0;
	int code = add_identity(c, params);

	if (code != EXIT_DONE) {
		json_decref(params);
		return code;
	}
	if ((c->given & OPT_TIMEOUT) != 0 && cl->timeout_s < TIMEOUT_S_MAX) {
		json_object_set_new(params, "timeout_ms",
		    json_integer((json_int_t)cl->timeout_s * 1000));
		cl->timeout_s += GRACE_S;
	}
	if (c->relay_through != NULL)
		json_object_set_new(
		    params, "relay_through", json_string(c->relay_through));
	cl->dials = true;
	cl->exact = true;
	code = api_client_call(cl, API_METHOD_connect, params, NULL, &result);
	if (code == EXIT_DONE)
		json_unpack(result, "{s:I}", "conn", &conn);
	json_decref(result);
	return code == EXIT_DONE
		   ? stdio_splice_run(cl, api_client_detach(cl), conn, true)
		   : code;
}
