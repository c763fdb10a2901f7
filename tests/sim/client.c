/* SPDX-License-Identifier: ISC */
#include "records/record.h"
#include "sim/client.h"
#include "sim/sim.h"

static void
receive(struct actor *a, struct spot from, struct spot to, const uint8_t *buf,
    size_t len)
{
	struct client *c = a->state;
	struct rpc_reply m;

	if (buf[0] != RPC_REPLY || rpc_reply_decode(&m, buf, len) != 0)
		return;
	for (uint32_t i = 0; i < CLIENT_PENDING; i++) {
		if (!c->pending[i].waits || c->pending[i].tid != m.tid ||
		    c->pending[i].port != to.port ||
		    !spot_equal(c->pending[i].to, from))
			continue;
		c->pending[i].waits = false;
		c->answered++;
		return;
	}
}

struct actor *
client_new(struct sim *s, uint32_t ip)
{
	return actor_new(s, ip, 1, receive, sizeof(struct client));
}

void
client_ask(struct actor *a, uint16_t port, struct spot to, bool internal)
{
	struct client *c = a->state;
	uint32_t i = c->next++ % CLIENT_PENDING;
	uint8_t target[RPC_TARGET_LEN];
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
	    .internal = internal,
	    .command = internal ? (uint64_t)RPC_FIND_NODE : CMD_LOOKUP,
	    .target = target};

	prng_fill(&a->rand, target, sizeof target);
	c->pending[i].to = to;
	c->pending[i].port = port;
	c->pending[i].tid = m.tid;
	c->pending[i].waits = true;
	c->asked++;
	actor_request(a, (struct spot){a->ep.ip, port}, to, false, &m);
}

uint64_t
client_lost(const struct actor *a)
{
	const struct client *c = a->state;

	return c->asked - c->answered;
}
