/* SPDX-License-Identifier: ISC */
#include "api/text.h"
#include "control/control_client.h"

static json_t *
path_or_null(enum conn_path_kind path)
{
	static const char *const names[] = {
	    [CONN_PATH_DIRECT] = "direct",
	    [CONN_PATH_LAN] = "lan",
	    [CONN_PATH_PUNCHED] = "punched",
	    [CONN_PATH_RELAYED] = "relayed",
	};

	return path == CONN_PATH_NONE ? json_null() : json_string(names[path]);
}

/* ---- connections ---- */

static json_t *
connection_of(const struct node_conn *c)
{
	char key[TEXT_Z32_MAX], own[TEXT_Z32_MAX];
	json_t *j = json_pack("{s:I, s:o, s:s, s:s, s:b, s:o, s:o}", "conn",
	    (json_int_t)c->conn, "listener",
	    c->listener != 0 ? json_integer(c->listener) : json_null(),
	    "public_key", text_z32(key, c->key), "own_key",
	    text_z32(own, c->own_key), "open", c->open, "path",
	    path_or_null(c->path), "address", control_addr_or_null(&c->remote));
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
	    {"rtt_us", c->rtt_us},
	    {"bytes_in", c->bytes_in},
	    {"bytes_out", c->bytes_out},
	    {"packets_out", c->packets_out},
	    {"resent", c->resent},
	    {"age_ms", c->age_us / 1000},
	};

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_object_set_new(j, counts[i].name,
		    json_integer((json_int_t)counts[i].value));
	return j;
}

int
control_connections(struct control_call *k)
{
	const struct node *node = k->client->control->setup.node;
	uint32_t cursor = (uint32_t)api_request_value(k->rq, "cursor")->uint;
	json_t *list = json_array();
	struct node_conn c;
	bool more = true;

	while (json_array_size(list) < API_PAGE_MAX && more) {
		more = node_conn(node, cursor, &c);
		if (more) {
			json_array_append_new(list, connection_of(&c));
			cursor++;
		}
	}
	return control_page_done(k, "connections", list, more, cursor);
}

/* ---- listeners ---- */

static json_t *
listener_of(const struct node_listener *l)
{
	char key[TEXT_Z32_MAX];

	return json_pack("{s:I, s:s, s:b, s:I, s:I, s:I, s:I}", "listener",
	    (json_int_t)l->listener, "public_key", text_z32(key, l->key),
	    "announced", l->announced, "relays", (json_int_t)l->relays_len,
	    "accepted", (json_int_t)l->accepted, "refused",
	    (json_int_t)l->refused, "age_ms", (json_int_t)(l->age_us / 1000));
}

int
control_listeners(struct control_call *k)
{
	const struct node *node = k->client->control->setup.node;
	uint32_t cursor = (uint32_t)api_request_value(k->rq, "cursor")->uint;
	json_t *list = json_array();
	struct node_listener l;
	bool more = true;

	while (json_array_size(list) < API_PAGE_MAX && more) {
		more = node_listener(node, cursor, &l);
		if (more) {
			json_array_append_new(list, listener_of(&l));
			cursor++;
		}
	}
	return control_page_done(k, "listeners", list, more, cursor);
}

/* ---- explain ---- */

/* What the number of a step of hole punching stands for. */
static const char *
punch_name(const struct dial_step *s)
{
	static const char *const verdicts[] = {
	    "peer-unknown", "peer-open", "peer-consistent", "peer-random"};
	static const char *const probes[] = {
	    "probes-none", "probes-steady", "probes-spray", "probes-fan"};

	return (s->kind == DIAL_STEP_NAT_TYPE ? verdicts : probes)[s->number & 3];
}

static const char *
step_name(const struct dial_step *s)
{
	static const char *const names[] = {
	    [DIAL_STEP_BEGIN] = "dial",
	    [DIAL_STEP_CACHED] = "cached",
	    [DIAL_STEP_FOUND] = "found",
	    [DIAL_STEP_HANDSHAKE] = "handshake",
	    [DIAL_STEP_ANSWER] = "answer",
	    [DIAL_STEP_NO_ANSWER] = "no-answer",
	    [DIAL_STEP_LOOKUP] = "lookup",
	    [DIAL_STEP_TRY] = "try",
	    [DIAL_STEP_PATH_LOST] = "path-lost",
	    [DIAL_STEP_PUNCH] = "punch",
	    [DIAL_STEP_OPEN] = "open",
	    [DIAL_STEP_FAILED] = "failed",
	};

	return names[s->kind] != NULL ? names[s->kind] : punch_name(s);
}

static json_t *
step_of(const struct dial_step *s)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:s, s:I}", "step", step_name(s),
	    "at_us", (json_int_t)s->at_us, "path", path_or_null(s->path),
	    "address", control_addr_or_null(&s->addr), "err_name",
	    err_name(s->err), "number", (json_int_t)s->number);
}

static json_t *
attempt_of(const struct node_attempt *a)
{
	json_t *steps = json_array();
	char key[TEXT_Z32_MAX];

	for (uint32_t i = 0; i < a->steps_len; i++)
		json_array_append_new(steps, step_of(&a->steps[i]));
	return json_pack("{s:s, s:I, s:I, s:s, s:o, s:I}", "public_key",
	    text_z32(key, a->key), "conn", (json_int_t)a->conn, "age_ms",
	    (json_int_t)(a->age_us / 1000), "err_name", err_name(a->err),
	    "steps", steps, "steps_lost", (json_int_t)a->steps_lost);
}

int
control_explain(struct control_call *k)
{
	const struct node *node = k->client->control->setup.node;
	const struct api_value *key = api_request_value(k->rq, "public_key");
	uint32_t cursor = (uint32_t)api_request_value(k->rq, "cursor")->uint;
	json_t *list = json_array();
	struct node_attempt a;
	bool more = true;

	while (json_array_size(list) < API_ATTEMPTS_MAX && more) {
		more =
		    node_attempt(node, key->set ? key->key : NULL, cursor, &a);
		if (more) {
			json_array_append_new(list, attempt_of(&a));
			cursor++;
		}
	}
	return control_page_done(k, "attempts", list, more, cursor);
}
