/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "punch/nat_classifier.h"

enum {
	/* Ports that other traffic may use between two of ours. */
	STEP_MAX = 16,
	STEP_SAMPLES = 4,
	JUMPS_MAX = 2,
	PORT_LOWEST = 1024,
};

/* Counts of distinct addresses or hosts, in descending order; among equals, the
 * first seen comes first. */
struct tally {
	struct addr addr[PUNCH_SAMPLES_MAX];
	uint8_t hits[PUNCH_SAMPLES_MAX];
	uint8_t len;
};

enum nat_type
nat_type_decode(uint64_t number)
{
	return number > NAT_TYPE_RANDOM ? NAT_TYPE_RANDOM
					: (enum nat_type)number;
}

static void
count_address(struct tally *t, struct addr a)
{
	uint8_t i = 0, hits;

	while (i < t->len && !addr_equal(&t->addr[i], &a))
		i++;
	if (i == t->len) {
		t->addr[i] = a;
		t->hits[i] = 0;
		t->len++;
	}
	hits = ++t->hits[i];
	for (; i > 0 && t->hits[i - 1] < hits; i--) {
		t->addr[i] = t->addr[i - 1];
		t->hits[i] = t->hits[i - 1];
	}
	t->addr[i] = a;
	t->hits[i] = hits;
}

static struct tally
tally_samples(const struct nat_classifier *n, bool hosts)
{
	struct tally t = {.len = 0};

	for (uint8_t i = 0; i < n->len; i++) {
		struct addr a = n->samples[i].saw;

		if (hosts)
			a.port = 0;
		count_address(&t, a);
	}
	return t;
}

static uint8_t
find_hits(const struct tally *t, const struct addr *a)
{
	for (uint8_t i = 0; i < t->len; i++)
		if (addr_equal(&t->addr[i], a))
			return t->hits[i];
	return 0;
}

/* Counts the latest samples in a row that agree with no other. */
static unsigned
count_lone_tail(const struct nat_classifier *n, const struct tally *full)
{
	unsigned lone = 0;

	while (lone < n->len &&
	       find_hits(full, &n->samples[n->len - 1 - lone].saw) == 1)
		lone++;
	return lone;
}

/*
 * In the reference three equal samples determine the type for ever. Behind a
 * NAT that replaces its mapping after a while this type would become wrong, so
 * a sample that disagrees reopens the type, and a second one changes it
 * (pitfall N2).
 */
static enum nat_type
classify_agreement(struct nat_classifier *n, const struct tally *full)
{
	unsigned lone = count_lone_tail(n, full);

	n->reopened = lone == 1;
	return lone == 0   ? NAT_TYPE_CONSISTENT
	       : lone == 1 ? NAT_TYPE_UNKNOWN
			   : NAT_TYPE_RANDOM;
}

/* Returns the type by the table of protocol 04 §2. */
static enum nat_type
classify_samples(struct nat_classifier *n, const struct tally *full,
    const struct tally *hosts)
{
	n->reopened = false;
	if (!n->firewalled)
		return NAT_TYPE_OPEN;
	if (n->len < NAT_SAMPLES_MIN)
		return NAT_TYPE_UNKNOWN;
	if (full->hits[0] >= 3)
		return classify_agreement(n, full);
	if (full->hits[0] == 1)
		return NAT_TYPE_RANDOM;
	if (hosts->len == 1)
		return n->len > 3 ? NAT_TYPE_RANDOM : NAT_TYPE_UNKNOWN;
	if (full->hits[1] == 2)
		return NAT_TYPE_CONSISTENT;
	return n->len > 4 ? NAT_TYPE_RANDOM : NAT_TYPE_UNKNOWN;
}

/* Lists the addresses to report for the type, protocol 04 §2. */
static void
list_addresses(struct nat_classifier *n, const struct tally *full,
    const struct tally *hosts)
{
	n->addrs_len = 0;
	if (n->nat_type == NAT_TYPE_RANDOM)
		n->addrs[n->addrs_len++] = hosts->addr[0];
	if (n->nat_type != NAT_TYPE_CONSISTENT)
		return;
	for (uint8_t i = 0; i < full->len; i++)
		if (full->hits[i] >= 2 || n->addrs_len < 2)
			n->addrs[n->addrs_len++] = full->addr[i];
}

static void
update_type(struct nat_classifier *n)
{
	struct tally full = tally_samples(n, false),
		     hosts = tally_samples(n, true);

	if (n->frozen)
		return;
	n->nat_type = classify_samples(n, &full, &hosts);
	list_addresses(n, &full, &hosts);
}

void
nat_classifier_init(struct nat_classifier *n, bool firewalled)
{
	*n = (struct nat_classifier){.firewalled = firewalled};
	update_type(n);
}

static void
drop_first(struct nat_classifier *n, uint8_t drop)
{
	n->len -= drop;
	memmove(n->samples, n->samples + drop, n->len * sizeof *n->samples);
}

void
nat_classifier_add(struct nat_classifier *n, const struct nat_sample *s)
{
	uint8_t i = 0;

	while (i < n->len && !addr_equal(&n->samples[i].by, &s->by))
		i++;
	if (i < n->len && addr_equal(&n->samples[i].saw, &s->saw)) {
		n->samples[i].at_us = s->at_us;
		return;
	}
	if (i < n->len)
		n->len = 0;
	if (n->len == PUNCH_SAMPLES_MAX)
		drop_first(n, 1);
	n->samples[n->len++] = *s;
	update_type(n);
}

void
nat_classifier_expire(struct nat_classifier *n, uint64_t then_us)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < n->len; i++)
		if (n->samples[i].at_us >= then_us)
			n->samples[kept++] = n->samples[i];
	n->len = kept;
	update_type(n);
}

void
nat_classifier_finish(struct nat_classifier *n)
{
	n->finished = true;
}

void
nat_classifier_freeze(struct nat_classifier *n)
{
	n->frozen = true;
}

void
nat_classifier_unfreeze(struct nat_classifier *n)
{
	n->frozen = false;
	update_type(n);
}

bool
nat_classifier_decided(const struct nat_classifier *n)
{
	if (n->nat_type == NAT_TYPE_CONSISTENT || n->finished)
		return true;
	if (n->nat_type == NAT_TYPE_OPEN)
		return n->len > 0;
	return n->len >= NAT_SAMPLES_WANTED && !n->reopened;
}

/* ---- sequential allocation ---- */

/* Sorts the samples by when their nodes were first sent to. */
static void
sort_by_order(const struct nat_classifier *n, const struct nat_sample **out)
{
	for (uint8_t i = 0; i < n->len; i++) {
		uint8_t at = i;

		for (; at > 0 && out[at - 1]->order > n->samples[i].order; at--)
			out[at] = out[at - 1];
		out[at] = &n->samples[i];
	}
}

/*
 * Returns the step per destination between two neighbours, or 0 if they do not
 * fit: sequential ports rise (or fall) by the step for each destination, and by
 * a little more where other traffic came between.
 */
static int
step_between(const struct nat_sample *a, const struct nat_sample *b)
{
	int nodes = (int)(b->order - a->order);
	int ports = (int)b->saw.port - (int)a->saw.port;
	int size = ports < 0 ? -ports : ports;

	if (nodes <= 0 || !addr_same_host(&a->saw, &b->saw) || size < nodes ||
	    size > STEP_MAX * nodes)
		return 0;
	return ports / nodes;
}

/* Returns the least step among neighbours. A few jumps are tolerated if all
 * others agree: time has passed, in which other hosts used ports. */
int
nat_classifier_step(const struct nat_classifier *n)
{
	const struct nat_sample *s[PUNCH_SAMPLES_MAX];
	int step = 0;
	unsigned good = 0, jumps = 0;

	if (n->len < STEP_SAMPLES)
		return 0;
	sort_by_order(n, s);
	for (uint8_t i = 1; i < n->len; i++) {
		int here = step_between(s[i - 1], s[i]);

		if (here == 0) {
			jumps++;
			continue;
		}
		if (step != 0 && (here < 0) != (step < 0))
			return 0;
		if (step == 0 || (here < 0 ? here > step : here < step))
			step = here;
		good++;
	}
	return jumps <= JUMPS_MAX && good >= STEP_SAMPLES - 1 ? step : 0;
}

size_t
nat_classifier_predict(const struct nat_classifier *n, uint32_t order,
    struct addr *out, size_t max)
{
	const struct nat_sample *s[PUNCH_SAMPLES_MAX];
	int step = nat_classifier_step(n);
	uint8_t base = 0;
	size_t len = 0;
	int64_t port;

	if (step == 0)
		return 0;
	sort_by_order(n, s);
	/* Start from the sample before it: other hosts may have used ports in
	 * between, for which the list makes up in one direction only. */
	while (base + 1 < n->len && s[base + 1]->order <= order)
		base++;
	port = s[base]->saw.port +
	       step * ((int64_t)order - (int64_t)s[base]->order);
	for (; len < max && port >= PORT_LOWEST && port <= UINT16_MAX;
	     port += step) {
		out[len] = s[base]->saw;
		out[len++].port = (uint16_t)port;
	}
	return len;
}
