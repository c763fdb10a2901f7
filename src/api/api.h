/* SPDX-License-Identifier: ISC */
/*
 * api.h - the control protocol in one table: what may be asked of hyperdhtd.
 *
 * Newline-delimited JSON-RPC 2.0 over a UNIX socket, doc/control-protocol.md.
 * From this table requests are checked (request.h), `describe` is answered, and
 * the protocol's manual and the shell completion are made. Knows the words of
 * the protocol; opens no socket and runs no method.
 * Uses: base, jansson, libsodium.
 */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	API_PROTOCOL = 1, /* rises when a program written for it would break */
	API_LINE_MAX = 65536,  /* bytes of a line with its newline, both ways */
	API_DEPTH_MAX = 16,    /* arrays and objects within each other */
	API_PARAMS_MAX = 6,    /* parameters of one method */
	API_ID_TEXT_MAX = 128, /* bytes of a request id that is a string */
	API_VALUE_MAX =
	    1000,           /* bytes of a value that can be put, protocol 02 */
	API_PAGE_MAX = 128, /* elements of a list in one reply */
	API_ATTEMPTS_MAX = 4, /* the same of explain, whose elements are long */
	API_KEYS_MAX = 64,    /* keys of a parameter */
	API_ADDRS_MAX = 8,    /* addresses of a parameter */
};

/* Who may call: each level may do all that the ones before it may. */
enum api_access { API_NOBODY, API_READ, API_USER, API_ADMIN };

enum api_type {
	API_TEXT,
	API_UINT,
	API_BOOL,
	API_KEY,   /* shown in z-base-32, read in z-base-32 or hex */
	API_HASH,  /* 32 bytes, shown in hex, read like a key */
	API_TOPIC, /* shown in hex; read in hex, or any text to be hashed */
	API_ADDR,  /* "192.0.2.1:49737" */
	API_B64,   /* bytes */
	API_KEYS,  /* a list of keys */
	API_ADDRS, /* a list of addresses */
	API_ID,    /* the id of a request */
	API_LIST,  /* of objects with the fields `of`, or of addresses */
	API_OBJECT,
};

/* A parameter, or a field of a result or notification. */
struct api_field {
	const char *name; /* NULL ends a list of fields */
	enum api_type type;
	bool required; /* parameter: must be given; field: never null */
	const char *text;
	uint64_t max;               /* API_UINT: largest value; 0: 2^53 - 1 */
	const struct api_field *of; /* API_LIST, API_OBJECT: what is in it */
};

struct api_method {
	const char *name, *text;
	enum api_access access;
	const struct api_field *params, *results;
	/* Sent any number of times before the reply (watch: after); or NULL. */
	const char *note;
	const struct api_field *note_fields;
	/*
	 * After its reply the connection is the peer's byte stream. What
	 * follows the request's line belongs to the stream, so if the request
	 * fails, the error is the last line.
	 */
	bool upgrades;
};

/* Before any JSON is made: from now on its memory is wiped when it is freed,
 * as there may be a secret in it. */
void api_init(void);

extern const struct api_method api_methods[];
extern const unsigned api_methods_len;

/* NULL if there is none of that name. */
const struct api_method *api_method_find(const char *name);

/* What `watch` reports. */
enum api_event {
	API_EV_BOOTSTRAPPED,
	API_EV_PERSISTENT,
	API_EV_EPHEMERAL,
	API_EV_ADDRESS,
	API_EV_HEALTH,
	API_EV_WAKEUP,
	API_EV_ANNOUNCED,
	API_EV_LISTENING,
	API_EV_STOPPING,
	API_EVENTS
};

struct api_event_info {
	const char *name, *text;
};

extern const struct api_event_info api_events[API_EVENTS];

/* The event of that name, or -1. */
int api_event_find(const char *name);

/* Codes of errors; those above -32100 are JSON-RPC's own or ours. */
enum api_code {
	API_ERR_PARSE = -32700,
	API_ERR_REQUEST = -32600,
	API_ERR_METHOD = -32601,
	API_ERR_PARAMS = -32602,
	API_ERR_FAILED = -32000, /* data: err_name, err_text of err.h */
	API_ERR_DENIED = -32001, /* data: need, have */
	API_ERR_LIMIT =
	    -32002, /* too many requests of one client, or clients */
};

struct api_code_info {
	enum api_code code;
	const char *text;
};

extern const struct api_code_info api_codes[];
extern const unsigned api_codes_len;

const char *api_access_name(enum api_access a);
const char *api_type_name(enum api_type t);

/* What is expected of a value of that type, in words. */
const char *api_type_text(enum api_type t);

/* The answer to `describe`: all methods, or one; NULL if memory is short. */
json_t *api_describe(const struct api_method *only, const char *version);

#endif
