/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "api/text.h"
#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "control/control_state.h"

/* ---- life ---- */

static void
operation_free(struct control_operation *o)
{
	struct control *c = o->control;

	if (o->client != NULL) {
		TAILQ_REMOVE(&c->operations.all, o, link);
		o->client->operations_len--;
	} else {
		TAILQ_REMOVE(&c->operations.left, o, link);
	}
	control_user_give(&c->users, o->user, CONTROL_HELD_OPERATIONS);
	control_keys_return(c, o->keys);
	json_decref(o->id);
	json_decref(o->value);
	free(o);
}

/* Keeps an operation that the node completes without its client. */
static void
leave_client(struct control_operation *o)
{
	TAILQ_REMOVE(&o->control->operations.all, o, link);
	o->client->operations_len--;
	o->client = NULL;
	TAILQ_INSERT_TAIL(&o->control->operations.left, o, link);
}

void
control_operations_free(struct control *c)
{
	struct control_operation *o;

	while ((o = TAILQ_FIRST(&c->operations.left)) != NULL)
		operation_free(o);
}

struct control_operation *
control_operation_find(struct control_client *cl, const json_t *id)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &cl->control->operations.all, link) {
		if (o->client == cl && json_equal(o->id, id))
			return o;
	}
	return NULL;
}

static int
check_request(struct control_call *k)
{
	if (k->client->operations_len >= CLIENT_OPERATIONS_MAX)
		return api_error_set(&k->error, API_ERR_LIMIT, NULL,
		    "%d requests of this connection are in progress: wait for"
		    " one to end",
		    CLIENT_OPERATIONS_MAX);
	if (control_operation_find(k->client, k->rq->id) != NULL)
		return api_error_set(&k->error, API_ERR_REQUEST, NULL,
		    "a request with this id is in progress");
	return 0;
}

static struct control_operation *
operation_new(struct control_call *k, const struct control_operation_type *type)
{
	struct control *c = k->client->control;
	struct keyring_owner owner = control_owner(k->client);
	struct control_operation *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->control = c;
	o->client = k->client;
	o->type = type;
	o->method = k->rq->method;
	o->id = json_incref(k->rq->id);
	if (type->finish != NULL)
		o->user = control_user_take(
		    &c->users, &owner, CONTROL_HELD_OPERATIONS);
	TAILQ_INSERT_TAIL(&c->operations.all, o, link);
	k->client->operations_len++;
	return o;
}

int
control_operation_start(
    struct control_call *k, const struct control_operation_type *type)
{
	struct control_operation *o;
	int err = check_request(k);

	if (err == 0 && type->finish != NULL)
		err = control_user_check(k, CONTROL_HELD_OPERATIONS, ERR_BUSY);
	if (err != 0)
		return err;
	o = operation_new(k, type);
	if (o == NULL)
		return ERR_MEMORY;
	err = type->start(k, o);
	if (err == 0)
		k->pending = true; /* o may have been freed */
	else
		operation_free(o);
	return err;
}

/* Answers the request and frees the operation. */
static void
operation_end(struct control_operation *o, json_t *message)
{
	struct control_client *cl = o->client;

	operation_free(o);
	control_client_send(cl, message);
}

void
control_operation_done(struct control_operation *o, struct api_writer *w)
{
	operation_end(o, jsonrpc_result(o->id, api_writer_take(w)));
}

/* Sets *e for an operation that no node has answered, and says what was tried.
 */
static void
explain_offline(const struct control_operation *o, struct api_error *e)
{
	const struct dht *d = node_dht(o->client->control->setup.node);
	char reason[CONTROL_REASON_MAX], text[CONTROL_REASON_MAX + 64];
	struct dht_status st;

	dht_status(d, &st);
	snprintf(text, sizeof text, "%s (%s)", err_text(ERR_UNREACHABLE),
	    control_state_reason(d, &st, reason));
	api_error_explain(e, ERR_UNREACHABLE, o->method->name, text);
}

static bool
is_offline(const struct control_operation *o)
{
	struct dht_status st;

	dht_status(node_dht(o->client->control->setup.node), &st);
	return st.state == DHT_OFFLINE;
}

void
control_operation_fail(struct control_operation *o, int err, uint32_t replies)
{
	struct control_client *cl = o->client;
	bool last = o->method->answer == API_STREAM;
	struct api_error e;

	if (err == ERR_UNREACHABLE || (err == ERR_TIMEOUT && is_offline(o)))
		explain_offline(o, &e);
	else if (replies > 0)
		api_error_failed(&e, err, "%s, %u node%s replied",
		    o->method->name, (unsigned)replies,
		    replies == 1 ? "" : "s");
	else
		api_error_failed(&e, err, "%s", o->method->name);
	operation_end(o, jsonrpc_error(o->id, &e));
	if (last)
		control_client_close(cl);
}

/* Stops what the operation waits for. A NODE_EV_DONE that follows finds no
 * operation and is ignored. */
static void
operation_stop(struct control_operation *o)
{
	if (o->type->cancel != NULL)
		o->type->cancel(o);
	else if (!o->type->outlives_client)
		node_cancel(o->client->control->setup.node, o->op);
}

/* Answers the request; the operation goes on without its client. */
static void
cancel_wait(struct control_operation *o)
{
	struct control_client *cl = o->client;
	struct api_error e;

	api_error_failed(&e, ERR_CANCELLED, "%s", o->method->name);
	leave_client(o);
	control_client_send(cl, jsonrpc_error(o->id, &e));
}

void
control_operation_cancel(struct control_operation *o)
{
	if (o->type->outlives_client) {
		cancel_wait(o);
		return;
	}
	operation_stop(o);
	control_operation_fail(o, ERR_CANCELLED, 0);
}

static struct control_operation *
first_of_client(const struct control_client *cl)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &cl->control->operations.all, link) {
		if (o->client == cl)
			return o;
	}
	return NULL;
}

/* Searches from the start each time, because ending a listener ends the
 * operations that wait for it. */
void
control_operations_end(struct control_client *cl)
{
	struct control_operation *o;

	while ((o = first_of_client(cl)) != NULL) {
		operation_stop(o);
		if (o->type->outlives_client)
			leave_client(o);
		else
			operation_free(o);
	}
}

/* ---- events of the node ---- */

static void
note_init(const struct control_operation *o, struct api_writer *w)
{
	api_writer_init(w, o->method->note_fields);
	api_write_id(w, "request", o->id);
}

static void
send_note(struct control_operation *o, struct api_writer *w)
{
	control_client_send(o->client,
	    jsonrpc_notification(o->method->note, api_writer_take(w)));
}

static void
on_node(struct control_operation *o, const struct node_event *n)
{
	struct api_writer w;

	note_init(o, &w);
	api_write_addr(&w, "address", &n->node);
	api_write_bytes32(&w, "id", n->id);
	send_note(o, &w);
}

static void
on_peer(struct control_operation *o, const struct node_event *n)
{
	char addr[ADDR_TEXT_MAX];
	struct api_writer w;

	note_init(o, &w);
	api_write_bytes32(&w, "public_key", n->key);
	api_write_list(&w, "relays");
	for (unsigned i = 0; i < n->relays_len; i++)
		api_append_text(&w, "relays", addr_format(&n->relays[i], addr));
	api_write_addr(&w, "node", &n->node);
	api_write_uint(&w, "bump", n->bump);
	send_note(o, &w);
}

static void
on_value(struct control_operation *o, const struct node_event *n)
{
	char *text = text_b64(n->value, n->value_len);

	json_decref(o->value);
	o->value = text != NULL ? json_string(text) : NULL;
	o->seq = n->seq;
	free(text);
}

static void
on_silence(struct control_operation *o, const struct node_event *n)
{
	struct api_writer w;

	note_init(o, &w);
	api_write_uint(&w, "outlived_s", n->outlived_s);
	api_write_uint(&w, "next_s", n->next_s);
	send_note(o, &w);
}

static void
on_done(struct control_operation *o, const struct node_event *n)
{
	struct api_writer w;

	if (n->err != 0 &&
	    !(n->err == ERR_UNREACHABLE && o->type->kept_offline)) {
		control_operation_fail(o, n->err, n->replies);
		return;
	}
	if (o->type->needs_value && o->value == NULL) {
		control_operation_fail(o, ERR_NOT_FOUND, n->replies);
		return;
	}
	api_writer_init(&w, o->method->results);
	o->type->finish(o, n, &w);
	control_operation_done(o, &w);
}

/* Returns the operation of a list that started the node's operation op, or
 * NULL. */
static struct control_operation *
find_by_op(const struct control_operations *all, uint32_t op)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, all, link) {
		if (o->op == op && o->type->finish != NULL)
			return o;
	}
	return NULL;
}

static void
end_left_operation(struct control *c, uint32_t op)
{
	struct control_operation *o = find_by_op(&c->operations.left, op);

	if (o != NULL)
		operation_free(o);
}

void
control_operation_event(struct control *c, const struct node_event *n)
{
	struct control_operation *o = find_by_op(&c->operations.all, n->op);

	if (o == NULL) {
		if (n->kind == NODE_EV_DONE)
			end_left_operation(c, n->op);
		return;
	}
	switch (n->kind) {
	case NODE_EV_NODE:
		on_node(o, n);
		break;
	case NODE_EV_PEER:
		on_peer(o, n);
		break;
	case NODE_EV_VALUE:
		on_value(o, n);
		break;
	case NODE_EV_SILENCE:
		on_silence(o, n);
		break;
	case NODE_EV_DONE:
		on_done(o, n);
		break;
	default:
		break;
	}
}
