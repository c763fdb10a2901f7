/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "api/text.h"
#include "control/control_client.h"

/* ---- whose it is ---- */

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

static int
seed_keys(struct control_call *k, const struct api_value *seed,
    const struct key_pair **keys)
{
	const struct control_setup *setup = &k->client->control->setup;
	char err[ERR_REASON_MAX];

	if (seed->bytes_len != KEY_SEED_LEN)
		return api_error_param(
		    &k->fault, "seed_b64", "is not valid", "32 bytes");
	*keys = keyring_seed(setup->keyring, k->rq->bytes, err);
	if (*keys == NULL)
		return api_error_set(&k->fault, API_ERR_FAILED, NULL, "%s: %s",
		    k->rq->method->name, err);
	return 0;
}

int
control_borrow_keys(struct control_call *k, const struct key_pair **keys)
{
	const struct control_setup *setup = &k->client->control->setup;
	const struct api_value *name = api_request_value(k->rq, "name");
	const struct api_value *seed = api_request_value(k->rq, "seed_b64");
	struct keyring_owner o = control_owner(k->client);
	char err[ERR_REASON_MAX];

	*keys = NULL;
	if (name->set && seed->set)
		return api_error_param(&k->fault, "seed_b64",
		    "is given beside a name", "one of the two");
	if (seed->set)
		return seed_keys(k, seed, keys);
	/* The daemon's own is for those whose daemon it is. */
	if (!name->set && o.daemon)
		return 0;
	*keys = keyring_named(
	    setup->keyring, &o, name->set ? name->text : KEYRING_DEFAULT, err);
	if (*keys == NULL)
		return api_error_set(&k->fault, API_ERR_FAILED, NULL, "%s: %s",
		    k->rq->method->name, err);
	return 0;
}

void
control_return_keys(struct control *c, const struct key_pair *keys)
{
	if (keys != NULL)
		keyring_return(c->setup.keyring, keys);
}

/* ---- methods ---- */

static int
failed(struct control_call *k, const char *err)
{
	return api_error_set(&k->fault, API_ERR_FAILED, NULL, "%s: %s",
	    k->rq->method->name, err);
}

int
control_key_list(struct control_call *k)
{
	struct keyring *ring = k->client->control->setup.keyring;
	struct keyring_owner o = control_owner(k->client);
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(ring, &o, names);
	char err[ERR_REASON_MAX], text[TEXT_Z32_MAX];
	json_t *list = json_array();
	uint8_t key[KEY_LEN];

	for (unsigned i = 0; i < len; i++) {
		if (keyring_show(ring, &o, names[i], key, err) != 0) {
			json_decref(list);
			return failed(k, err);
		}
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "name", names[i],
			      "public_key", text_z32(text, key)));
	}
	k->result = json_pack("{s:o}", "keys", list);
	return CALL_DONE;
}

int
control_key_show(struct control_call *k)
{
	const struct control_setup *setup = &k->client->control->setup;
	struct keyring_owner o = control_owner(k->client);
	const struct api_value *name = api_request_value(k->rq, "name");
	const uint8_t *shown = setup->identity->public_key;
	char err[ERR_REASON_MAX], text[TEXT_Z32_MAX];
	uint8_t key[KEY_LEN];

	if (name->set) {
		if (keyring_show(setup->keyring, &o, name->text, key, err) != 0)
			return failed(k, err);
		shown = key;
	}
	k->result = json_pack("{s:s, s:b}", "public_key", text_z32(text, shown),
	    "saved", name->set || setup->identity_saved);
	return CALL_DONE;
}

int
control_key_new(struct control_call *k)
{
	const struct control_setup *setup = &k->client->control->setup;
	struct keyring_owner o = control_owner(k->client);
	const struct api_value *name = api_request_value(k->rq, "name");
	char err[ERR_REASON_MAX], text[TEXT_Z32_MAX];
	uint8_t key[KEY_LEN];
	int rc;

	if (!name->set && k->client->peer.access < API_ADMIN)
		return api_error_set(&k->fault, API_ERR_DENIED,
		    json_pack("{s:s, s:s}", "need", "admin", "have",
			api_access_name(k->client->peer.access)),
		    "key_new without a name replaces the node's own key and"
		    " needs admin access: give a name");
	rc = name->set ? keyring_make(setup->keyring, &o, name->text, key, err)
		       : setup->ops->key_new(setup->owner, key, err);
	if (rc != 0)
		return failed(k, err);
	k->result = json_pack("{s:s}", "public_key", text_z32(text, key));
	return CALL_DONE;
}
