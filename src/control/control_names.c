/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_page.h"
#include "control/control_server.h"
#include "store/peer_names.h"

static struct peer_names *
names_of(const struct control_call *k)
{
	return k->client->control->setup.names;
}

int
control_name_add(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	struct fault f;

	return peer_names_add(names_of(k), &o, control_arg(k, "name")->text,
		   control_arg(k, "public_key")->key, &f) == 0
		   ? 0
		   : control_call_fail(k, &f);
}

int
control_name_remove(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	struct fault f;

	return peer_names_remove(
		   names_of(k), &o, control_arg(k, "name")->text, &f) == 0
		   ? 0
		   : control_call_fail(k, &f);
}

int
control_name_show(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	const char *name = control_arg(k, "name")->text;
	const struct peer_name *one = peer_names_find(names_of(k), &o, name);
	struct fault f;

	if (one == NULL) {
		fault_set(&f, ERR_UNKNOWN,
		    "\"%.60s\" is neither a public key nor the name of one,"
		    " see `dhtctl names`",
		    name);
		return control_call_fail(k, &f);
	}
	api_write_bytes32(&k->result, "public_key", one->key);
	return 0;
}

int
control_names(struct control_call *k)
{
	struct keyring_owner o = control_owner(k->client);
	char owner[KEYRING_OWNER_TEXT_MAX];
	const struct peer_name *one;
	struct control_page page;
	struct api_writer item;

	control_page_begin(&page, k, "names", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		one = peer_names_next(names_of(k), &o, page.cursor);
		page.more = one != NULL;
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "names");
		api_write_text(&item, "name", one->name);
		api_write_bytes32(&item, "public_key", one->key);
		api_write_text(
		    &item, "owner", keyring_owner_text(&one->owner, owner));
		control_page_append(&page, &item, one->number);
	}
	control_page_end(&page);
	return 0;
}
