/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "api/text.h"
#include "daemon/control_client.h"

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
	struct daemon *d = k->client->control->daemon;
	char err[CONFIG_ERROR_MAX];

	if (seed->bytes_len != KEY_SEED_LEN)
		return api_error_param(
		    &k->fault, "seed_b64", "is not valid", "32 bytes");
	*keys = keyring_seed(&d->keyring, k->rq->bytes, err);
	if (*keys == NULL)
		return api_error_set(&k->fault, API_ERR_FAILED, NULL, "%s: %s",
		    k->rq->method->name, err);
	return 0;
}

int
control_borrow_keys(struct control_call *k, const struct key_pair **keys)
{
	struct daemon *d = k->client->control->daemon;
	const struct api_value *name = api_request_value(k->rq, "name");
	const struct api_value *seed = api_request_value(k->rq, "seed_b64");
	struct keyring_owner o = control_owner(k->client);
	char err[CONFIG_ERROR_MAX];

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
	    &d->keyring, &o, name->set ? name->text : KEYRING_DEFAULT, err);
	if (*keys == NULL)
		return api_error_set(&k->fault, API_ERR_FAILED, NULL, "%s: %s",
		    k->rq->method->name, err);
	return 0;
}

void
control_return_keys(struct control *c, const struct key_pair *keys)
{
	if (keys != NULL)
		keyring_return(&c->daemon->keyring, keys);
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
	struct keyring *ring = &k->client->control->daemon->keyring;
	struct keyring_owner o = control_owner(k->client);
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(ring, &o, names);
	char err[CONFIG_ERROR_MAX], text[TEXT_Z32_MAX];
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
	struct daemon *d = k->client->control->daemon;
	struct keyring_owner o = control_owner(k->client);
	const struct api_value *name = api_request_value(k->rq, "name");
	const uint8_t *shown = d->identity->public_key;
	char err[CONFIG_ERROR_MAX], text[TEXT_Z32_MAX];
	uint8_t key[KEY_LEN];

	if (name->set) {
		if (keyring_show(&d->keyring, &o, name->text, key, err) != 0)
			return failed(k, err);
		shown = key;
	}
	k->result = json_pack("{s:s, s:b}", "public_key", text_z32(text, shown),
	    "saved", name->set || d->identity_saved);
	return CALL_DONE;
}

int
control_key_new(struct control_call *k)
{
	struct daemon *d = k->client->control->daemon;
	struct keyring_owner o = control_owner(k->client);
	const struct api_value *name = api_request_value(k->rq, "name");
	char err[CONFIG_ERROR_MAX], text[TEXT_Z32_MAX];
	uint8_t key[KEY_LEN];
	int rc;

	if (!name->set && k->client->peer.access < API_ADMIN)
		return api_error_set(&k->fault, API_ERR_DENIED,
		    json_pack("{s:s, s:s}", "need", "admin", "have",
			api_access_name(k->client->peer.access)),
		    "key_new without a name replaces the node's own key and"
		    " needs admin access: give a name");
	rc = name->set ? keyring_make(&d->keyring, &o, name->text, key, err)
		       : daemon_key_new(d, key, err);
	if (rc != 0)
		return failed(k, err);
	k->result = json_pack("{s:s}", "public_key", text_z32(text, key));
	return CALL_DONE;
}
