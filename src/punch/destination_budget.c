/* SPDX-License-Identifier: ISC */
#include "punch/destination_budget.h"

enum {
	/* Some NATs forget an idle entry after this time. */
	FORGET_S = 30,
	/* Divisors of the budget: a relay has a quarter, and a client's prefix
	 * a quarter of that, which suffices for a few dials a minute. */
	RELAY_PART = 4,
	CLIENT_PART = 16,
	/* One dial of ours is asked for by one program of this host, and names
	 * a few addresses only. */
	DIALED_FACTOR = 4,
};

static uint32_t
now_ms(const struct destination_budget *b)
{
	return (uint32_t)(b->core->world->now_us / 1000);
}

static struct prefix_budget_rate
rate_of(const struct destination_budget *b, uint32_t part)
{
	const struct limits *l = b->core->limits;

	return (struct prefix_budget_rate){
	    .burst = (l->probe_destinations + part - 1) / part,
	    .rate = (l->probe_destinations_rate + part - 1) / part};
}

void
destination_budget_init(struct destination_budget *b, const struct core *core)
{
	const struct limits *l = core->limits;

	b->core = core;
	prefix_budget_init(&b->relays, core, l->forward_hosts);
	prefix_budget_init(&b->clients, core, l->forward_hosts);
	b->all[PROBE_ASKED] = bucket_full(l->probe_destinations, now_ms(b));
	b->all[PROBE_DIALED] =
	    bucket_full(l->probe_destinations * DIALED_FACTOR, now_ms(b));
}

void
destination_budget_fini(struct destination_budget *b)
{
	prefix_budget_fini(&b->relays);
	prefix_budget_fini(&b->clients);
}

void
destination_budget_limits_changed(struct destination_budget *b)
{
	prefix_budget_set_max(&b->relays, b->core->limits->forward_hosts);
	prefix_budget_set_max(&b->clients, b->core->limits->forward_hosts);
}

/* Returns true and one bucket's unit if all three have one. */
static bool
take_asked(struct destination_budget *b, const struct probe_origin *origin)
{
	static const struct addr others; /* all senders that are no relay */
	struct prefix_budget_rate rate = rate_of(b, RELAY_PART);
	struct bucket *relay, *client;

	relay = prefix_budget_get(
	    &b->relays, origin->relayed ? &origin->from : &others, &rate);
	rate = rate_of(b, CLIENT_PART);
	client = prefix_budget_get(&b->clients,
	    origin->relayed ? &origin->client : &origin->from, &rate);
	return relay != NULL && client != NULL && relay->left > 0 &&
	       client->left > 0 && bucket_take(&b->all[PROBE_ASKED], 1) &&
	       bucket_take(relay, 1) && bucket_take(client, 1);
}

static bool
take_one(struct destination_budget *b, const struct probe_origin *origin)
{
	uint32_t factor = origin->cause == PROBE_DIALED ? DIALED_FACTOR : 1;
	const struct limits *l = b->core->limits;
	struct bucket *all = &b->all[origin->cause];

	bucket_refill(all, l->probe_destinations * factor,
	    l->probe_destinations_rate * factor, now_ms(b));
	return origin->cause == PROBE_DIALED ? bucket_take(all, 1)
					     : take_asked(b, origin);
}

/* Returns the cell of an address, and its tag. */
static struct destination *
find_cell(struct destination_budget *b, const struct addr *to,
    enum probe_cause cause, uint32_t *tag)
{
	uint64_t both[] = {
	    addr_host_key(to), (uint64_t)to->port << 8 | (uint64_t)cause, 0};
	const struct hash_key *key = &b->core->hash_key;

	*tag = hash_bytes(key, both, sizeof both);
	both[2] = 1;
	return &b->seen[hash_bytes(key, both, sizeof both) % DESTINATIONS_MAX];
}

bool
destination_budget_take(struct destination_budget *b, const struct addr *to,
    const struct probe_origin *origin)
{
	uint32_t tag, now_s = now_ms(b) / 1000 + 1;
	struct destination *d;

	if (origin->cause == PROBE_ASKED && !origin->relayed &&
	    addr_same_host(to, &origin->from))
		return true;
	d = find_cell(b, to, origin->cause, &tag);
	if (d->tag == tag && d->at_s != 0 && now_s - d->at_s < FORGET_S)
		return true;
	if (!take_one(b, origin)) {
		b->core->stats->destinations_refused++;
		return false;
	}
	*d = (struct destination){.tag = tag, .at_s = now_s};
	b->core->stats->destinations++;
	return true;
}
