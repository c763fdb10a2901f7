/* SPDX-License-Identifier: ISC */
#include "control/control_swarm.h"

#include <stdlib.h>
#include <string.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_page.h"
#include "control/control_server.h"
#include "node/node_swarm.h"

/* ---- sessions ---- */

void
control_sessions_init(struct control_sessions *s)
{
	*s = (struct control_sessions){.last_number = 0};
	TAILQ_INIT(&s->all);
}

static void
free_session(struct control *c, struct control_session *x)
{
	TAILQ_REMOVE(&c->sessions.all, x, link);
	control_user_give(&c->users, x->user, CONTROL_HELD_SESSIONS);
	free(x);
}

void
control_sessions_free(struct control *c)
{
	while (!TAILQ_EMPTY(&c->sessions.all))
		free_session(c, TAILQ_FIRST(&c->sessions.all));
}

static struct control_session *
session_of(const struct control *c, const struct control_listener *l)
{
	struct control_session *x;

	TAILQ_FOREACH (x, &c->sessions.all, link)
		if (x->listener == l)
			return x;
	return NULL;
}

void
control_sessions_drop(struct control_listener *l)
{
	struct control_session *x;

	while ((x = session_of(l->control, l)) != NULL)
		free_session(l->control, x);
}

static bool
is_joined(const struct control *c, const struct control_listener *l,
    const uint8_t *topic)
{
	const struct control_session *x;

	TAILQ_FOREACH (x, &c->sessions.all, link)
		if (x->listener == l && memcmp(x->topic, topic, KEY_LEN) == 0)
			return true;
	return false;
}

/* Fails the accepts of a topic that was left. Searches from the start each
 * time, as an answer may end other operations. */
static void
fail_accepts(struct control_listener *l, const uint8_t *topic)
{
	struct control_operation *o;

	do {
		TAILQ_FOREACH (o, &l->control->operations.all, link)
			if (o->listener == l && o->by_topic &&
			    memcmp(o->key, topic, KEY_LEN) == 0)
				break;
		if (o == NULL)
			return;
		o->listener = NULL;
		control_operation_fail(o, ERR_CANCELLED, 0);
	} while (true);
}

/* Ends a session; the last one of a listener ends this, too. */
static void
end_session(struct control *c, struct control_session *x)
{
	struct control_listener *l = x->listener;
	uint8_t topic[KEY_LEN];

	memcpy(topic, x->topic, KEY_LEN);
	node_swarm_leave(c->setup.node, l->number, x->session);
	free_session(c, x);
	if (session_of(c, l) == NULL)
		control_listener_end(l);
	else if (!is_joined(c, l, topic))
		fail_accepts(l, topic);
}

void
control_sessions_end(struct control *c, const struct control_client *cl)
{
	struct control_session *x;

	do {
		TAILQ_FOREACH (x, &c->sessions.all, link)
			if (x->client == cl)
				break;
		if (x != NULL)
			end_session(c, x);
	} while (x != NULL);
}

/* ---- finding ---- */

/* Returns the session of a topic that the caller may use: of its own, or else,
 * for an admin, of another user. Sets *other to one that it may not use. */
static struct control_session *
find_session(const struct control_call *k, const uint8_t *topic,
    const struct control_session **other)
{
	const struct control *c = k->client->control;
	struct keyring_owner own = control_owner(k->client);
	struct control_session *x, *found = NULL;

	*other = NULL;
	TAILQ_FOREACH (x, &c->sessions.all, link) {
		if (memcmp(x->topic, topic, KEY_LEN) != 0 ||
		    x->listener->ending)
			continue;
		if (keyring_owner_same(&own, &x->listener->owner))
			return x;
		if (control_may_use(k->client, &x->listener->owner))
			found = x;
		else
			*other = x;
	}
	return found;
}

/* Does the same for the topic of the call, whose error is set. */
static int
find_for_call(struct control_call *k, struct control_session **x)
{
	const struct control_session *other;

	*x = find_session(k, control_arg(k, "topic")->key, &other);
	if (*x != NULL)
		return 0;
	/* Whether another user has joined a topic is not the caller's
	 * business. */
	return api_error_failed(
	    &k->error, ERR_UNKNOWN, "%s", k->rq->method->name);
}

int
control_session_listener(struct control_call *k, struct control_listener **l)
{
	struct control_session *x;
	int err = find_for_call(k, &x);

	if (err == 0)
		*l = x->listener;
	return err;
}

bool
control_session_matches(
    const struct control_operation *accept, const struct control_conn *conn)
{
	return !accept->by_topic ||
	       node_swarm_shares(conn->control->setup.node,
		   conn->listener_number, conn->key, accept->key);
}

/* ---- join ---- */

static int
check_join(struct control_call *k)
{
	const struct api_value *allow = control_arg(k, "allow");
	const struct api_value *server = control_arg(k, "server");
	const struct api_value *client = control_arg(k, "client");

	if (server->set && !server->yes && client->set && !client->yes)
		return api_error_param(&k->error, "client",
		    "is false beside server", "one of the two roles");
	/* A list that is empty by mistake must not allow every key. */
	if (allow->set && json_array_size(allow->list) == 0)
		return api_error_param(&k->error, "allow", "is empty",
		    "a key, or no list at all, which allows every key");
	return 0;
}

/* Returns the listener of the caller's swarm with these keys, or NULL. */
static struct control_listener *
find_swarm(const struct control_call *k, const struct key_pair *keys)
{
	const struct control *c = k->client->control;
	struct keyring_owner own = control_owner(k->client);
	struct control_listener *l;

	TAILQ_FOREACH (l, &c->listeners.all, link)
		if (l->swarm && !l->ending &&
		    keyring_owner_same(&own, &l->owner) &&
		    memcmp(control_listener_key(l),
			control_keys_public(c, keys), KEY_LEN) == 0)
			return l;
	return NULL;
}

static int
make_swarm(struct control_call *k, struct control_listener *l)
{
	const struct api_value *allow = control_arg(k, "allow");
	uint8_t keys[API_KEYS_MAX][KEY_LEN];
	struct node_swarm_config config = {.keys = l->keys, .allow = keys};
	int err;

	while (api_value_key(allow, config.allow_len, keys[config.allow_len]))
		config.allow_len++;
	err = node_swarm_new(l->control->setup.node, &config, &l->number);
	if (err == ERR_LIMIT)
		api_error_failed(&k->error, err, "join: the limit \"swarms\"");
	return err;
}

/* Returns the caller's swarm with these keys, whose loan it takes, or a new
 * one. */
static int
get_swarm(struct control_call *k, const struct key_pair *keys,
    struct control_listener **out)
{
	struct control *c = k->client->control;
	struct control_listener *l = find_swarm(k, keys);
	int err = 0;

	if (l != NULL) {
		control_keys_return(c, keys);
		if (control_arg(k, "allow")->set)
			err = api_error_param(&k->error, "allow",
			    "is given beside topics that are joined",
			    "a list with the first topic of an identity");
	} else {
		l = control_listener_new_swarm(k, keys);
		if (l == NULL) {
			control_keys_return(c, keys);
			return ERR_MEMORY;
		}
		err = make_swarm(k, l);
		if (err != 0)
			control_listener_abandon(l);
	}
	*out = l;
	return err;
}

static int
add_session(struct control_call *k, struct control_listener *l)
{
	struct control *c = k->client->control;
	const struct api_value *server = control_arg(k, "server");
	const struct api_value *client = control_arg(k, "client");
	struct control_session *x = calloc(1, sizeof *x);
	unsigned roles = 0;
	int err;

	if (x == NULL)
		return ERR_MEMORY;
	/* A role that is asked for excludes the other, unless both are. */
	x->server = server->set ? server->yes : !client->set || !client->yes;
	x->as_client = client->set ? client->yes : !server->set || !server->yes;
	roles |= x->server ? SWARM_SERVER : 0;
	roles |= x->as_client ? SWARM_CLIENT : 0;
	x->listener = l;
	x->client = control_arg(k, "keep")->yes ? NULL : k->client;
	x->limit = (uint32_t)control_arg(k, "limit")->uint;
	memcpy(x->topic, control_arg(k, "topic")->key, KEY_LEN);
	err = node_swarm_join(
	    c->setup.node, l->number, x->topic, roles, x->limit, &x->session);
	if (err != 0) {
		free(x);
		return err;
	}
	x->number = ++c->sessions.last_number;
	x->user =
	    control_user_take(&c->users, &l->owner, CONTROL_HELD_SESSIONS);
	TAILQ_INSERT_TAIL(&c->sessions.all, x, link);
	return 0;
}

int
control_join(struct control_call *k)
{
	struct control *c = k->client->control;
	struct control_listener *l = NULL;
	struct control_keys keys;
	int err = check_join(k);

	if (err == 0)
		err = control_user_check(k, CONTROL_HELD_SESSIONS, ERR_LIMIT);
	if (err == 0)
		err = control_keys_borrow(k, &keys);
	if (err != 0)
		return err;
	if (find_swarm(k, keys.pair) == NULL)
		err = control_user_check(k, CONTROL_HELD_SWARMS, ERR_LIMIT);
	if (err != 0) {
		control_keys_return(c, keys.pair);
		return err;
	}
	err = get_swarm(k, keys.pair, &l);
	if (err != 0)
		return err;
	err = add_session(k, l);
	if (err != 0) {
		if (session_of(c, l) == NULL)
			control_listener_end(l);
		return err;
	}
	api_write_bytes32(&k->result, "topic", control_arg(k, "topic")->key);
	api_write_uint(&k->result, "listener", l->number);
	api_write_bytes32(&k->result, "public_key", control_listener_key(l));
	api_write_bool(&k->result, "saved", keys.saved);
	return 0;
}

/* ---- leave ---- */

int
control_leave(struct control_call *k)
{
	struct control *c = k->client->control;
	const uint8_t *topic = control_arg(k, "topic")->key;
	const struct control_session *other;
	struct control_session *x;
	struct keyring_owner owner;
	uint32_t ended = 0;
	int err = find_for_call(k, &x);

	if (err != 0)
		return err;
	/* All of one user. */
	owner = x->listener->owner;
	while ((x = find_session(k, topic, &other)) != NULL &&
	       keyring_owner_same(&owner, &x->listener->owner)) {
		end_session(c, x);
		ended++;
	}
	api_write_bytes32(&k->result, "topic", topic);
	api_write_uint(&k->result, "sessions", ended);
	return 0;
}

/* ---- lists ---- */

static bool
find_status(const struct control *c, const struct control_session *x,
    struct swarm_topic_status *st)
{
	const struct swarm *s = node_swarm(c->setup.node, x->listener->number);

	*st = (struct swarm_topic_status){.number = 0};
	while (s != NULL && swarm_topic_after(s, st->number, st))
		if (memcmp(st->topic, x->topic, KEY_LEN) == 0)
			return true;
	return false;
}

static void
write_topic(const struct control *c, struct api_writer *w,
    const struct control_session *x)
{
	char owner[KEYRING_OWNER_TEXT_MAX];
	struct swarm_topic_status st;

	if (!find_status(c, x, &st))
		st = (struct swarm_topic_status){.number = 0};
	api_write_bytes32(w, "topic", x->topic);
	api_write_bytes32(w, "public_key", control_listener_key(x->listener));
	api_write_text(
	    w, "owner", keyring_owner_text(&x->listener->owner, owner));
	api_write_uint(w, "listener", x->listener->number);
	api_write_bool(w, "server", x->server);
	api_write_bool(w, "client", x->as_client);
	api_write_uint(w, "limit", x->limit);
	api_write_bool(w, "keep", x->client == NULL);
	api_write_bool(w, "announced", st.announced);
	api_write_uint(w, "peers", st.peers_len);
	api_write_uint(w, "connected", st.connected_len);
	api_write_text(w, "err_name", err_name(st.err));
	api_write_uint(w, "next_ms", st.next_us / 1000);
}

int
control_topics(struct control_call *k)
{
	const struct control *c = k->client->control;
	const struct control_session *x = TAILQ_FIRST(&c->sessions.all);
	struct control_page page;
	struct api_writer item;

	control_page_begin(&page, k, "topics", API_PAGE_MAX);
	for (; x != NULL && control_page_has_space(&page);
	     x = TAILQ_NEXT(x, link)) {
		if (x->number <= page.cursor ||
		    !control_may_use(k->client, &x->listener->owner))
			continue;
		api_item_init(&item, &k->result, "topics");
		write_topic(c, &item, x);
		control_page_append(&page, &item, x->number);
	}
	page.more = x != NULL;
	control_page_end(&page);
	return 0;
}

static void
write_peer(struct api_writer *w, const struct swarm_peer_status *st)
{
	api_write_bytes32(w, "public_key", st->key);
	api_write_text(w, "state", st->state);
	if (st->conn != 0)
		api_write_uint(w, "conn", st->conn);
	else
		api_write_null(w, "conn");
	api_write_uint(w, "attempts", st->attempts);
	api_write_uint(w, "age_ms", st->age_us / 1000);
	if (st->next_us != 0)
		api_write_uint(w, "next_ms", st->next_us / 1000);
	else
		api_write_null(w, "next_ms");
}

int
control_peers(struct control_call *k)
{
	const struct control *c = k->client->control;
	const struct swarm *s;
	struct swarm_peer_status st;
	struct control_page page;
	struct api_writer item;
	struct control_session *x;
	int err = find_for_call(k, &x);

	if (err != 0)
		return err;
	s = node_swarm(c->setup.node, x->listener->number);
	control_page_begin(&page, k, "peers", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		page.more = s != NULL && swarm_peer_after(s, page.cursor, &st);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "peers");
		write_peer(&item, &st);
		control_page_append(&page, &item, st.number);
	}
	control_page_end(&page);
	return 0;
}
