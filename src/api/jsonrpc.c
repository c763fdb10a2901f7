/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/jsonrpc.h"
#include "base/err.h"

static int
err_of_code(enum api_code code)
{
	switch (code) {
	case API_ERR_METHOD:
		return ERR_UNKNOWN;
	case API_ERR_PARAMS:
		return ERR_VALUE;
	case API_ERR_DENIED:
		return ERR_REFUSED;
	case API_ERR_LIMIT:
		return ERR_LIMIT;
	default:
		return ERR_MALFORMED;
	}
}

int
api_error_set(
    struct api_error *e, enum api_code code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->data = data;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return err_of_code(code);
}

int
api_error_explain(
    struct api_error *e, int err, const char *what, const char *text)
{
	api_error_set(e, API_ERR_FAILED,
	    json_pack(
		"{s:s, s:s}", "err_name", err_name(err), "err_text", text),
	    "%s: %s", what, text);
	return err;
}

int
api_error_failed(struct api_error *e, int err, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return api_error_explain(e, err, what, err_text(err));
}

int
api_error_param(struct api_error *e, const char *param, const char *problem,
    const char *expected)
{
	return api_error_set(e, API_ERR_PARAMS,
	    json_pack("{s:o*, s:s, s:s}", "param", jsonrpc_text(param),
		"problem", problem, "expected", expected),
	    "parameter \"%s\" %s; expected %s", param, problem, expected);
}

json_t *
jsonrpc_text(const char *text)
{
	char plain[API_ERROR_TEXT_MAX];
	json_t *j = json_string(text);
	size_t len = 0;

	if (j != NULL)
		return j;
	for (; text[len] != '\0' && len < sizeof plain - 1; len++)
		plain[len] = (unsigned char)text[len] < 0x80 ? text[len] : '?';
	plain[len] = '\0';
	return json_string(plain);
}

json_t *
jsonrpc_result(json_t *id, json_t *result)
{
	if (result == NULL)
		return NULL;
	return json_pack(
	    "{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result);
}

json_t *
jsonrpc_error(json_t *id, struct api_error *e)
{
	json_t *j = json_pack(
	    "{s:i, s:o}", "code", e->code, "message", jsonrpc_text(e->text));

	if (j != NULL && e->data != NULL)
		json_object_set(j, "data", e->data);
	json_decref(e->data);
	e->data = NULL;
	if (j == NULL)
		return NULL;
	return json_pack(
	    "{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", j);
}

json_t *
jsonrpc_notification(const char *method, json_t *params)
{
	if (params == NULL)
		return NULL;
	return json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method,
	    "params", params);
}
