/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "dht/local_node.h"

void
local_node_init(
    struct local_node *n, const struct core *core, const struct dht_config *c)
{
	uint8_t id[ID_LEN];

	n->world = core->world;
	n->timers = core->timers;
	n->stats = core->stats;
	n->limits = core->limits;
	n->config = *c;
	n->config.bootstrap = NULL;
	n->config.known = NULL;
	n->server.handle = n->client.handle = WORLD_NO_SOCK;
	n->world->ops->random(n->world, &n->hash_key, sizeof n->hash_key);
	/* Until our address is known the id is random, and never sent. */
	n->world->ops->random(n->world, id, sizeof id);
	table_init(&n->table, id);
	sampler_init(&n->sampler);
}

static void
close_socket(struct local_node *n, struct dht_socket *s)
{
	if (s->handle != WORLD_NO_SOCK)
		n->world->ops->close(n->world, s->handle);
	s->handle = WORLD_NO_SOCK;
}

void
local_node_fini(struct local_node *n)
{
	table_fini(&n->table);
	close_socket(n, &n->server);
	close_socket(n, &n->client);
}

/* ---- sockets ---- */

static int
open_at(struct local_node *n, uint16_t port, struct addr *bound)
{
	struct addr at = n->config.host;

	at.port = port;
	return n->world->ops->open(n->world, &at, bound);
}

int
local_node_open_socket(struct local_node *n, struct addr *bound)
{
	return open_at(n, 0, bound);
}

static int
open_socket(struct local_node *n, struct dht_socket *s, uint16_t port)
{
	int handle = open_at(n, port, &s->bound);

	if (handle < 0)
		return handle;
	s->handle = handle;
	return 0;
}

/* Tries the ports of the range in order, then any port if that is allowed. */
static int
open_server(struct local_node *n)
{
	const struct dht_config *c = &n->config;
	int err = ERR_ADDRESS_USED;

	for (uint32_t port = c->port_first; port != 0 && port <= c->port_last;
	     port++) {
		err = open_socket(n, &n->server, (uint16_t)port);
		if (err != ERR_ADDRESS_USED)
			return err;
	}
	if (c->port_first == 0 || c->port_any)
		err = open_socket(n, &n->server, 0);
	return err;
}

int
local_node_open(struct local_node *n)
{
	int err = open_server(n);

	return err == 0 ? open_socket(n, &n->client, 0) : err;
}

/* ---- id and address ---- */

const uint8_t *
local_node_id_for(const struct local_node *n, int sock)
{
	return sock == n->server.handle && !n->ephemeral ? n->table.own : NULL;
}

const uint8_t *
local_node_verify_id(
    const struct local_node *n, const uint8_t *claimed, const struct addr *from)
{
	uint8_t hashed[ID_LEN];
	uint32_t node;

	if (claimed == NULL)
		return NULL;
	node = table_find(&n->table, claimed);
	if (node != 0 && addr_equal(&table_at(&n->table, node)->addr, from))
		return claimed;
	id_of_addr(hashed, from);
	return id_equal(hashed, claimed) ? claimed : NULL;
}

const struct addr *
local_node_public_address(const struct local_node *n)
{
	return n->own.family != ADDR_NONE ? &n->own
					  : sampler_address(&n->sampler);
}

/* Returns the address that has the scope of this network; its port may be 0. */
static const struct addr *
network_address(const struct local_node *n)
{
	if (n->own.family != ADDR_NONE)
		return &n->own;
	if (n->sampler.result.family != ADDR_NONE)
		return &n->sampler.result;
	return &n->server.bound;
}

bool
local_node_is_private(const struct local_node *n)
{
	enum addr_scope scope;

	if (n->config.private_network)
		return true;
	scope = addr_scope(network_address(n));
	return scope == ADDR_LOOPBACK || scope == ADDR_PRIVATE ||
	       scope == ADDR_LINK;
}

const struct limits *
local_node_shares(const struct local_node *n)
{
	return local_node_is_private(n) ? NULL : n->limits;
}

bool
local_node_may_send(const struct local_node *n, const struct addr *to)
{
	enum addr_scope scope = addr_scope(to);

	if (scope == ADDR_UNUSABLE || to->port == 0)
		return false;
	/* A node that serves the public must not be made to send into the
	 * private network that it is in. */
	return scope == ADDR_PUBLIC || n->ephemeral || local_node_is_private(n);
}

/* ---- transmission ---- */

int
local_node_commit(struct local_node *n, size_t len)
{
	int err = n->world->ops->commit(n->world, len);

	if (err != 0) {
		n->stats->tx_refused++;
		return err;
	}
	n->stats->tx_datagrams++;
	n->stats->tx_bytes += len;
	return 0;
}

int
local_node_send(struct local_node *n, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	uint8_t *space;

	if (len == 0)
		return ERR_TOO_BIG;
	space = n->world->ops->reserve(n->world, meta, len);
	if (space == NULL) {
		n->stats->tx_refused++;
		return ERR_FULL;
	}
	memcpy(space, buf, len);
	return local_node_commit(n, len);
}
