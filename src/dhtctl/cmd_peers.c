/* SPDX-License-Identifier: ISC */
#include "dhtctl/dhtctl.h"

/* The most that one lookup can find. */
enum { PEERS_MAX = 4096 };

/*
 * Peers that were found. Many nodes return a record of the same peer: as text
 * and JSON each peer is printed once, with the number of nodes, and as NDJSON
 * every record is printed.
 */
struct found_peers {
	struct ctl *ctl;
	json_t *by_key;
};

static const struct column peer_columns[] = {
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"told", "TOLD BY", UNIT_NONE},
    {"relays", "RELAYS", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static void
add_record(struct found_peers *p, const json_t *params)
{
	const char *key =
	    json_string_value(json_object_get(params, "public_key"));
	json_t *peer;

	if (key == NULL)
		return;
	peer = json_object_get(p->by_key, key);
	if (peer != NULL) {
		json_t *told = json_object_get(peer, "told");

		json_integer_set(told, json_integer_value(told) + 1);
	} else if (json_object_size(p->by_key) < PEERS_MAX) {
		peer = json_pack("{s:s, s:i, s:O?}", "public_key", key, "told",
		    1, "relays", json_object_get(params, "relays"));
		json_object_set_new(p->by_key, key, peer);
	}
}

static int
on_peer(void *owner, const json_t *params)
{
	struct found_peers *p = owner;
	json_t *peer;

	if (p->ctl->print.format != PRINT_NDJSON) {
		add_record(p, params);
		return EXIT_DONE;
	}
	peer = json_copy((json_t *)params);
	json_object_del(peer, "request");
	print_item(&p->ctl->print, peer);
	json_decref(peer);
	return EXIT_DONE;
}

static int
find_peers(struct ctl *c, enum api_method_id method, json_t *params)
{
	struct found_peers peers = {.ctl = c, .by_key = json_object()};
	const struct api_client_notes notes = {
	    .note = on_peer, .owner = &peers};
	const char *key;
	json_t *result, *peer;
	int code;

	print_begin(&c->print, "peers", peer_columns);
	code = api_client_call(&c->client, method, params, &notes, &result);
	if (code == EXIT_DONE) {
		json_object_foreach(peers.by_key, key, peer)
		    print_item(&c->print, peer);
		print_end(&c->print, result);
	}
	json_decref(peers.by_key);
	json_decref(result);
	return code;
}

int
cmd_find_peer(struct ctl *c, char **argv)
{
	return find_peers(
	    c, API_METHOD_find_peer, json_pack("{s:s}", "public_key", argv[0]));
}

int
cmd_lookup(struct ctl *c, char **argv)
{
	return find_peers(
	    c, API_METHOD_lookup, json_pack("{s:s}", "topic", argv[0]));
}
