/* SPDX-License-Identifier: ISC */
#include "dhtctl/dhtctl.h"

int
call_and_print(struct ctl *c, const char *method, json_t *params,
    const struct column *lines)
{
	json_t *result;
	int code = client_call(&c->client, method, params, NULL, &result);

	if (code == EXIT_DONE)
		print_object(&c->print, result, lines);
	json_decref(result);
	return code;
}

/* Prints one page; *next is NULL if it was the last. */
static int
print_page(struct ctl *c, const char *method, const char *list, json_t **next,
    void (*amend)(json_t *item))
{
	json_t *params = json_object(), *result, *item;
	size_t i;
	int code;

	if (*next != NULL)
		json_object_set_new(params, "cursor", *next);
	*next = NULL;
	code = client_call(&c->client, method, params, NULL, &result);
	if (code != EXIT_DONE)
		return code;
	json_array_foreach(json_object_get(result, list), i, item)
	{
		if (amend != NULL && c->print.format == PRINT_TEXT)
			amend(item);
		print_item(&c->print, item);
	}
	if (json_is_integer(json_object_get(result, "next")))
		*next = json_incref(json_object_get(result, "next"));
	json_decref(result);
	return EXIT_DONE;
}

int
call_and_print_pages(struct ctl *c, const char *method, const char *list,
    const struct column *columns, void (*amend)(json_t *item))
{
	json_t *next = NULL;
	int code;

	print_begin(&c->print, list, columns);
	do {
		code = print_page(c, method, list, &next, amend);
	} while (code == EXIT_DONE && next != NULL);
	if (code == EXIT_DONE)
		print_end(&c->print, NULL);
	json_decref(next);
	return code;
}
