/* SPDX-License-Identifier: ISC */
/*
 * jsonrpc.h - the lines that go back: results, faults, notifications.
 *
 * Uses: base, jansson.
 */
#ifndef API_JSONRPC_H
#define API_JSONRPC_H

#include "api/api.h"

enum { API_ERROR_TEXT_MAX = 640 };

struct api_error {
	int code; /* enum api_code */
	char text[API_ERROR_TEXT_MAX];
	json_t *data; /* or NULL; owned */
};

/*
 * Sets *f; takes data, which may be NULL. Returns -1, so that a check may end
 * in it, as may the two below.
 */
int api_error_set(struct api_error *f, int code, json_t *data, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* A failed operation: err of err.h; fmt says what was tried. */
int api_error_failed(struct api_error *f, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of one parameter will not do. */
int api_error_param(struct api_error *f, const char *param, const char *problem,
    const char *expected);

/* A string of any bytes: those that are not UTF-8 are shown as '?'. */
json_t *jsonrpc_text(const char *text);

/*
 * Whole messages, NULL if memory is short. id is shared, NULL stands for null;
 * result, params and f->data are taken.
 */
json_t *jsonrpc_result(json_t *id, json_t *result);
json_t *jsonrpc_error(json_t *id, struct api_error *f);
json_t *jsonrpc_notification(const char *method, json_t *params);

#endif
