/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_page.h"
#include "control/control_server.h"
#include "store/stored_announcements.h"

/* ---- announce ---- */

/* Checks that the caller may announce the topic with these keys. */
static int
check_announce(
    struct control_call *k, const uint8_t *topic, const struct key_pair *pair)
{
	const struct stored_announcement *a = stored_announcements_find(
	    k->client->control->setup.announcements, topic, pair);

	if (a == NULL)
		return control_user_check_announcement(k);
	if (!control_may_use(k->client, &a->owner))
		return control_fail_not_yours(k, &a->owner);
	return 0;
}

static int
announce_with(struct control_call *k, struct control_operation *o,
    const struct control_keys *keys)
{
	const struct control *c = k->client->control;
	struct stored_announcement a = {
	    .keys = keys->pair,
	    .owner = control_owner(k->client),
	    .saved = keys->stored,
	};
	int err;

	memcpy(a.topic, o->key, sizeof a.topic);
	/* The node's identity has no name, nor has a key of the caller. */
	if (keys->pair != NULL && keys->stored)
		snprintf(a.name, sizeof a.name, "%s", keys->name);
	memcpy(o->signer, control_keys_public(c, keys->pair), KEY_LEN);
	err = check_announce(k, o->key, keys->pair);
	if (err == 0)
		err = c->setup.ops->announce(c->setup.owner, &a, &o->op);
	if (err == 0)
		o->saved = stored_announcements_find(
		    c->setup.announcements, a.topic, a.keys)
			       ->saved;
	return err;
}

static int
start_announce(struct control_call *k, struct control_operation *o)
{
	struct control_keys keys;
	int err = control_keys_borrow_signer(k, &keys);

	if (err != 0)
		return err;
	memcpy(o->key, control_arg(k, "topic")->key, sizeof o->key);
	err = announce_with(k, o, &keys);
	if (err != 0)
		control_keys_return(k->client->control, keys.pair);
	return err;
}

/* ---- unannounce ---- */

/*
 * Lends the keys of the announcement that a request without an identity means:
 * the caller's own of that topic or, for an admin, another user's. Returns
 * false if there is none; *other is then set if the topic belongs to another
 * user.
 */
static bool
borrow_held(struct control_call *k, struct control_keys *keys,
    const struct stored_announcement **other)
{
	const struct control_setup *setup = &k->client->control->setup;
	struct keyring_owner own = control_owner(k->client);
	const uint8_t *topic = control_arg(k, "topic")->key;
	const struct stored_announcement *a =
	    stored_announcements_of(setup->announcements, topic, &own);

	*other = NULL;
	if (a == NULL)
		a = stored_announcements_of(setup->announcements, topic, NULL);
	if (a != NULL && !control_may_use(k->client, &a->owner))
		*other = a;
	if (a == NULL || *other != NULL)
		return false;
	*keys = (struct control_keys){.pair = a->keys};
	keyring_lend_again(setup->keyring, a->keys);
	return true;
}

/* Lends the keys to withdraw with. Without an announcement here, the network
 * may still have one of an earlier run. */
static int
borrow_to_withdraw(struct control_call *k, struct control_keys *keys)
{
	const struct stored_announcement *other = NULL;

	if (!control_arg(k, "name")->set && !control_arg(k, "seed_b64")->set &&
	    borrow_held(k, keys, &other))
		return 0;
	if (other != NULL)
		return control_fail_not_yours(k, &other->owner);
	return control_keys_borrow_signer(k, keys);
}

static int
start_unannounce(struct control_call *k, struct control_operation *o)
{
	const struct control *c = k->client->control;
	const struct stored_announcement *a;
	struct control_keys keys;
	int err = borrow_to_withdraw(k, &keys);

	if (err != 0)
		return err;
	memcpy(o->key, control_arg(k, "topic")->key, sizeof o->key);
	memcpy(o->signer, control_keys_public(c, keys.pair), KEY_LEN);
	a = stored_announcements_find(
	    c->setup.announcements, o->key, keys.pair);
	if (a != NULL && !control_may_use(k->client, &a->owner))
		err = control_fail_not_yours(k, &a->owner);
	if (err == 0)
		err = c->setup.ops->unannounce(
		    c->setup.owner, o->key, keys.pair, &o->op);
	if (err != 0)
		control_keys_return(k->client->control, keys.pair);
	return err;
}

/* ---- results ---- */

static void
finish_unannounce(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	api_write_bytes32(w, "topic", o->key);
	api_write_bytes32(w, "public_key", o->signer);
	api_write_uint(w, "replies", n->replies);
	api_write_uint(w, "failures", n->failures);
	api_write_uint(w, "stored", n->stored);
	api_write_uint(w, "refused", n->refused);
}

static void
finish_announce(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	finish_unannounce(o, n, w);
	api_write_bool(w, "saved", o->saved);
	api_write_text(w, "err_name", err_name(n->err));
}

const struct control_operation_type control_announce = {.start = start_announce,
    .finish = finish_announce,
    .outlives_client = true,
    .kept_offline = true};

const struct control_operation_type control_unannounce = {
    .start = start_unannounce,
    .finish = finish_unannounce,
    .outlives_client = true};

/* ---- the list ---- */

static void
write_announcement(const struct control *c, struct api_writer *w,
    const struct node_announcement *a)
{
	const struct stored_announcement *s =
	    stored_announcements_with_key(c->setup.announcements, a->topic,
		a->key, c->setup.identity->public_key);
	char owner[KEYRING_OWNER_TEXT_MAX];

	api_write_bytes32(w, "topic", a->topic);
	api_write_bytes32(w, "public_key", a->key);
	api_write_text(w, "owner",
	    s != NULL ? keyring_owner_text(&s->owner, owner) : NULL);
	api_write_bool(w, "saved", s != NULL && s->saved);
	api_write_bool(w, "announced", a->announced);
	api_write_text(w, "err_name", err_name(a->err));
	api_write_uint(w, "stored", a->stored);
	api_write_uint(w, "age_ms", a->age_us / 1000);
	api_write_uint(w, "next_ms", a->next_us / 1000);
}

int
control_announcements(struct control_call *k)
{
	const struct control *c = k->client->control;
	struct node_announcement a;
	struct control_page page;
	struct api_writer item;

	control_page_begin(&page, k, "announcements", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		page.more = node_announcement(c->setup.node, page.cursor, &a);
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "announcements");
		write_announcement(c, &item, &a);
		control_page_append(&page, &item, a.number);
	}
	control_page_end(&page);
	return 0;
}
