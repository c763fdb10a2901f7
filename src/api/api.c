/* SPDX-License-Identifier: ISC */
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/err.h"

/* ---- methods ---- */

#define FIELD(n, t, ...)                                                       \
	{.name = #n, .type = API_##t, .required = true, .text = __VA_ARGS__},
#define MAYBE(n, t, ...) {.name = #n, .type = API_##t, .text = __VA_ARGS__},
#define ERRORS(...) __VA_ARGS__,
#define NO_ERRORS
#define PARAMS(fields) fields
#define RESULT(fields) fields
#define NOTE(name, fields) .note = (name), .note_fields = (fields)
#define NO_NOTE .note = NULL
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}

/* First the fields, then the rows that refer to them. */
#define OBJECT(name, fields)                                                   \
	static const struct api_field name[] = {fields END};
#define METHOD(n, access, answer, text, errors, params, result, note)          \
	static const int n##_errors[] = {errors 0};                            \
	static const struct api_field n##_params[] = {params END};             \
	static const struct api_field n##_result[] = {result END};
#include "api/methods.def"
#undef METHOD
#undef OBJECT

const struct api_method api_methods[API_METHODS] = {
#define OBJECT(name, fields)
#define METHOD(n, acc, ans, t, e, p, r, no)                                    \
	[API_METHOD_##n] = {.name = #n,                                        \
	    .text = (t),                                                       \
	    .access = API_##acc,                                               \
	    .answer = API_##ans,                                               \
	    .errors = n##_errors,                                              \
	    .params = n##_params,                                              \
	    .results = n##_result,                                             \
	    no},
#include "api/methods.def"
#undef METHOD
#undef OBJECT
};

const struct api_field *const api_hello_fields = hello_fields;
const struct api_field *const api_dropped_fields = dropped_fields;

const struct api_method *
api_method_find(const char *name)
{
	for (unsigned i = 0; i < API_METHODS; i++) {
		if (strcmp(api_methods[i].name, name) == 0)
			return &api_methods[i];
	}
	return NULL;
}

bool
api_method_may_fail(const struct api_method *m, const char *name)
{
	for (const int *err = m->errors; *err != 0; err++) {
		if (strcmp(err_name(*err), name) == 0)
			return true;
	}
	return false;
}

enum api_method_id
api_method_id(const struct api_method *m)
{
	return (enum api_method_id)(m - api_methods);
}

/* ---- events, codes, types ---- */

const struct api_event_info api_events[API_EVENTS] = {
#define X(event, name, text) {name, text},
    API_EVENT_LIST(X)
#undef X
};

int
api_event_find(const char *name)
{
	for (int i = 0; i < API_EVENTS; i++) {
		if (strcmp(api_events[i].name, name) == 0)
			return i;
	}
	return -1;
}

const struct api_code_info api_codes[] = {
#define X(code, number, text) {API_ERR_##code, text},
    API_CODE_LIST(X)
#undef X
};

const unsigned api_codes_len = sizeof api_codes / sizeof *api_codes;

const char *
api_access_name(enum api_access a)
{
	static const char *const names[] = {
#define X(access, name) name,
	    API_ACCESS_LIST(X)
#undef X
	};

	return names[a];
}

static const struct {
	const char *name, *text;
} types[] = {
#define X(type, name, text) {name, text},
    API_TYPE_LIST(X)
#undef X
};

const char *
api_type_name(enum api_type t)
{
	return types[t].name;
}

const char *
api_type_text(enum api_type t)
{
	return types[t].text;
}

/* ---- memory ---- */

static void
wipe_and_free(void *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

void
api_init(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}
