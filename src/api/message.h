/* SPDX-License-Identifier: ISC */
/*
 * message.h - the lines that go back: results, faults, notifications.
 *
 * Uses: base, jansson.
 */
#ifndef API_MESSAGE_H
#define API_MESSAGE_H

#include "api/api.h"

enum { FAULT_TEXT_MAX = 640 };

struct fault {
	int code; /* enum api_code */
	char text[FAULT_TEXT_MAX];
	json_t *data; /* or NULL; owned */
};

/*
 * Sets *f; takes data, which may be NULL. Returns -1, so that a check may end
 * in it, as may the two below.
 */
int fault_set(struct fault *f, int code, json_t *data, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A failed operation: err of err.h; fmt says what was tried. */
int fault_failed(struct fault *f, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of one parameter will not do. */
int fault_param(struct fault *f, const char *param, const char *problem,
    const char *expected);

/* A string of any bytes: those that are not UTF-8 are shown as '?'. */
json_t *message_text(const char *text);

/*
 * Whole messages, NULL if memory is short. id is shared, NULL stands for null;
 * result, params and f->data are taken.
 */
json_t *message_result(json_t *id, json_t *result);
json_t *message_fault(json_t *id, struct fault *f);
json_t *message_note(const char *method, json_t *params);

#endif
