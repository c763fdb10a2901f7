/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "mesh.h"

void
mesh_init(struct mesh *n, unsigned nodes, uint64_t seed)
{
	*n = (struct mesh){.len = nodes, .delay_ms = 20, .dice.state = seed};
	n->nodes = calloc(nodes, sizeof *n->nodes);
	ck_assert_ptr_nonnull(n->nodes);
	n->now_us = UINT64_C(3600) * 1000000; /* as fake_init() */
}

void
mesh_fini(struct mesh *n)
{
	for (unsigned i = 0; i < n->len; i++)
		if (n->nodes[i].on)
			rig_fini(&n->nodes[i].r);
	free(n->nodes);
	free(n->flights);
}

struct addr
mesh_address(const struct mesh *n, unsigned i)
{
	const struct mesh_node *node = &n->nodes[i];

	return addr_v4(node->moved ? 30 : 20, (uint8_t)(i >> 8), (uint8_t)i, 1,
	    (uint16_t)(RIG_PORT + node->port_shift));
}

struct dht *
mesh_dht(const struct mesh *n, unsigned i)
{
	return n->nodes[i].r.d;
}

bool
mesh_knows(const struct mesh *n, unsigned i, unsigned k)
{
	struct addr a = mesh_address(n, k);

	return rig_knows(&n->nodes[i].r, &a);
}

/* ---- the link ---- */

static void
fly(struct mesh *n, const struct mesh_node *node, const struct fake_sent *s)
{
	struct mesh_flight *f;

	if (node->deaf)
		return;
	if (t_below(&n->dice, 1000) < n->loss) {
		n->lost++;
		return;
	}
	if (n->flights_len == n->flights_cap) {
		n->flights_cap = n->flights_cap > 0 ? 2 * n->flights_cap : 64;
		n->flights =
		    realloc(n->flights, n->flights_cap * sizeof *n->flights);
		ck_assert_ptr_nonnull(n->flights);
	}
	f = &n->flights[n->flights_len++];
	f->due_us = n->now_us + n->delay_ms * UINT64_C(1000);
	f->to = s->meta.to;
	f->from = mesh_address(n, (unsigned)(node - n->nodes));
	f->from.port = (uint16_t)(node->port_shift +
				  node->r.fw.socks[s->meta.sock].bound.port);
	f->len = s->len;
	memcpy(f->buf, s->buf, s->len);
}

/* Moves all datagrams that a node has sent to the link. */
static void
collect(struct mesh *n, struct mesh_node *node)
{
	struct fake_sent *s = node->r.fw.sent;

	for (size_t i = 0; i < node->r.fw.sent_len; i++)
		fly(n, node, &s[i]);
	rig_skip(&node->r);
}

static struct mesh_node *
node_at(struct mesh *n, const struct addr *a, int *sock)
{
	unsigned i = (unsigned)a->ip[1] << 8 | a->ip[2];
	struct mesh_node *node = i < n->len ? &n->nodes[i] : NULL;
	struct addr at;
	int port;

	if (node == NULL || !node->on)
		return NULL;
	at = mesh_address(n, i);
	port = a->port - node->port_shift;
	if (!addr_same_host(&at, a))
		return NULL;
	*sock = port == RIG_PORT ? node->r.server : node->r.client;
	return port == node->r.fw.socks[*sock].bound.port ? node : NULL;
}

static void
arrive(struct mesh *n, const struct mesh_flight *f)
{
	struct mesh_flight mine = *f; /* the array may move */
	int sock;
	struct mesh_node *node = node_at(n, &mine.to, &sock);

	if (node == NULL) {
		n->stray++;
		return;
	}
	if (node->deaf || (node->closed && sock == node->r.server))
		return;
	node->r.fw.w.now_us = n->now_us;
	rig_deliver(&node->r, sock, &mine.from, mine.buf, mine.len);
	collect(n, node);
}

/* ---- time ---- */

static uint64_t
next_due(const struct mesh *n, struct mesh_node **node)
{
	uint64_t due = WORLD_NEVER;

	*node = NULL;
	if (n->first < n->flights_len)
		due = n->flights[n->first].due_us;
	for (unsigned i = 0; i < n->len; i++) {
		uint64_t mine;

		if (!n->nodes[i].on)
			continue;
		mine = timers_deadline(&n->nodes[i].r.ts);
		if (mine < due) {
			due = mine;
			*node = &n->nodes[i];
		}
	}
	return due;
}

void
mesh_run_ms(struct mesh *n, uint64_t ms)
{
	uint64_t end = n->now_us + ms * 1000, due;
	struct mesh_node *node;

	/* Handles requests that the test has started since. */
	for (unsigned i = 0; i < n->len; i++)
		if (n->nodes[i].on)
			collect(n, &n->nodes[i]);
	while ((due = next_due(n, &node)) <= end) {
		if (due > n->now_us)
			n->now_us = due;
		if (node == NULL) {
			arrive(n, &n->flights[n->first++]);
			if (n->first == n->flights_len)
				n->first = n->flights_len = 0;
			continue;
		}
		node->r.fw.w.now_us = n->now_us;
		timers_run(&node->r.ts, n->now_us);
		collect(n, node);
	}
	n->now_us = end;
	for (unsigned i = 0; i < n->len; i++)
		n->nodes[i].r.fw.w.now_us = end;
}

/* ---- nodes ---- */

void
mesh_config(struct dht_config *c, enum dht_role role)
{
	static struct bootstrap_entry first;

	rig_config(c, role);
	c->public_address = addr_v4(20, 0, 0, 1, RIG_PORT);
	if (role == DHT_BOOTSTRAP)
		return;
	ck_assert_int_eq(bootstrap_parse(&first, "20.0.0.1:49737"), 0);
	c->bootstrap = &first;
	c->bootstrap_len = 1;
}

void
mesh_start(struct mesh *n, unsigned i, const struct dht_config *c)
{
	struct mesh_node *node = &n->nodes[i];
	struct addr at = mesh_address(n, i);
	struct dht_config mine;

	mesh_config(&mine, i == 0 ? DHT_BOOTSTRAP : DHT_PERSISTENT);
	at.port = RIG_PORT;
	rig_init_at(
	    &node->r, c != NULL ? c : &mine, &at, n->dice.state * 1000003 + i);
	/* The node started at the hour of the fake world; now it is later. */
	node->r.fw.w.now_us = n->now_us;
	node->on = true;
}

void
mesh_start_all(struct mesh *n)
{
	for (unsigned i = 0; i < n->len; i++) {
		mesh_start(n, i, NULL);
		mesh_run_ms(n, 200);
	}
	mesh_run_ms(n, 30000);
	for (unsigned i = 0; i < n->len; i++)
		ck_assert(dht_is_persistent(mesh_dht(n, i)));
}
