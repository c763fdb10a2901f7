/* SPDX-License-Identifier: ISC */
/*
 * api.h - the schema of the control protocol: methods, fields, events, codes.
 *
 * The protocol is newline-delimited JSON-RPC 2.0 over a UNIX socket, see
 * doc/control-protocol.md. Each list is one table: methods.def holds a row per
 * method, the lists below one per type, event and error code. Requests are
 * checked against it (api_request.h), results are written by it
 * (api_writer.h), `describe` returns it, and the documentation is generated
 * from it. This module opens no socket and runs no method.
 * Uses: base, jansson, libsodium.
 */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	API_PROTOCOL = 1, /* incremented when an existing program would break */
	API_LINE_MAX = 65536, /* bytes of a line with its newline, both ways */
	API_DEPTH_MAX = 16,   /* levels of nested arrays and objects */
	API_PARAMS_MAX = 8,   /* parameters of one method */
	API_B64_PARAMS_MAX = 2, /* of these, of type API_B64 */
	API_ID_TEXT_MAX = 128,  /* bytes of a request id that is a string */
	API_VALUE_MAX = 1000,   /* bytes of a value, protocol 02 §4 */
	API_PAGE_MAX = 128,     /* elements of a list in one result */
	API_ATTEMPTS_MAX = 4,   /* elements of explain's, which are longer */
	API_KEYS_MAX = 64,      /* keys in one parameter */
	API_ADDRS_MAX = 8,      /* addresses in one parameter */
};

/* Access of a caller. Each level includes the ones before it. */
#define API_ACCESS_LIST(X)                                                     \
	X(NOBODY, "nobody")                                                    \
	X(READ, "read")                                                        \
	X(USER, "user")                                                        \
	X(ADMIN, "admin")

enum api_access {
#define X(access, name) API_##access,
	API_ACCESS_LIST(X)
#undef X
};

/* clang-format off */
#define API_TYPE_LIST(X) \
	X(TEXT, "text", "a string") \
	X(UINT, "uint", "an integer from 0, at most 2^53 - 1") \
	X(BOOL, "bool", "true or false") \
	X(KEY, "key", \
	    "a public key, 52 characters of z-base-32 or base32, or 64 hex" \
	    " digits") \
	X(HASH, "hash", \
	    "32 bytes, 64 hex digits or 52 characters of z-base-32") \
	X(TOPIC, "topic", "64 hex digits, or any text that is not empty") \
	X(ADDR, "address", "an address and port such as 192.0.2.1:49737") \
	X(B64, "base64", "base64 with padding, of 1 to 1000 bytes") \
	X(KEYS, "keys", "an array of at most 64 public keys") \
	X(ADDRS, "addresses", "an array of at most 8 addresses") \
	X(ID, "id", "an integer, or a string of 128 bytes at most") \
	X(LIST, "list", "an array") \
	X(OBJECT, "object", "an object")
/* clang-format on */

enum api_type {
#define X(type, name, text) API_##type,
	API_TYPE_LIST(X)
#undef X
	    API_TYPES
};

/* A parameter, or a field of a result, notification or list element. */
struct api_field {
	const char *name; /* NULL terminates a list of fields */
	enum api_type type;
	bool required; /* parameter: must be given; field: never null */
	const char *text;
	uint64_t max;               /* API_UINT: largest value; 0: 2^53 - 1 */
	const struct api_field *of; /* API_LIST: fields of its elements */
};

/* When a method is answered. */
enum api_answer {
	API_NOW,   /* before its handler returns */
	API_LATER, /* when the operation that it starts ends */
	/*
	 * Like API_LATER. After the result the connection is the peer's byte
	 * stream. Whatever follows the request's line belongs to the stream,
	 * so an error is the last line before the daemon closes.
	 */
	API_STREAM,
};

enum api_method_id {
#define OBJECT(name, fields)
#define METHOD(name, ...) API_METHOD_##name,
#include "api/methods.def"
#undef METHOD
#undef OBJECT
	API_METHODS
};

struct api_method {
	const char *name, *text;
	enum api_access access;
	enum api_answer answer;
	const int *errors; /* codes of err.h that it may fail with; 0 ends it */
	const struct api_field *params, *results;
	/* Notification sent before the result (watch: after), or NULL. */
	const char *note;
	const struct api_field *note_fields;
};

extern const struct api_method api_methods[API_METHODS];

/* Fields of the notifications "hello" and "dropped" of a connection. */
extern const struct api_field *const api_hello_fields;
extern const struct api_field *const api_dropped_fields;

/* Makes jansson wipe memory before it is freed, because a request may contain
 * a secret. Must be called before any JSON value is created. */
void api_init(void);

/* Returns the method of that name, or NULL. */
const struct api_method *api_method_find(const char *name);

/* Returns whether the method may fail with the err_name of that text. */
bool api_method_may_fail(const struct api_method *m, const char *name);

enum api_method_id api_method_id(const struct api_method *m);

/* Events that `watch` reports. */
/* clang-format off */
#define API_EVENT_LIST(X) \
	X(BOOTSTRAPPED, "bootstrapped", "the node has joined the network") \
	X(PERSISTENT, "persistent", "the node became persistent") \
	X(EPHEMERAL, "ephemeral", "the node became ephemeral again") \
	X(ADDRESS, "address", "the public address changed") \
	X(HEALTH, "health", "the state of the node changed") \
	X(WAKEUP, "wakeup", "the machine resumed from suspend") \
	X(ANNOUNCED, "announced", "a topic was announced again") \
	X(LISTENING, "listening", \
	    "the nodes that forward to a listener changed") \
	X(CONNECTION, "connection", \
	    "a connection is open, has moved to another path, was closed or" \
	    " was refused") \
	X(PEER, "peer", \
	    "a peer of a topic was found, connected, lost or refused") \
	X(OFFER, "offer", "a peer waits for `answer` before it is connected") \
	X(STOPPING, "stopping", "the daemon is stopping")
/* clang-format on */

enum api_event {
#define X(event, name, text) API_EV_##event,
	API_EVENT_LIST(X)
#undef X
	    API_EVENTS
};

struct api_event_info {
	const char *name, *text;
};

extern const struct api_event_info api_events[API_EVENTS];

/* Returns the event of that name, or -1. */
int api_event_find(const char *name);

/* JSON-RPC error codes. */
/* clang-format off */
#define API_CODE_LIST(X) \
	X(PARSE, -32700, \
	    "the line is not JSON, too long or nested too deeply") \
	X(REQUEST, -32600, "the line is JSON, but not a request") \
	X(METHOD, -32601, "no method has this name") \
	X(PARAMS, -32602, \
	    "a parameter is not valid; data: param, problem, expected") \
	X(FAILED, -32000, "the operation failed; data: err_name, err_text") \
	X(DENIED, -32001, \
	    "the caller lacks the access required; data: need, have") \
	X(LIMIT, -32002, "too many requests of this client are in progress," \
	    " or too many clients are connected")
/* clang-format on */

enum api_code {
#define X(code, number, text) API_ERR_##code = (number),
	API_CODE_LIST(X)
#undef X
};

struct api_code_info {
	enum api_code code;
	const char *text;
};

extern const struct api_code_info api_codes[];
extern const unsigned api_codes_len;

const char *api_access_name(enum api_access a);
const char *api_type_name(enum api_type t);

/* Returns a description of the values that the type accepts. */
const char *api_type_text(enum api_type t);

/* Returns the result of `describe`: all methods, or one; NULL if memory is
 * exhausted. */
json_t *api_describe(const struct api_method *only, const char *version);

#endif
