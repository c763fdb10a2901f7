/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

static const struct column announce_lines[] = {
    {"topic", "topic", UNIT_NONE},
    {"public_key", "public key", UNIT_NONE},
    {"stored", "stored by nodes", UNIT_NONE},
    {"refused", "refused by nodes", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static const struct column unannounce_lines[] = {
    {"topic", "topic", UNIT_NONE},
    {"public_key", "public key", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

/* Returns an exit code, and parameters with the identity that the options
 * select if it is EXIT_DONE. */
static int
topic_params(struct ctl *c, const char *topic, json_t **params)
{
	int code;

	*params = json_pack("{s:s}", "topic", topic);
	code = add_identity(c, *params);
	if (code != EXIT_DONE)
		json_decref(*params);
	return code;
}

int
cmd_announce(struct ctl *c, char **argv)
{
	const char *err = "ok";
	int saved = 1;
	json_t *params, *result;
	int code = topic_params(c, argv[0], &params);

	if (code != EXIT_DONE)
		return code;
	code = api_client_call(
	    &c->client, API_METHOD_announce, params, NULL, &result);
	if (code == EXIT_DONE) {
		print_object(&c->print, result, announce_lines);
		json_unpack(
		    result, "{s:s, s:b}", "err_name", &err, "saved", &saved);
	}
	if (!saved)
		print_hint("announce", "the daemon has not stored the key: a"
				       " restart ends the announcement");
	if (strcmp(err, "ok") != 0)
		print_error("announce", "kept; takes effect when online: %s",
		    reason_text(err));
	json_decref(result);
	return code;
}

int
cmd_unannounce(struct ctl *c, char **argv)
{
	json_t *params;
	int code = topic_params(c, argv[0], &params);

	if (code != EXIT_DONE)
		return code;
	return call_and_print(
	    c, API_METHOD_unannounce, params, unannounce_lines);
}

static const struct column announcements_columns[] = {
    {"topic", "TOPIC", UNIT_NONE},
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"owner", "OWNER", UNIT_NONE},
    {"announced", "ANNOUNCED", UNIT_NONE},
    {"stored", "STORED", UNIT_NONE},
    {"err_name", "LAST ROUND", UNIT_NONE},
    {"age_ms", "AGE", UNIT_MS},
    {"next_ms", "NEXT IN", UNIT_MS},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_announcements(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(c, API_METHOD_announcements,
	    "announcements", announcements_columns, NULL);
}
