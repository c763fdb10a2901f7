/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "api/text.h"
#include "control/control_client.h"

/* ---- finding ---- */

struct control_listener *
control_listener_find(const struct control *c, uint32_t number)
{
	struct control_listener *l;

	TAILQ_FOREACH (l, &c->listeners, link) {
		if (l->number == number)
			return l;
	}
	return NULL;
}

struct control_listener *
control_listener_of(struct control_call *k)
{
	struct control_listener *l = control_listener_find(k->client->control,
	    (uint32_t)api_request_value(k->rq, "listener")->uint);

	if (l != NULL && !l->ending && control_may_use(k->client, &l->owner))
		return l;
	api_error_failed(&k->fault, ERR_UNKNOWN, "%s", k->rq->method->name);
	return NULL;
}

/* ---- life ---- */

static void
listener_free(struct control_listener *l)
{
	struct control *c = l->control;

	TAILQ_REMOVE(&c->listeners, l, link);
	c->listeners_len--;
	control_return_keys(c, l->keys);
	json_decref(l->id);
	free(l);
}

/* A request that waits for something of this listener, or NULL. */
static struct control_operation *
waiting_for(const struct control_listener *l)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &l->control->operations, link) {
		if (o->listener == l)
			return o;
	}
	return NULL;
}

/*
 * Those who wait on either side of it have waited in vain. From the start each
 * time, as telling a client may end it and all that it has under way.
 */
static void
disappoint(struct control_listener *l, int err)
{
	struct control_operation *o;

	while (!TAILQ_EMPTY(&l->waiting))
		control_conn_drop(TAILQ_FIRST(&l->waiting));
	l->op = NULL;
	while ((o = waiting_for(l)) != NULL) {
		o->listener = NULL;
		control_operation_fail(o, err, 0);
	}
}

/* The node keeps the keys until NEWS_UNLISTENED, so it is not freed yet. */
static void
listener_end(struct control_listener *l)
{
	if (l->ending)
		return;
	l->ending = true;
	l->client = NULL;
	node_unlisten(l->control->setup.node, l->number);
	disappoint(l, ERR_CANCELLED);
}

void
control_listeners_end(struct control *c, const struct control_client *cl)
{
	struct control_listener *l;

	/* From the start each time, as above. */
	do {
		TAILQ_FOREACH (l, &c->listeners, link) {
			if (l->client == cl && !l->ending)
				break;
		}
		if (l != NULL && l->keep)
			l->client = NULL;
		else if (l != NULL)
			listener_end(l);
	} while (l != NULL);
}

void
control_listeners_free(struct control *c)
{
	while (!TAILQ_EMPTY(&c->listeners)) {
		struct control_listener *l = TAILQ_FIRST(&c->listeners);

		l->keys = NULL; /* the node still has them */
		listener_free(l);
	}
}

/* ---- listen ---- */

static int
node_listens(struct control_call *k, struct control_listener *l)
{
	const struct api_value *allow = api_request_value(k->rq, "allow");
	uint8_t keys[API_KEYS_MAX][KEY_LEN];
	struct node_listen spec = {.keys = l->keys, .allow = keys};
	const struct control_setup *setup = &l->control->setup;

	if (spec.keys == NULL)
		spec.keys = setup->identity;
	while (api_request_key(allow, spec.allow_len, keys[spec.allow_len]))
		spec.allow_len++;
	spec.ask = api_request_value(k->rq, "ask")->yes;
	return node_listen(setup->node, &spec, &l->number);
}

static int
check_listen(struct control_call *k)
{
	const struct api_value *allow = api_request_value(k->rq, "allow");

	if (api_request_value(k->rq, "ask")->yes &&
	    api_request_value(k->rq, "keep")->yes)
		return api_error_param(&k->fault, "keep", "is given beside ask",
		    "one of the two, as somebody must be there to be asked");
	/* A list that came out empty by mistake must not let everybody in. */
	if (allow->set && json_array_size(allow->list) == 0)
		return api_error_param(&k->fault, "allow", "is empty",
		    "a key, or no list at all, which lets everybody in");
	if (k->client->control->listeners_len >= LISTENERS_MAX)
		return api_error_failed(&k->fault, ERR_LIMIT, "listen");
	return 0;
}

int
control_listen_start(struct control_call *k, struct control_operation *o)
{
	struct control *c = k->client->control;
	struct control_listener *l;
	const struct key_pair *keys;
	int err;

	if (check_listen(k) != 0 || control_borrow_keys(k, &keys) != 0)
		return -1;
	l = calloc(1, sizeof *l);
	if (l == NULL) {
		control_return_keys(c, keys);
		return ERR_MEMORY;
	}
	l->control = c;
	l->client = k->client;
	l->owner = control_owner(k->client);
	l->keys = keys;
	l->id = json_incref(o->id);
	l->op = o;
	l->keep = api_request_value(k->rq, "keep")->yes;
	TAILQ_INIT(&l->waiting);
	TAILQ_INSERT_TAIL(&c->listeners, l, link);
	c->listeners_len++;
	err = node_listens(k, l);
	if (err != 0) {
		listener_free(l);
		return err;
	}
	o->listener = l;
	return 0;
}

void
control_listen_cancel(struct control_operation *o)
{
	struct control_listener *l = o->listener;

	o->listener = NULL;
	l->op = NULL;
	listener_end(l);
}

int
control_unlisten(struct control_call *k)
{
	struct control_listener *l = control_listener_of(k);

	if (l == NULL)
		return -1;
	listener_end(l);
	k->result = json_object();
	return CALL_DONE;
}

/* ---- news ---- */

const uint8_t *
control_listener_key(const struct control_listener *l)
{
	return l->keys != NULL ? l->keys->public_key
			       : l->control->setup.identity->public_key;
}

/* The first round of the announcement is over: so the key may be told. */
static void
on_listening(struct control_listener *l, const struct news *n)
{
	struct control_operation *o = l->op;
	char key[TEXT_Z32_MAX];

	if (o == NULL)
		return;
	l->op = NULL;
	o->listener = NULL;
	control_operation_done(o,
	    json_pack("{s:I, s:s, s:I, s:s}", "listener", (json_int_t)l->number,
		"public_key", text_z32(key, control_listener_key(l)), "relays",
		(json_int_t)n->stored, "err_name", err_name(n->err)));
}

static void
on_unlistened(struct control_listener *l)
{
	/* By itself, as the node is leaving, if nobody has ended it. */
	l->ending = true;
	disappoint(l, ERR_CLOSED);
	listener_free(l);
}

void
control_listener_news(struct control *c, const struct news *n)
{
	struct control_listener *l = control_listener_find(c, n->op);

	if (l == NULL)
		return;
	if (n->kind == NEWS_LISTENING)
		on_listening(l, n);
	else
		on_unlistened(l);
}
