/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dht/closest_set.h"

bool
closest_set_accepts(const struct closest_set *c, const uint8_t id[ID_LEN])
{
	return !closest_set_is_full(c) ||
	       id_compare(c->target, id, c->nodes[RPC_K - 1].id) < 0;
}

static void
delete_node(struct closest_set *c, uint32_t i)
{
	c->len--;
	memmove(
	    &c->nodes[i], &c->nodes[i + 1], (c->len - i) * sizeof *c->nodes);
}

/*
 * Makes space in the share of this host and /24, by deleting the farthest node
 * of them if needed. Returns false if all of theirs are nearer than id.
 */
static bool
reserve_share(struct closest_set *c, const uint8_t *id, const struct addr *a,
    const struct limits *l)
{
	uint32_t host = 0, prefix = 0, far_host = 0, far_prefix = 0, worst;

	for (uint32_t i = 0; i < c->len; i++) {
		if (addr_same_host(&c->nodes[i].addr, a)) {
			host++;
			far_host = i;
		}
		if (addr_same_prefix(&c->nodes[i].addr, a)) {
			prefix++;
			far_prefix = i;
		}
	}
	if (host < l->row_host && prefix < l->row_prefix)
		return true;
	worst = host >= l->row_host ? far_host : far_prefix;
	if (id_compare(c->target, id, c->nodes[worst].id) > 0)
		return false;
	delete_node(c, worst);
	return true;
}

void
closest_set_add(
    struct closest_set *c, const struct dht_answer *a, const struct limits *l)
{
	struct query_node n = {
	    .addr = a->from, .us = a->reply->to, .rtt_us = a->rtt_us};
	uint32_t i;

	if (!closest_set_accepts(c, a->id) ||
	    (l != NULL && !reserve_share(c, a->id, &a->from, l)))
		return;
	memcpy(n.id, a->id, ID_LEN);
	if (a->token != NULL) {
		n.has_token = true;
		memcpy(n.token, a->token, RPC_TOKEN_LEN);
	}
	if (closest_set_is_full(c))
		c->len--;
	for (i = c->len++; i > 0; i--) {
		if (id_compare(c->target, n.id, c->nodes[i - 1].id) > 0)
			break;
		c->nodes[i] = c->nodes[i - 1];
	}
	c->nodes[i] = n;
}
