/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/text.h"
#include "dhtctl/dhtctl.h"

/* Other programs may store longer values than we do, up to a datagram. */
enum { VALUE_FOUND_MAX = 2048 };

/* ---- put ---- */

/* Reads the value to store. Returns its length, or reports an error and returns
 * -1. */
static int
read_value(const char *arg, char buf[API_VALUE_MAX + 1])
{
	size_t len;

	if (arg != NULL) {
		len = strnlen(arg, API_VALUE_MAX + 1);
		memcpy(buf, arg, len);
	} else {
		len = fread(buf, 1, API_VALUE_MAX + 1, stdin);
		if (ferror(stdin)) {
			print_error("put", "cannot read standard input: %s",
			    strerror(errno));
			return -1;
		}
	}
	if (len == 0)
		usage_error("put", "the value is empty");
	else if (len > API_VALUE_MAX)
		usage_error("put",
		    "the value is too long: at most %d bytes fit",
		    API_VALUE_MAX);
	else
		return (int)len;
	return -1;
}

/* Returns an exit code, and the parameters if it is EXIT_DONE. */
static int
put_params(struct ctl *c, const char *value, int len, json_t **params)
{
	char *text = text_b64(value, (size_t)len);
	int code;

	*params = json_pack("{s:s}", "value_b64", text);
	free(text);
	if ((c->given & OPT_SEQ) != 0)
		json_object_set_new(
		    *params, "seq", json_integer((json_int_t)c->seq));
	code = add_identity(c, *params);
	if (code != EXIT_DONE)
		json_decref(*params);
	return code;
}

static int
check_mutable(const struct ctl *c)
{
	static const unsigned needs[] = {OPT_SEQ, OPT_KEY, OPT_NAME};

	for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
		if ((c->given & OPT_MUTABLE) == 0 && (c->given & needs[i]) != 0)
			return usage_error(c->command->name,
			    "--seq, --key and --name require --mutable");
	return EXIT_DONE;
}

static void
print_put(const json_t *result)
{
	const json_t *seq = json_object_get(result, "seq");
	int stored = (int)json_integer_value(json_object_get(result, "stored"));

	if (seq == NULL)
		print_hint("put", "stored at %d nodes", stored);
	else
		print_hint("put",
		    "stored at %d nodes, with sequence number %jd", stored,
		    (intmax_t)json_integer_value(seq));
}

int
cmd_put(struct ctl *c, char **argv)
{
	bool is_mutable = (c->given & OPT_MUTABLE) != 0;
	char value[API_VALUE_MAX + 1];
	json_t *params, *result;
	int len, code;

	if (check_mutable(c) != EXIT_DONE)
		return EXIT_USAGE;
	len = read_value(argv[0], value);
	if (len < 0)
		return EXIT_USAGE;
	code = put_params(c, value, len, &params);
	if (code != EXIT_DONE)
		return code;
	code = api_client_call(&c->client,
	    is_mutable ? API_METHOD_put_mutable : API_METHOD_put_immutable,
	    params, NULL, &result);
	if (code == EXIT_DONE) {
		print_one(
		    &c->print, result, is_mutable ? "public_key" : "hash");
		print_put(result);
	}
	json_decref(result);
	return code;
}

/* ---- get ---- */

/* Writes the bytes of the value and nothing else. */
static int
write_value(const json_t *result)
{
	const char *text =
	    json_string_value(json_object_get(result, "value_b64"));
	uint8_t value[VALUE_FOUND_MAX];
	size_t len;

	if (text == NULL ||
	    text_b64_parse(value, sizeof value, &len, text) != 0) {
		print_error("get", "the daemon sent no valid value");
		return EXIT_FAILED;
	}
	return fwrite(value, 1, len, stdout) == len ? EXIT_DONE : EXIT_FAILED;
}

int
cmd_get(struct ctl *c, char **argv)
{
	bool is_mutable = (c->given & OPT_MUTABLE) != 0;
	json_t *params, *result;
	int code;

	if (check_mutable(c) != EXIT_DONE)
		return EXIT_USAGE;
	params =
	    json_pack("{s:s}", is_mutable ? "public_key" : "hash", argv[0]);
	if (params != NULL && is_mutable)
		json_object_set_new(
		    params, "seq", json_integer((json_int_t)c->seq));
	code = api_client_call(&c->client,
	    is_mutable ? API_METHOD_get_mutable : API_METHOD_get_immutable,
	    params, NULL, &result);
	if (code == EXIT_DONE && c->print.format == PRINT_TEXT)
		code = write_value(result);
	else if (code == EXIT_DONE)
		print_whole(&c->print, result);
	json_decref(result);
	return code;
}
