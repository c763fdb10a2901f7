/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"

/* ---- ownership ---- */

struct keyring_owner
control_owner(const struct control_client *cl)
{
	return control_user_id(&cl->peer);
}

bool
control_may_use(const struct control_client *cl, const struct keyring_owner *o)
{
	struct keyring_owner own = control_owner(cl);

	return cl->peer.access == API_ADMIN || keyring_owner_same(&own, o);
}

int
control_fail_not_yours(struct control_call *k, const struct keyring_owner *o)
{
	char owner[KEYRING_OWNER_TEXT_MAX];

	keyring_owner_text(o, owner);
	api_error_set(&k->error, API_ERR_FAILED,
	    json_pack("{s:s, s:s, s:s}", "err_name", err_name(ERR_NOT_YOURS),
		"err_text", err_text(ERR_NOT_YOURS), "owner", owner),
	    "%s: not yours: it belongs to %s %s; only its owner and admins may"
	    " change it",
	    k->rq->method->name, o->daemon ? "the" : "user", owner);
	return ERR_NOT_YOURS;
}

/* ---- identities ---- */

static struct keyring *
keyring_of(const struct control_call *k)
{
	return k->client->control->setup.keyring;
}

static int
borrow_seed(struct control_call *k, struct control_keys *keys)
{
	const struct api_value *seed = control_arg(k, "seed_b64");
	struct fault f;

	if (seed->bytes_len != KEY_SEED_LEN)
		return api_error_param(
		    &k->error, "seed_b64", "is not valid", "32 bytes");
	keys->saved = true; /* by the caller */
	if (keyring_lend_seed(keyring_of(k), seed->bytes, &keys->pair, &f) != 0)
		return control_call_fail(k, &f);
	return 0;
}

static int
borrow_named(struct control_call *k, struct control_keys *keys)
{
	const struct api_value *name = control_arg(k, "name");
	struct keyring_owner o = control_owner(k->client);
	struct fault f;

	keys->name = name->set ? name->text : KEYRING_DEFAULT;
	if (keyring_lend_named(keyring_of(k), &o, keys->name, &keys->pair,
		&keys->saved, &f) != 0) {
		keys->pair = NULL;
		return control_call_fail(k, &f);
	}
	keys->stored = keys->saved;
	return 0;
}

/* Borrows what the parameters select, or else the node's identity or the
 * caller's default. */
static int
borrow_keys(struct control_call *k, bool node, struct control_keys *keys)
{
	bool named = control_arg(k, "name")->set;
	bool seed = control_arg(k, "seed_b64")->set;

	*keys = (struct control_keys){.pair = NULL};
	if (named && seed)
		return api_error_param(&k->error, "seed_b64",
		    "is given beside a name", "one of the two");
	if (seed)
		return borrow_seed(k, keys);
	if (named || !node)
		return borrow_named(k, keys);
	keys->saved = keys->stored = k->client->control->setup.identity_saved;
	return 0;
}

int
control_keys_borrow(struct control_call *k, struct control_keys *keys)
{
	return borrow_keys(k, control_owner(k->client).daemon, keys);
}

int
control_keys_borrow_signer(struct control_call *k, struct control_keys *keys)
{
	struct control *c = k->client->control;
	int err = borrow_keys(k, k->client->peer.access == API_ADMIN, keys);

	/* The node knows its own identity by no other name. */
	if (err == 0 && keys->pair != NULL &&
	    memcmp(keys->pair->public_key, c->setup.identity->public_key,
		KEY_LEN) == 0) {
		control_keys_return(c, keys->pair);
		keys->pair = NULL;
		keys->name = NULL;
		keys->stored = c->setup.identity_saved;
	}
	return err;
}

const uint8_t *
control_keys_public(const struct control *c, const struct key_pair *pair)
{
	return pair != NULL ? pair->public_key : c->setup.identity->public_key;
}

void
control_keys_return(struct control *c, const struct key_pair *keys)
{
	if (keys != NULL)
		keyring_return(c->setup.keyring, keys);
}

/* ---- methods ---- */

int
control_key_list(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(keyring_of(k), &o, names);
	struct fault f;
	struct api_writer item;
	uint8_t key[KEY_LEN];

	api_write_list(&k->result, "keys");
	for (unsigned i = 0; i < len; i++) {
		if (keyring_show(keyring_of(k), &o, names[i], key, &f) != 0)
			return control_call_fail(k, &f);
		api_item_init(&item, &k->result, "keys");
		api_write_text(&item, "name", names[i]);
		api_write_bytes32(&item, "public_key", key);
		api_append_item(&k->result, "keys", &item);
	}
	return 0;
}

int
control_key_show(struct control_call *k)
{
	const struct control_setup *setup = &k->client->control->setup;
	struct keyring_owner o = control_owner(k->client);
	const struct api_value *name = control_arg(k, "name");
	const uint8_t *shown = setup->identity->public_key;
	const uint8_t *own = shown;
	struct fault f;
	uint8_t key[KEY_LEN], signer[KEY_LEN];

	if (name->set) {
		if (keyring_show(setup->keyring, &o, name->text, key, &f) != 0)
			return control_call_fail(k, &f);
		shown = key;
	}
	api_write_bytes32(&k->result, "public_key", shown);
	api_write_bool(&k->result, "saved", name->set || setup->identity_saved);
	if (k->client->peer.access != API_ADMIN)
		own = keyring_show(
			  setup->keyring, &o, KEYRING_DEFAULT, signer, &f) == 0
			  ? signer
			  : NULL;
	api_write_bytes32(&k->result, "own_key", own);
	return 0;
}

static int
make_named_key(struct control_call *k, const char *name, uint8_t key[KEY_LEN])
{
	struct keyring_owner o = control_owner(k->client);
	struct fault f;

	if (keyring_make(keyring_of(k), &o, name, key, &f) != 0)
		return control_call_fail(k, &f);
	return 0;
}

static int
make_node_key(struct control_call *k, uint8_t key[KEY_LEN])
{
	const struct control_setup *setup = &k->client->control->setup;
	enum api_access have = k->client->peer.access;
	struct fault f;

	if (have < API_ADMIN)
		return api_error_set(&k->error, API_ERR_DENIED,
		    json_pack("{s:s, s:s}", "need", "admin", "have",
			api_access_name(have)),
		    "a key without a name replaces the node's own and needs"
		    " admin access: give a name");
	if (setup->ops->key_new(setup->owner, key, &f) != 0)
		return control_call_fail(k, &f);
	return 0;
}

int
control_key_remove(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	const char *name = control_arg(k, "name")->text;
	struct fault f;

	if (keyring_remove(keyring_of(k), &o, name, &f) != 0)
		return control_call_fail(k, &f);
	return 0;
}

int
control_key_new(struct control_call *k)
{
	const struct api_value *name = control_arg(k, "name");
	uint8_t key[KEY_LEN];
	int err;

	if (name->set)
		err = make_named_key(k, name->text, key);
	else
		err = make_node_key(k, key);
	if (err == 0)
		api_write_bytes32(&k->result, "public_key", key);
	return err;
}
