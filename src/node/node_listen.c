/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "node/node_conn.h"
#include "node/node_struct.h"

int
node_listen(struct node *n, const struct node_listen *l, uint32_t *listener)
{
	struct peers_listen spec = {
	    .keys = l->keys,
	    .allow = l->allow,
	    .allow_len = l->allow_len,
	    .ask = l->ask,
	    .limits = l->limits,
	    .relay_through = node_relay(n, l->relay_through),
	};

	if (n->leave.started)
		return ERR_CLOSED;
	return peers_listen(n->peers, &spec, listener);
}

void
node_unlisten(struct node *n, uint32_t listener)
{
	peers_unlisten(n->peers, listener);
}

void
node_answer(struct node *n, uint32_t conn, bool accept)
{
	peers_answer(n->peers, conn, accept);
}

bool
node_listener(const struct node *n, uint32_t after, struct node_listener *out)
{
	struct peers_listener l;

	if (!peers_listener_after(n->peers, after, &l))
		return false;
	*out = (struct node_listener){
	    .listener = l.number,
	    .announced = l.relays_len > 0,
	    .relays_len = l.relays_len,
	    .accepted = l.accepted,
	    .refused = l.refused,
	    .conns_len = l.conns_len,
	    .age_us = l.age_us,
	};
	memcpy(out->key, l.key, KEY_LEN);
	return true;
}
