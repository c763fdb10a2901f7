/* SPDX-License-Identifier: ISC */
#include "dhtctl/dhtctl.h"

static const struct column tunnel_columns[] = {
    {"kind", "KIND", UNIT_NONE},
    {"name", "NAME", UNIT_NONE},
    {"address", "ADDRESS", UNIT_NONE},
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"conns", "CONNECTIONS", UNIT_NONE},
    {"opened", "OPENED", UNIT_NONE},
    {"failed", "FAILED", UNIT_NONE},
    {"err_name", "STATE", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_expose(struct ctl *c, char **argv)
{
	json_t *params =
	    json_pack("{s:s, s:s}", "name", argv[0], "target", argv[1]);
	json_t *result;
	bool public = (c->given & OPT_PUBLIC) != 0;
	int code;

	if (public == (c->allow_len > 0)) {
		json_decref(params);
		return usage_error("expose",
		    "give --allow KEY for each peer that may connect, or"
		    " --public, which admits any key");
	}
	if (public)
		json_object_set_new(params, "public", json_true());
	add_allow(c, params);
	code = api_client_call(
	    &c->client, API_METHOD_expose, params, NULL, &result);
	if (code == EXIT_DONE)
		print_one(&c->print, result, "public_key");
	json_decref(result);
	return code;
}

int
cmd_forward(struct ctl *c, char **argv)
{
	json_t *params =
	    json_pack("{s:s, s:s}", "local", argv[0], "public_key", argv[1]);
	json_t *result;
	int code;

	if (c->key_name != NULL)
		json_object_set_new(params, "name", json_string(c->key_name));
	code = api_client_call(
	    &c->client, API_METHOD_forward, params, NULL, &result);
	if (code == EXIT_DONE)
		print_one(&c->print, result, "local");
	json_decref(result);
	return code;
}

int
cmd_tunnels(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(
	    c, API_METHOD_tunnels, "tunnels", tunnel_columns, NULL);
}
