/* SPDX-License-Identifier: ISC */
/*
 * jsonrpc.h - JSON-RPC 2.0 messages that the daemon sends: results, errors,
 * notifications.
 *
 * Uses: base, jansson.
 */
#ifndef API_JSONRPC_H
#define API_JSONRPC_H

#include "api/api.h"

enum { API_ERROR_TEXT_MAX = 640 };

/* A JSON-RPC error object. */
struct api_error {
	int code; /* enum api_code; 0: not set */
	char text[API_ERROR_TEXT_MAX];
	json_t *data; /* owned; NULL: none */
};

/*
 * Sets *e and takes ownership of data, which may be NULL. Returns the negative
 * code of err.h that corresponds to the code, so that a check can end with it.
 */
int api_error_set(struct api_error *e, enum api_code code, json_t *data,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Sets *e for an operation that failed with err of err.h, and returns err. fmt
 * names the operation. */
int api_error_failed(struct api_error *e, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with another text for err. what names the operation. */
int api_error_explain(
    struct api_error *e, int err, const char *what, const char *text);

/* Sets *e for a parameter whose value is not valid, and returns ERR_VALUE. */
int api_error_param(struct api_error *e, const char *param, const char *problem,
    const char *expected);

/* Returns a JSON string. In a text that is not UTF-8, bytes above 0x7f are
 * replaced with '?'. */
json_t *jsonrpc_text(const char *text);

/*
 * Each returns a whole message, or NULL if memory is exhausted. id is shared,
 * NULL writes null; result, params and e->data are taken, and a NULL result or
 * params yields NULL.
 */
json_t *jsonrpc_result(json_t *id, json_t *result);
json_t *jsonrpc_error(json_t *id, struct api_error *e);
json_t *jsonrpc_notification(const char *method, json_t *params);

#endif
