/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_page.h"
#include "control/control_server.h"
#include "tunnel/tunnels.h"

static struct tunnels *
tunnels_of(const struct control_call *k)
{
	return k->client->control->setup.tunnels;
}

/* ---- parameters ---- */

static int
read_name(struct control_call *k, struct tunnel_spec *spec)
{
	const struct api_value *name = control_arg(k, "name");

	if (!name->set)
		return 0;
	if (strlen(name->text) >= sizeof spec->name)
		return api_error_param(&k->error, "name", "is too long",
		    "the name of a key, of 32 characters at most");
	memcpy(spec->name, name->text, strlen(name->text) + 1);
	return 0;
}

static int
read_address(
    struct control_call *k, const char *param, struct tunnel_address *a)
{
	struct fault f;

	if (tunnel_address_parse(a, control_arg(k, param)->text, &f) != 0)
		return api_error_param(
		    &k->error, param, "is not valid", TUNNEL_ADDRESS_FORMS);
	return 0;
}

/* Reads the list of keys. Nothing is open to all keys by mistake. */
static int
read_allow(struct control_call *k, struct tunnel_spec *spec)
{
	const struct api_value *allow = control_arg(k, "allow");
	bool public = control_arg(k, "public")->yes;

	while (
	    spec->allow_len < TUNNEL_ALLOW_MAX &&
	    api_value_key(allow, spec->allow_len, spec->allow[spec->allow_len]))
		spec->allow_len++;
	if (public != (spec->allow_len == 0))
		return api_error_param(&k->error, "allow",
		    public ? "is given beside public" : "has no key",
		    "the keys that may connect, or public, which admits any");
	return 0;
}

static int
add_tunnel(struct control_call *k, const struct tunnel_spec *spec,
    const struct tunnel **added)
{
	struct fault f;

	return tunnels_add(tunnels_of(k), spec, added, &f) == 0
		   ? 0
		   : control_call_fail(k, &f);
}

static int
remove_tunnel(struct control_call *k, enum tunnel_kind kind, const char *name)
{
	struct fault f;

	return tunnels_remove(tunnels_of(k), kind, name, &f) == 0
		   ? 0
		   : control_call_fail(k, &f);
}

/* ---- methods ---- */

int
control_expose(struct control_call *k)
{
	struct tunnel_spec spec = {.kind = TUNNEL_EXPOSED};
	const struct tunnel *t;
	int err = read_name(k, &spec);

	if (err == 0)
		err = read_address(k, "target", &spec.address);
	if (err == 0)
		err = read_allow(k, &spec);
	if (err == 0)
		err = add_tunnel(k, &spec, &t);
	if (err != 0)
		return err;
	api_write_text(&k->result, "name", t->spec.name);
	api_write_bytes32(&k->result, "public_key", t->keys->public_key);
	api_write_text(&k->result, "target", t->spec.address.text);
	return 0;
}

int
control_unexpose(struct control_call *k)
{
	return remove_tunnel(k, TUNNEL_EXPOSED, control_arg(k, "name")->text);
}

int
control_forward(struct control_call *k)
{
	struct tunnel_spec spec = {.kind = TUNNEL_FORWARDED};
	const struct tunnel *t;
	int err = read_name(k, &spec);

	memcpy(spec.peer, control_arg(k, "public_key")->key, KEY_LEN);
	if (err == 0)
		err = read_address(k, "local", &spec.address);
	if (err == 0)
		err = add_tunnel(k, &spec, &t);
	if (err == 0)
		api_write_text(&k->result, "local", t->spec.address.text);
	return err;
}

int
control_unforward(struct control_call *k)
{
	struct tunnel_address local;
	int err = read_address(k, "local", &local);

	return err != 0 ? err : remove_tunnel(k, TUNNEL_FORWARDED, local.text);
}

/* ---- the list ---- */

static void
write_tunnel(struct api_writer *w, const struct tunnel *t)
{
	bool exposed = t->spec.kind == TUNNEL_EXPOSED;
	const uint8_t *own = t->keys != NULL ? t->keys->public_key : NULL;

	api_write_text(w, "kind", exposed ? "exposed" : "forwarded");
	api_write_text(
	    w, "name", t->spec.name[0] != '\0' ? t->spec.name : NULL);
	api_write_text(w, "address", t->spec.address.text);
	api_write_bytes32(w, "public_key", exposed ? own : t->spec.peer);
	api_write_uint(w, "allowed", t->spec.allow_len);
	api_write_bool(w, "open", tunnel_is_open(t));
	api_write_text(w, "err_name", err_name(t->err));
	api_write_uint(w, "conns", t->conns_len);
	api_write_uint(w, "opened", t->opened);
	api_write_uint(w, "failed", t->failed);
}

int
control_tunnels(struct control_call *k)
{
	const struct tunnel *t;
	struct control_page page;
	struct api_writer item;

	control_page_begin(&page, k, "tunnels", API_PAGE_MAX);
	while (control_page_has_space(&page)) {
		t = tunnels_next(tunnels_of(k), page.cursor);
		page.more = t != NULL;
		if (!page.more)
			break;
		api_item_init(&item, &k->result, "tunnels");
		write_tunnel(&item, t);
		control_page_append(&page, &item, t->number);
	}
	control_page_end(&page);
	return 0;
}
