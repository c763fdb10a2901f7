/* SPDX-License-Identifier: ISC */
#include "punch/probe_budget.h"

enum {
	PREFIX_HOSTS = 4, /* a /24 has the budget of so many hosts */
	/* Units for a datagram to a host that is not validated; 1 if it is. All
	 * buckets of a table have one rate, or full ones would not be evicted.
	 */
	VALIDATED_FACTOR = 4,
};

void
probe_budget_init(
    struct probe_budget *pb, const struct core *core, const struct dht *dht)
{
	uint32_t max = core->limits->forward_hosts;

	*pb = (struct probe_budget){.core = core, .dht = dht};
	for (int i = 0; i < PROBE_CAUSES; i++) {
		prefix_budget_init(&pb->of[i].hosts, core, max);
		prefix_budget_init(&pb->of[i].prefixes, core, max);
	}
}

void
probe_budget_fini(struct probe_budget *pb)
{
	for (int i = 0; i < PROBE_CAUSES; i++) {
		prefix_budget_fini(&pb->of[i].hosts);
		prefix_budget_fini(&pb->of[i].prefixes);
	}
}

void
probe_budget_limits_changed(struct probe_budget *pb)
{
	uint32_t max = pb->core->limits->forward_hosts;

	for (int i = 0; i < PROBE_CAUSES; i++) {
		prefix_budget_set_max(&pb->of[i].hosts, max);
		prefix_budget_set_max(&pb->of[i].prefixes, max);
	}
}

static bool
take_datagrams(struct probe_budget *pb, const struct addr *to,
    struct probe_buckets *of, uint32_t datagrams)
{
	const struct limits *l = pb->core->limits;
	uint32_t cost =
	    datagrams * (dht_is_validated(pb->dht, to) ? 1 : VALIDATED_FACTOR);
	struct prefix_budget_rate rate = {l->probe_burst * VALIDATED_FACTOR,
	    l->probe_rate * VALIDATED_FACTOR};
	struct bucket *host = prefix_budget_get_host(&of->hosts, to, &rate);
	struct bucket *prefix;

	rate.burst *= PREFIX_HOSTS;
	rate.rate *= PREFIX_HOSTS;
	prefix = prefix_budget_get(&of->prefixes, to, &rate);
	return host != NULL && prefix != NULL && host->left >= cost &&
	       bucket_take(prefix, cost) && bucket_take(host, cost);
}

bool
probe_budget_take(struct probe_budget *pb, const struct addr *to,
    enum probe_cause cause, uint32_t datagrams)
{
	if (dht_is_private(pb->dht) ||
	    take_datagrams(pb, to, &pb->of[cause], datagrams))
		return true;
	pb->core->stats->probes_refused += datagrams;
	return false;
}
