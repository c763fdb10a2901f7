/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "mesh.h"

enum { DELAY_MS = 20 };

void
mesh_init(struct mesh *n, unsigned nodes, uint64_t seed)
{
	*n = (struct mesh){.len = nodes, .seed = seed};
	n->nodes = calloc(nodes, sizeof *n->nodes);
	ck_assert_ptr_nonnull(n->nodes);
	lan_init(&n->lan, seed);
	n->lan.net.faults.flat_us = DELAY_MS * 1000;
}

void
mesh_fini(struct mesh *n)
{
	for (unsigned i = 0; i < n->len; i++)
		if (n->nodes[i].on)
			rig_fini(&n->nodes[i].r);
	free(n->nodes);
	lan_fini(&n->lan);
}

static uint32_t
mesh_host(unsigned i, uint32_t network)
{
	return network << 24 | i << 8 | 1;
}

struct addr
mesh_address(const struct mesh *n, unsigned i)
{
	const struct core_host *h = &n->nodes[i].r.host;
	int port = RIG_PORT + h->port_shift;

	return spot_addr((struct spot){h->ep.ip, (uint16_t)port});
}

void
mesh_move(struct mesh *n, unsigned i)
{
	struct endpoint *ep = &n->nodes[i].r.host.ep;

	net_unbind(&n->lan.net, ep->ip);
	ep->ip = mesh_host(i, 30);
	net_bind(&n->lan.net, ep->ip, ep);
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

void
mesh_run_ms(struct mesh *n, uint64_t ms)
{
	lan_run(&n->lan, ms * 1000);
}

/* ---- nodes ---- */

void
mesh_config(struct dht_config *c, enum dht_role role)
{
	static struct bootstrap_entry first;

	rig_config(c, role);
	c->health_ms = HEALTH_PROBE_MS;
	c->public_address = addr_v4(20, 0, 0, 1, RIG_PORT);
	if (role == DHT_BOOTSTRAP)
		return;
	ck_assert_int_eq(bootstrap_parse(&first, "20.0.0.1:49737"), 0);
	c->bootstrap = &first;
	c->bootstrap_len = 1;
}

static void
receive(struct core_host *h, const struct dgram *dg)
{
	struct mesh_node *node = container_of(h, struct mesh_node, r.host);

	if (!node->closed || dg->sock != node->r.server)
		rig_deliver(&node->r, dg->sock, &dg->from, dg->buf, dg->len);
}

void
mesh_start(struct mesh *n, unsigned i, const struct dht_config *c)
{
	struct mesh_node *node = &n->nodes[i];
	struct rig *r = &node->r;
	struct dht_config mine;

	mesh_config(&mine, i == 0 ? DHT_BOOTSTRAP : DHT_PERSISTENT);
	core_host_init(&r->host, &lan_hooks, n->seed * 1000003 + i);
	lan_add(&n->lan, &r->host, mesh_host(i, 20));
	r->host.receive = receive;
	r->host.port_shift = node->port_shift;
	rig_start(r, c != NULL ? c : &mine);
	r->self = mesh_address(n, i);
	r->self.port = RIG_PORT;
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
