/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/jsonrpc.h"
#include "base/err.h"

int
api_error_set(struct api_error *f, int code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	f->code = code;
	f->data = data;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return -1;
}

int
api_error_failed(struct api_error *f, int err, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return api_error_set(f, API_ERR_FAILED,
	    json_pack("{s:s, s:s}", "err_name", err_name(err), "err_text",
		err_text(err)),
	    "%s: %s", what, err_text(err));
}

int
api_error_param(struct api_error *f, const char *param, const char *problem,
    const char *expected)
{
	return api_error_set(f, API_ERR_PARAMS,
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
jsonrpc_error(json_t *id, struct api_error *f)
{
	json_t *e = json_pack(
	    "{s:i, s:o}", "code", f->code, "message", jsonrpc_text(f->text));

	if (e != NULL && f->data != NULL)
		json_object_set(e, "data", f->data);
	json_decref(f->data);
	f->data = NULL;
	if (e == NULL)
		return NULL;
	return json_pack(
	    "{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", e);
}

json_t *
jsonrpc_notification(const char *method, json_t *params)
{
	if (params == NULL)
		return NULL;
	return json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method,
	    "params", params);
}
