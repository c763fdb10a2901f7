/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_events.h"
#include "control/control_page.h"
#include "control/control_server.h"
#include "node/node_conn.h"

static const struct node *
node_of(const struct control_call *k)
{
	return k->client->control->setup.node;
}

/* ---- connections ---- */

static void
write_connection(struct api_writer *w, const struct node_conn *c)
{
	api_write_uint(w, "conn", c->conn);
	if (c->listener != 0)
		api_write_uint(w, "listener", c->listener);
	else
		api_write_null(w, "listener");
	api_write_bytes32(w, "public_key", c->key);
	api_write_bytes32(w, "own_key", c->own_key);
	api_write_bool(w, "open", c->open);
	api_write_text(w, "path", control_path_name(c->path));
	api_write_addr(w, "address", &c->remote);
	api_write_uint(w, "rtt_us", c->rtt_us);
	api_write_uint(w, "bytes_in", c->bytes_in);
	api_write_uint(w, "bytes_out", c->bytes_out);
	api_write_uint(w, "packets_out", c->packets_out);
	api_write_uint(w, "resent", c->resent);
	api_write_uint(w, "age_ms", c->age_us / 1000);
}

int
control_connections(struct control_call *k)
{
	struct control_page page;
	struct api_writer item;
	struct node_conn c;

	control_page_begin(&page, k, "connections", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		page.more = node_conn(node_of(k), page.cursor, &c);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "connections");
		write_connection(&item, &c);
		control_page_append(&page, &item, c.conn);
	}
	control_page_end(&page);
	return 0;
}

/* ---- listeners ---- */

static void
write_listener(const struct control *c, struct api_writer *w,
    const struct node_listener *l)
{
	const struct control_listener *held =
	    control_listener_find(c, l->listener);
	char owner[KEYRING_OWNER_TEXT_MAX];

	api_write_text(w, "owner",
	    held != NULL ? keyring_owner_text(&held->owner, owner) : NULL);
	api_write_uint(w, "listener", l->listener);
	api_write_bytes32(w, "public_key", l->key);
	api_write_bool(w, "announced", l->announced);
	api_write_uint(w, "relays", l->relays_len);
	api_write_uint(w, "accepted", l->accepted);
	api_write_uint(w, "refused", l->refused);
	api_write_uint(w, "connections", l->conns_len);
	api_write_uint(w, "age_ms", l->age_us / 1000);
}

int
control_listeners(struct control_call *k)
{
	struct control_page page;
	struct api_writer item;
	struct node_listener l;

	control_page_begin(&page, k, "listeners", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		page.more = node_listener(node_of(k), page.cursor, &l);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "listeners");
		write_listener(k->client->control, &item, &l);
		control_page_append(&page, &item, l.listener);
	}
	control_page_end(&page);
	return 0;
}

/* ---- explain ---- */

/* Names a step of hole punching by its number. */
static const char *
punch_step_name(const struct dial_step *s)
{
	static const char *const nat_types[] = {
	    "peer-unknown", "peer-open", "peer-consistent", "peer-random"};
	static const char *const probes[] = {
	    "probes-none", "probes-steady", "probes-spray", "probes-fan"};

	return (
	    s->kind == DIAL_STEP_NAT_TYPE ? nat_types : probes)[s->number & 3];
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
	    [DIAL_STEP_RELAY] = "relay",
	    [DIAL_STEP_OPEN] = "open",
	    [DIAL_STEP_FAILED] = "failed",
	};

	return names[s->kind] != NULL ? names[s->kind] : punch_step_name(s);
}

static void
write_step(struct api_writer *w, const struct dial_step *s)
{
	api_write_text(w, "step", step_name(s));
	api_write_uint(w, "at_us", s->at_us);
	api_write_text(w, "path", control_path_name(s->path));
	api_write_addr(w, "address", &s->addr);
	api_write_text(w, "err_name", err_name(s->err));
	api_write_uint(w, "number", s->number);
}

static void
write_attempt(struct api_writer *w, const struct node_attempt *a)
{
	struct api_writer step;

	api_write_bytes32(w, "public_key", a->key);
	api_write_uint(w, "conn", a->conn);
	api_write_uint(w, "age_ms", a->age_us / 1000);
	api_write_text(w, "err_name", err_name(a->err));
	api_write_uint(w, "steps_lost", a->steps_lost);
	api_write_list(w, "steps");
	for (uint32_t i = 0; i < a->steps_len; i++) {
		api_item_init(&step, w, "steps");
		write_step(&step, &a->steps[i]);
		api_append_item(w, "steps", &step);
	}
}

int
control_explain(struct control_call *k)
{
	const struct api_value *key = control_arg(k, "public_key");
	struct control_page page;
	struct api_writer item;
	struct node_attempt a;

	control_page_begin(&page, k, "attempts", API_ATTEMPTS_MAX);
	while (control_page_has_space(&page)) {
		page.more = node_attempt(
		    node_of(k), key->set ? key->key : NULL, page.cursor, &a);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "attempts");
		write_attempt(&item, &a);
		control_page_append(&page, &item, a.number);
	}
	control_page_end(&page);
	return 0;
}
