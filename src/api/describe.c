/* SPDX-License-Identifier: ISC */
#include "api/api.h"
#include "base/err.h"

static json_t *describe_fields(const struct api_field *fields);

static json_t *
describe_field(const struct api_field *f)
{
	json_t *j = json_pack("{s:s, s:s, s:b, s:s}", "name", f->name, "type",
	    api_type_name(f->type), "required", f->required, "text", f->text);

	if (j != NULL && f->max != 0)
		json_object_set_new(j, "max", json_integer((json_int_t)f->max));
	if (j != NULL && f->of != NULL)
		json_object_set_new(j, "of", describe_fields(f->of));
	return j;
}

/* Recurses two levels at most, because the table is constant. */
static json_t *
describe_fields(const struct api_field *fields)
{
	json_t *list = json_array();

	for (; fields->name != NULL; fields++)
		json_array_append_new(list, describe_field(fields));
	return list;
}

static json_t *
describe_errors(const int *errors)
{
	json_t *list = json_array();

	for (; *errors != 0; errors++)
		json_array_append_new(list, json_string(err_name(*errors)));
	return list;
}

static json_t *
describe_method(const struct api_method *m)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "name",
	    m->name, "text", m->text, "access", api_access_name(m->access),
	    "upgrades", m->answer == API_STREAM, "errors",
	    describe_errors(m->errors), "params", describe_fields(m->params),
	    "results", describe_fields(m->results));

	if (j != NULL && m->note != NULL)
		json_object_set_new(j, "notification",
		    json_pack("{s:s, s:o}", "name", m->note, "params",
			describe_fields(m->note_fields)));
	return j;
}

static json_t *
describe_methods(const struct api_method *only)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < API_METHODS; i++) {
		if (only == NULL || only == &api_methods[i])
			json_array_append_new(
			    list, describe_method(&api_methods[i]));
	}
	return list;
}

static json_t *
describe_types(void)
{
	json_t *list = json_array();

	for (enum api_type t = API_TEXT; t < API_TYPES; t++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "name", api_type_name(t),
			      "text", api_type_text(t)));
	return list;
}

static json_t *
describe_events(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < API_EVENTS; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "name", api_events[i].name,
			      "text", api_events[i].text));
	return list;
}

static json_t *
describe_codes(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < api_codes_len; i++)
		json_array_append_new(list,
		    json_pack("{s:i, s:s}", "code", (int)api_codes[i].code,
			"text", api_codes[i].text));
	return list;
}

static json_t *
describe_reasons(void)
{
	json_t *list = json_array();

	for (int err = 0; err > -ERR_INDEX_MAX; err--)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "err_name", err_name(err),
			      "err_text", err_text(err)));
	return list;
}

json_t *
api_describe(const struct api_method *only, const char *version)
{
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "protocol",
	    API_PROTOCOL, "version", version, "types", describe_types(),
	    "methods", describe_methods(only), "events", describe_events(),
	    "codes", describe_codes(), "reasons", describe_reasons());
}
