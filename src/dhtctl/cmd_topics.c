/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

static const struct column announce_lines[] = {
    {"topic", "topic", UNIT_NONE},
    {"stored", "stored by nodes", UNIT_NONE},
    {"refused", "refused by nodes", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static const struct column unannounce_lines[] = {
    {"topic", "topic", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_announce(struct ctl *c, char **argv)
{
	const char *err = "ok";
	json_t *result;
	int code = api_client_call(&c->client, API_METHOD_announce,
	    json_pack("{s:s}", "topic", argv[0]), NULL, &result);

	if (code == EXIT_DONE) {
		print_object(&c->print, result, announce_lines);
		json_unpack(result, "{s:s}", "err_name", &err);
	}
	if (strcmp(err, "ok") != 0)
		print_error("announce", "kept; takes effect when online: %s",
		    reason_text(err));
	json_decref(result);
	return code;
}

int
cmd_unannounce(struct ctl *c, char **argv)
{
	return call_and_print(c, API_METHOD_unannounce,
	    json_pack("{s:s}", "topic", argv[0]), unannounce_lines);
}

static const struct column announcements_columns[] = {
    {"topic", "TOPIC", UNIT_NONE},
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
