/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "dhtctl/accepted.h"
#include "dhtctl/chat.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/stdio_splice.h"

/* ---- join ---- */

static int
topic_params(struct ctl *c, const char *topic, bool first, json_t **out)
{
	json_t *params = json_pack("{s:s}", "topic", topic);
	int code = add_identity(c, params);

	*out = params;
	if ((c->given & OPT_SERVER) != 0)
		json_object_set_new(params, "server", json_true());
	if ((c->given & OPT_CLIENT) != 0)
		json_object_set_new(params, "client", json_true());
	if (c->limit > 0)
		json_object_set_new(params, "limit", json_integer(c->limit));
	if ((c->given & OPT_KEEP) != 0)
		json_object_set_new(params, "keep", json_true());
	if (first)
		add_allow(c, params);
	return code;
}

/* Joins the topics. Returns an exit code, and the result of the last one. */
static int
join_topics(struct ctl *c, char **argv, json_t **result)
{
	json_t *params;
	int code = EXIT_DONE;

	*result = NULL;
	for (unsigned i = 0; argv[i] != NULL && code == EXIT_DONE; i++) {
		json_decref(*result);
		*result = NULL;
		code = topic_params(c, argv[i], i == 0, &params);
		if (code != EXIT_DONE) {
			json_decref(params);
			break;
		}
		code = api_client_call(
		    &c->client, API_METHOD_join, params, NULL, result);
	}
	return code;
}

/* Prints our key: on standard error if standard output carries text of peers.
 */
static void
print_joined(struct ctl *c, const json_t *result)
{
	const char *key = "";
	int saved = 1;

	json_unpack((json_t *)result, "{s:s, s:b}", "public_key", &key, "saved",
	    &saved);
	if (c->exec == NULL && (c->given & OPT_KEEP) == 0)
		fprintf(stderr, "%s\n", key);
	else
		print_one(&c->print, result, "public_key");
	if (!saved)
		print_error("join", "the key could not be saved: it is lost"
				    " when the daemon exits");
}

static int
serve_next(struct ctl *c, json_int_t listener, bool once)
{
	struct accepted a;
	int code = accepted_take_next(c, listener, &a);

	if (code != EXIT_DONE)
		return code;
	if (c->exec == NULL) {
		code = stdio_splice_run(&c->client, a.sock, a.conn, once);
		return once ? code : EXIT_DONE;
	}
	code = accepted_run(c, &a);
	if (code != EXIT_DONE || !once)
		return code;
	if (accepted_wait(0) > 0)
		return EXIT_INTERRUPTED;
	return accepted_last_code();
}

static int
serve_topics(struct ctl *c, json_int_t listener)
{
	bool once = (c->given & OPT_ONCE) != 0;
	int code;

	if ((c->given & OPT_CHAT) != 0)
		return chat_run(c, listener);
	do {
		accepted_wait(ACCEPTED_COMMANDS_MAX - 1);
		code = serve_next(c, listener, once);
	} while (code == EXIT_DONE && !once);
	return code;
}

static int
check_options(const struct ctl *c)
{
	if ((c->given & OPT_KEEP) != 0 &&
	    (c->given & (OPT_EXEC | OPT_CHAT | OPT_ONCE)) != 0)
		return usage_error("join", "--keep leaves the topic to the"
					   " daemon, which runs no command:"
					   " give it alone");
	if ((c->given & OPT_EXEC) != 0 && (c->given & OPT_CHAT) != 0)
		return usage_error("join", "give one of --exec and --chat");
	return EXIT_DONE;
}

int
cmd_join(struct ctl *c, char **argv)
{
	json_int_t listener = 0;
	json_t *result;
	int code = check_options(c);

	if (code != EXIT_DONE)
		return code;
	accepted_catch_exits();
	code = join_topics(c, argv, &result);
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:I}", "listener", &listener);
		print_joined(c, result);
		if (!print_flush())
			code = EXIT_FAILED;
	}
	json_decref(result);
	if (code != EXIT_DONE || (c->given & OPT_KEEP) != 0)
		return code;
	return serve_topics(c, listener);
}

/* ---- lists ---- */

static const struct column topics_columns[] = {
    {"topic", "TOPIC", UNIT_NONE},
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"server", "SERVER", UNIT_NONE},
    {"client", "CLIENT", UNIT_NONE},
    {"connected", "CONNECTED", UNIT_NONE},
    {"peers", "PEERS", UNIT_NONE},
    {"err_name", "LAST REFRESH", UNIT_NONE},
    {"next_ms", "NEXT IN", UNIT_MS},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_topics(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(
	    c, API_METHOD_topics, "topics", topics_columns, NULL);
}

static const struct column peers_columns[] = {
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"state", "STATE", UNIT_NONE},
    {"attempts", "ATTEMPTS", UNIT_NONE},
    {"age_ms", "SINCE", UNIT_MS},
    {"next_ms", "NEXT IN", UNIT_MS},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_peers(struct ctl *c, char **argv)
{
	return call_and_print_pages_of(
	    c, API_METHOD_peers, "peers", peers_columns, "topic", argv[0]);
}
