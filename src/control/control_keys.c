/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"

/* ---- ownership ---- */

struct keyring_owner
control_owner(const struct control_client *cl)
{
	uid_t uid = cl->peer.uid;

	return (struct keyring_owner){
	    .daemon = uid == 0 || uid == geteuid(), .uid = uid};
}

bool
control_may_use(const struct control_client *cl, const struct keyring_owner *o)
{
	struct keyring_owner own = control_owner(cl);

	return cl->peer.access == API_ADMIN ||
	       (own.daemon == o->daemon && own.uid == o->uid);
}

/* ---- identities ---- */

static struct keyring *
keyring_of(const struct control_call *k)
{
	return k->client->control->setup.keyring;
}

static int
borrow_seed_keys(struct control_call *k, const struct api_value *seed,
    const struct key_pair **keys)
{
	struct fault f;

	if (seed->bytes_len != KEY_SEED_LEN)
		return api_error_param(
		    &k->error, "seed_b64", "is not valid", "32 bytes");
	if (keyring_lend_seed(keyring_of(k), k->rq->bytes, keys, &f) == 0)
		return 0;
	*keys = NULL;
	return control_call_fail(k, &f);
}

int
control_keys_borrow(struct control_call *k, const struct key_pair **keys)
{
	const struct api_value *name = control_arg(k, "name");
	const struct api_value *seed = control_arg(k, "seed_b64");
	struct keyring_owner o = control_owner(k->client);
	struct fault f;

	*keys = NULL;
	if (name->set && seed->set)
		return api_error_param(&k->error, "seed_b64",
		    "is given beside a name", "one of the two");
	if (seed->set)
		return borrow_seed_keys(k, seed, keys);
	/* Only root and the daemon's user use the node's own identity. */
	if (!name->set && o.daemon)
		return 0;
	if (keyring_lend_named(keyring_of(k), &o,
		name->set ? name->text : KEYRING_DEFAULT, keys, &f) == 0)
		return 0;
	*keys = NULL;
	return control_call_fail(k, &f);
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
	struct fault f;
	uint8_t key[KEY_LEN];

	if (name->set) {
		if (keyring_show(setup->keyring, &o, name->text, key, &f) != 0)
			return control_call_fail(k, &f);
		shown = key;
	}
	api_write_bytes32(&k->result, "public_key", shown);
	api_write_bool(&k->result, "saved", name->set || setup->identity_saved);
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
