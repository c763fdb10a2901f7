/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_writer.h"
#include "api/jsonrpc.h"
#include "api/text.h"

/* ---- fields ---- */

static const struct api_field *
find_field(const struct api_writer *w, const char *name)
{
	const struct api_field *f = w->fields;

	while (f->name != NULL && strcmp(f->name, name) != 0)
		f++;
	return f->name != NULL ? f : NULL;
}

/* Returns whether a value of that JSON type is one of the declared type. */
static bool
type_fits(enum api_type declared, const json_t *value)
{
	switch (declared) {
	case API_UINT:
		return json_is_integer(value) && json_integer_value(value) >= 0;
	case API_BOOL:
		return json_is_boolean(value);
	case API_ID:
		return json_is_integer(value) || json_is_string(value);
	case API_LIST:
	case API_KEYS:
	case API_ADDRS:
		return json_is_array(value);
	case API_OBJECT:
		return json_is_object(value);
	default:
		return json_is_string(value);
	}
}

static bool
field_fits(const struct api_writer *w, const char *name, const json_t *value)
{
	const struct api_field *f = find_field(w, name);

	if (f == NULL || json_object_get(w->object, name) != NULL)
		return false;
	return json_is_null(value) ? !f->required : type_fits(f->type, value);
}

/*
 * Reports that our own code does not keep to the schema: an abort in builds of
 * developers and of the tests (--enable-werror), nothing in releases, where a
 * field too few is better than no daemon.
 */
static void
check_schema(bool kept)
{
#ifdef API_CHECK_SCHEMA
	assert(kept);
#else
	(void)kept;
#endif
}

/* Makes the writer yield no object. */
static void
fail_writer(struct api_writer *w)
{
	json_decref(w->object);
	w->object = NULL;
}

/* Takes value, which is NULL if memory ran out. */
static void
write_value(struct api_writer *w, const char *name, json_t *value)
{
	bool fits = true;

	if (w->object != NULL && value != NULL)
		fits = field_fits(w, name, value);
	check_schema(fits);
	if (w->object == NULL || !fits)
		json_decref(value);
	else if (json_object_set_new(w->object, name, value) != 0)
		fail_writer(w);
}

/* ---- objects ---- */

void
api_writer_init(struct api_writer *w, const struct api_field *fields)
{
	*w = (struct api_writer){.object = json_object(), .fields = fields};
}

static bool
is_complete(const struct api_writer *w)
{
	for (const struct api_field *f = w->fields; f->name != NULL; f++) {
		if (f->required && json_object_get(w->object, f->name) == NULL)
			return false;
	}
	return true;
}

json_t *
api_writer_take(struct api_writer *w)
{
	json_t *object = w->object;

	check_schema(object == NULL || is_complete(w));
	w->object = NULL;
	return object;
}

void
api_writer_drop(struct api_writer *w)
{
	fail_writer(w);
}

/* ---- values ---- */

void
api_write_text(struct api_writer *w, const char *name, const char *text)
{
	write_value(w, name, text != NULL ? jsonrpc_text(text) : json_null());
}

void
api_write_uint(struct api_writer *w, const char *name, uint64_t n)
{
	write_value(w, name, json_integer((json_int_t)n));
}

void
api_write_bool(struct api_writer *w, const char *name, bool b)
{
	write_value(w, name, json_boolean(b));
}

void
api_write_null(struct api_writer *w, const char *name)
{
	write_value(w, name, json_null());
}

void
api_write_bytes32(struct api_writer *w, const char *name, const uint8_t *bytes)
{
	const struct api_field *f = find_field(w, name);
	char z32[TEXT_Z32_MAX], hex[TEXT_HEX_MAX];

	if (bytes == NULL)
		api_write_null(w, name);
	else if (f != NULL && f->type == API_KEY)
		write_value(w, name, json_string(text_z32(z32, bytes)));
	else
		write_value(w, name, json_string(text_hex(hex, bytes)));
}

void
api_write_addr(struct api_writer *w, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	api_write_text(
	    w, name, a->family != ADDR_NONE ? addr_format(a, text) : NULL);
}

void
api_write_base64(
    struct api_writer *w, const char *name, const void *bytes, size_t len)
{
	char *text = text_b64(bytes, len);

	write_value(w, name, text != NULL ? json_string(text) : NULL);
	free(text);
}

void
api_write_id(struct api_writer *w, const char *name, json_t *id)
{
	write_value(w, name, json_incref(id));
}

void
api_write_json(struct api_writer *w, const char *name, json_t *json)
{
	write_value(w, name, json);
}

void
api_write_members(struct api_writer *w, json_t *object)
{
	const char *name;
	json_t *value;

	if (object == NULL)
		fail_writer(w);
	json_object_foreach(object, name, value)
	    write_value(w, name, json_incref(value));
	json_decref(object);
}

/* ---- lists ---- */

void
api_write_list(struct api_writer *w, const char *name)
{
	write_value(w, name, json_array());
}

/* Takes value. */
static void
append_value(struct api_writer *w, const char *name, json_t *value)
{
	json_t *list = json_object_get(w->object, name);

	assert(w->object == NULL || list != NULL);
	if (w->object == NULL)
		json_decref(value);
	else if (json_array_append_new(list, value) != 0)
		fail_writer(w);
}

void
api_append_text(struct api_writer *w, const char *name, const char *text)
{
	append_value(w, name, jsonrpc_text(text));
}

void
api_item_init(
    struct api_writer *item, const struct api_writer *w, const char *name)
{
	const struct api_field *f = find_field(w, name);

	assert(f != NULL && f->type == API_LIST && f->of != NULL);
	api_writer_init(item, f->of);
}

void
api_append_item(struct api_writer *w, const char *name, struct api_writer *item)
{
	append_value(w, name, api_writer_take(item));
}
