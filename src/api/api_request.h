/* SPDX-License-Identifier: ISC */
/*
 * api_request.h - parses one line of the control socket and checks it against
 * the schema.
 *
 * A pure function of the line: any input yields either a request with valid
 * parameters or an error with a description of what is wrong. Uses: base,
 * jansson.
 */
#ifndef API_API_REQUEST_H
#define API_API_REQUEST_H

#include "api/api.h"
#include "api/jsonrpc.h"
#include "base/addr.h"

/* An argument, by the type of its parameter; all zero if it is absent. */
struct api_value {
	bool set;
	bool yes;             /* API_BOOL */
	uint64_t uint;        /* API_UINT */
	uint8_t key[32];      /* API_KEY, API_HASH, API_TOPIC */
	struct addr addr;     /* API_ADDR */
	const char *text;     /* API_TEXT */
	const json_t *id;     /* API_ID */
	const uint8_t *bytes; /* API_B64: in api_request.bytes */
	size_t bytes_len;
	const json_t *list; /* API_KEYS, API_ADDRS: array of valid strings */
};

struct api_request {
	json_t *line; /* owned; the other pointers borrow from it */
	json_t *id;   /* string or integer; NULL if it was not readable */
	const struct api_method *method;
	struct api_value values[API_PARAMS_MAX]; /* as in method->params */
	uint8_t bytes[API_B64_PARAMS_MAX * API_VALUE_MAX]; /* API_B64 */
	size_t bytes_len; /* used by the parameters read so far */
};

/*
 * Parses a line of len bytes. Returns 0, or a negative code with *e set. In
 * both cases the caller must call api_request_fini().
 */
int api_request_parse(
    struct api_request *rq, struct api_error *e, const char *line, size_t len);

/* Frees the request and wipes its bytes, which may be a secret. */
void api_request_fini(struct api_request *rq);

/* Reads the i-th element of a list of keys or addresses. Returns false at the
 * end of the list. */
bool api_value_key(const struct api_value *v, size_t i, uint8_t key[32]);
bool api_value_addr(const struct api_value *v, size_t i, struct addr *a);

/* Returns the argument of that name, which the method must declare. */
const struct api_value *api_request_value(
    const struct api_request *rq, const char *name);

#endif
