/* SPDX-License-Identifier: ISC */
/*
 * api_request.h - one line of the control socket, read and checked.
 *
 * A pure function of the line: whatever a program may send, it gives a checked
 * request or a fault that says what was wrong. Uses: base, jansson.
 */
#ifndef API_API_REQUEST_H
#define API_API_REQUEST_H

#include "api/api.h"
#include "api/jsonrpc.h"
#include "base/addr.h"

/* An argument, by the type of its parameter; all zero if it was not given. */
struct api_value {
	bool set;
	bool yes;           /* API_BOOL */
	uint64_t uint;      /* API_UINT */
	uint8_t key[32];    /* API_KEY, API_HASH, API_TOPIC */
	struct addr addr;   /* API_ADDR */
	const char *text;   /* API_TEXT */
	const json_t *id;   /* API_ID */
	size_t bytes_len;   /* API_B64: of request.bytes */
	const json_t *list; /* API_KEYS, API_ADDRS: of texts that are good */
};

struct api_request {
	json_t *line; /* what was sent; the rest borrows from it */
	json_t *id;   /* string or integer; NULL if it was not readable */
	const struct api_method *method;
	struct api_value values[API_PARAMS_MAX]; /* as in method->params */
	uint8_t bytes[API_VALUE_MAX];            /* of the API_B64 parameter */
};

/*
 * 0, or -1 and *f. Either way the caller must api_request_fini(), which leaves
 * *f alone and wipes the bytes, which may be a secret.
 */
int api_request_parse(
    struct api_request *rq, struct api_error *f, const char *line, size_t len);
void api_request_fini(struct api_request *rq);

/* The i-th of a list of keys or addresses; false at its end. */
bool api_request_key(const struct api_value *v, size_t i, uint8_t key[32]);
bool api_request_addr(const struct api_value *v, size_t i, struct addr *a);

/* The argument of that name, which the method must have. */
const struct api_value *api_request_value(
    const struct api_request *rq, const char *name);

#endif
