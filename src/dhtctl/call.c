/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "dhtctl/dhtctl.h"

enum { CALL_FIELDS_MAX = 32 /* fields that call_method() prints */ };

int
call_and_print(struct ctl *c, enum api_method_id method, json_t *params,
    const struct column *lines)
{
	json_t *result;
	int code = api_client_call(&c->client, method, params, NULL, &result);

	if (code == EXIT_DONE)
		print_object(&c->print, result, lines);
	json_decref(result);
	return code;
}

void
add_allow(const struct ctl *c, json_t *params)
{
	json_t *allow;

	if (c->allow_len == 0)
		return;
	allow = json_array();
	for (unsigned i = 0; i < c->allow_len; i++)
		json_array_append_new(allow, json_string(c->allow[i]));
	json_object_set_new(params, "allow", allow);
}

/* Returns an argument as the JSON value of its parameter. */
static json_t *
argument_value(const struct api_field *param, const char *text)
{
	if (param->type == API_BOOL)
		return json_boolean(strcmp(text, "yes") == 0);
	if (param->type == API_UINT)
		return json_integer(strtoll(text, NULL, 10));
	return json_string(text);
}

int
call_method(struct ctl *c, char **argv)
{
	const struct api_method *m = &api_methods[c->command->method];
	struct column lines[CALL_FIELDS_MAX + 1] = {{NULL, NULL, UNIT_NONE}};
	json_t *params = json_object();

	for (unsigned i = 0; argv[i] != NULL; i++)
		json_object_set_new(params, m->params[i].name,
		    argument_value(&m->params[i], argv[i]));
	for (unsigned i = 0; i < CALL_FIELDS_MAX && m->results[i].name != NULL;
	     i++)
		lines[i] = (struct column){
		    m->results[i].name, m->results[i].name, UNIT_NONE};
	return call_and_print(c, c->command->method, params, lines);
}

/* A list that is printed page by page. */
struct paged_list {
	enum api_method_id method;
	const char *name;
	const char *param, *value; /* beside the cursor, or NULL */
	void (*amend)(json_t *item);
};

/* Prints one page, and sets *next to NULL if it was the last. */
static int
print_page(struct ctl *c, const struct paged_list *l, json_t **next)
{
	json_t *params = json_object(), *result, *item;
	size_t i;
	int code;

	if (*next != NULL)
		json_object_set_new(params, "cursor", *next);
	*next = NULL;
	if (l->param != NULL)
		json_object_set_new(params, l->param, json_string(l->value));
	code = api_client_call(&c->client, l->method, params, NULL, &result);
	if (code != EXIT_DONE)
		return code;
	json_array_foreach(json_object_get(result, l->name), i, item)
	{
		if (l->amend != NULL && c->print.format == PRINT_TEXT)
			l->amend(item);
		print_item(&c->print, item);
	}
	if (json_is_integer(json_object_get(result, "next")))
		*next = json_incref(json_object_get(result, "next"));
	json_decref(result);
	return EXIT_DONE;
}

static int
print_pages(
    struct ctl *c, const struct paged_list *l, const struct column *columns)
{
	json_t *next = NULL;
	int code;

	print_begin(&c->print, l->name, columns);
	do {
		code = print_page(c, l, &next);
	} while (code == EXIT_DONE && next != NULL);
	if (code == EXIT_DONE)
		print_end(&c->print, NULL);
	json_decref(next);
	return code;
}

int
call_and_print_pages(struct ctl *c, enum api_method_id method, const char *list,
    const struct column *columns, void (*amend)(json_t *item))
{
	const struct paged_list l = {
	    .method = method, .name = list, .amend = amend};

	return print_pages(c, &l, columns);
}

int
call_and_print_pages_of(struct ctl *c, enum api_method_id method,
    const char *list, const struct column *columns, const char *param,
    const char *value)
{
	const struct paged_list l = {
	    .method = method, .name = list, .param = param, .value = value};

	return print_pages(c, &l, columns);
}
