/* SPDX-License-Identifier: ISC */
#include "dhtctl/resolve_name.h"

#include <string.h>

#include "dhtctl/dhtctl.h"

enum { NAME_MAX_LEN = 32 /* shorter than any text of a key */ };

/* Returns whether the daemon accepts the text as a name. */
static bool
is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= NAME_MAX_LEN &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Asks the daemon, and sets *key to a new string, or to NULL if the value is no
 * name. */
static int
ask_daemon(struct api_client *cl, const json_t *value, json_t **key)
{
	const char *text = json_string_value(value);
	bool dials = cl->dials, patient = cl->patient;
	json_t *result;
	int code;

	*key = NULL;
	if (text == NULL || !is_name(text))
		return EXIT_DONE;
	cl->dials = cl->patient = false;
	code = api_client_call(cl, API_METHOD_name_show,
	    json_pack("{s:s}", "name", text), NULL, &result);
	cl->dials = dials;
	cl->patient = patient;
	if (code == EXIT_DONE)
		*key = json_incref(json_object_get(result, "public_key"));
	json_decref(result);
	return code;
}

static int
resolve_list(struct api_client *cl, json_t *list)
{
	int code = EXIT_DONE;
	json_t *key;

	for (size_t i = 0; code == EXIT_DONE && i < json_array_size(list);
	     i++) {
		code = ask_daemon(cl, json_array_get(list, i), &key);
		if (key != NULL)
			json_array_set_new(list, i, key);
	}
	return code;
}

int
resolve_names(struct api_client *cl, enum api_method_id method, json_t *params)
{
	const struct api_field *p = api_methods[method].params;
	int code = EXIT_DONE;
	json_t *key;

	for (; code == EXIT_DONE && p->name != NULL; p++) {
		json_t *value = json_object_get(params, p->name);

		if (p->type == API_KEYS)
			code = resolve_list(cl, value);
		if (p->type != API_KEY)
			continue;
		code = ask_daemon(cl, value, &key);
		if (key != NULL)
			json_object_set_new(params, p->name, key);
	}
	return code;
}
