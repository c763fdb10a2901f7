/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/message.h"
#include "base/err.h"

int
fault_set(struct fault *f, int code, json_t *data, const char *fmt, ...)
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
fault_failed(struct fault *f, int err, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return fault_set(f, API_ERR_FAILED,
	    json_pack("{s:s, s:s}", "err_name", err_name(err), "err_text",
		err_text(err)),
	    "%s: %s", what, err_text(err));
}

int
fault_param(struct fault *f, const char *param, const char *problem,
    const char *expected)
{
	return fault_set(f, API_ERR_PARAMS,
	    json_pack("{s:o*, s:s, s:s}", "param", message_text(param),
		"problem", problem, "expected", expected),
	    "parameter \"%s\" %s; expected %s", param, problem, expected);
}

json_t *
message_text(const char *text)
{
	char plain[FAULT_TEXT_MAX];
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
message_result(json_t *id, json_t *result)
{
	if (result == NULL)
		return NULL;
	return json_pack(
	    "{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result);
}

json_t *
message_fault(json_t *id, struct fault *f)
{
	json_t *e = json_pack(
	    "{s:i, s:o}", "code", f->code, "message", message_text(f->text));

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
message_note(const char *method, json_t *params)
{
	if (params == NULL)
		return NULL;
	return json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method,
	    "params", params);
}
