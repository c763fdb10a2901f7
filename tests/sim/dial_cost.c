/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "crypto/keys.h"
#include "dht/rpc.h"
#include "records/record.h"
#include "sim/scenario.h"

void
dial_cost_begin(struct sim *s, struct dial_cost *d, const struct host *caller,
    const struct host *callee)
{
	*d = (struct dial_cost){.caller = caller, .callee = callee};
	key_target(d->target, callee->identity.public_key);
	d->alone = !calls_between(caller, callee);
	d->next = s->dial_costs.all;
	s->dial_costs.all = d;
}

/* ---- what belongs to a dial ---- */

/* Returns whether datagrams to the address may reach the host. */
static bool
leads_to(const struct host *h, uint32_t ip)
{
	if (h->ep.ip == ip)
		return true;
	for (const struct nat *box = h->nat; box != NULL; box = box->outer)
		if (box->ep.ip == ip)
			return true;
	return false;
}

/* Returns the signalling message of that transaction id, or NULL. */
static struct dial_message *
find_message(struct dial_cost *d, uint16_t tid)
{
	for (uint32_t i = 0; i < d->messages_len && i < DIAL_COST_MESSAGES; i++)
		if (d->messages[i].tid == tid)
			return &d->messages[i];
	return NULL;
}

static struct dial_message *
add_message(struct dial_cost *d, uint16_t tid)
{
	struct dial_message *m =
	    &d->messages[d->messages_len++ % DIAL_COST_MESSAGES];

	*m = (struct dial_message){.tid = tid};
	return m;
}

/*
 * Returns the datagrams that a request adds. A relay forwards a signalling
 * message with the transaction id and the target that its sender has chosen;
 * with it counts the caller's own request.
 */
static uint32_t
weigh_request(struct dial_cost *d, const struct endpoint *src, struct spot to,
    const uint8_t *buf, size_t len)
{
	struct dial_message *known;
	struct rpc_request m;
	bool first;

	if (rpc_request_decode(&m, buf, len) != 0 || m.internal ||
	    (m.command != CMD_PEER_HANDSHAKE &&
		m.command != CMD_PEER_HOLEPUNCH) ||
	    m.target == NULL || memcmp(m.target, d->target, ID_LEN) != 0)
		return 0;
	known = find_message(d, m.tid);
	if (src == &d->caller->ep) {
		if (known == NULL)
			known = add_message(d, m.tid);
		known->forwarded |= leads_to(d->callee, to.ip);
		return known->forwarded;
	}
	if (known == NULL)
		return 0;
	first = !known->forwarded;
	known->forwarded = true;
	return 1 + first;
}

static uint32_t
weigh_reply(struct dial_cost *d, struct spot to, const uint8_t *buf, size_t len)
{
	const struct dial_message *known;
	struct rpc_reply m;

	if (!leads_to(d->caller, to.ip) || rpc_reply_decode(&m, buf, len) != 0)
		return 0;
	known = find_message(d, m.tid);
	return known != NULL && known->forwarded;
}

/* Returns the datagrams of the dial that this one adds: 0 if it belongs to
 * something else. */
static uint32_t
weigh(struct dial_cost *d, const struct endpoint *src, struct spot to,
    const uint8_t *buf, size_t len)
{
	if (buf[0] == RPC_REQUEST)
		return weigh_request(d, src, to, buf, len);
	if (buf[0] == RPC_REPLY)
		return weigh_reply(d, to, buf, len);
	return d->alone &&
	       ((src == &d->caller->ep && leads_to(d->callee, to.ip)) ||
		   (src == &d->callee->ep && leads_to(d->caller, to.ip)));
}

/* ---- counting ---- */

static void
count_turn(struct dial_cost *d, const struct endpoint *src, struct spot to)
{
	if (src != &d->caller->ep) {
		d->received |= leads_to(d->caller, to.ip);
		return;
	}
	d->turns += d->received;
	d->received = false;
}

void
dial_cost_sent(struct sim *s, const struct endpoint *src, struct spot to,
    const uint8_t *buf, size_t len)
{
	for (struct dial_cost *d = s->dial_costs.all; d != NULL && len > 0;
	     d = d->next) {
		uint32_t n = weigh(d, src, to, buf, len);

		d->datagrams += n;
		if (n > 0)
			count_turn(d, src, to);
	}
}

/* ---- the bound ---- */

static uint32_t
choose(uint32_t of_call, uint32_t of_scenario, uint32_t usual)
{
	if (of_call != 0)
		return of_call;
	return of_scenario != 0 ? of_scenario : usual;
}

static void
check_bound(
    struct sim *s, const struct dial_cost *d, const struct dial_bound *bound)
{
	const struct dial_bound *own = &s->opt.scenario->bound;
	uint32_t datagrams =
	    choose(bound->datagrams, own->datagrams, DIAL_DATAGRAMS_MAX);
	uint32_t turns = choose(bound->turns, own->turns, DIAL_TURNS_MAX);

	sim_expect(s, d->datagrams <= datagrams && d->turns <= turns,
	    "host %u dials host %u: %u datagrams and %u turns, above %u or %u",
	    d->caller->ep.index, d->callee->ep.index, d->datagrams, d->turns,
	    datagrams, turns);
}

void
dial_cost_end(
    struct sim *s, struct dial_cost *d, const struct dial_bound *bound)
{
	struct dial_costs *all = &s->dial_costs;
	struct dial_cost **at = &all->all;

	while (*at != d) {
		if (*at == NULL)
			return;
		at = &(*at)->next;
	}
	*at = d->next;
	if (d->datagrams > all->datagrams_max)
		all->datagrams_max = d->datagrams;
	if (d->turns > all->turns_max)
		all->turns_max = d->turns;
	check_bound(s, d, bound);
}
