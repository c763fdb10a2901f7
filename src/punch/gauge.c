/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "punch/gauge.h"

enum {
	/* Ports that other traffic may take between two of ours. */
	STEP_MAX = 16,
	STEP_SAMPLES = 4,
	JUMPS_MAX = 2,
	PORT_LOWEST = 1024,
};

/* Distinct addresses or hosts, most hits first; among equals the first seen. */
struct tally {
	struct addr addr[GAUGE_SAMPLES_MAX];
	uint8_t hits[GAUGE_SAMPLES_MAX];
	uint8_t len;
};

enum verdict
verdict_of(uint64_t number)
{
	return number > VERDICT_RANDOM ? VERDICT_RANDOM : (enum verdict)number;
}

static void
count(struct tally *t, struct addr a)
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
tally_of(const struct gauge *n, bool hosts)
{
	struct tally t = {.len = 0};

	for (uint8_t i = 0; i < n->len; i++) {
		struct addr a = n->samples[i].saw;

		if (hosts)
			a.port = 0;
		count(&t, a);
	}
	return t;
}

static uint8_t
hits_of(const struct tally *t, const struct addr *a)
{
	for (uint8_t i = 0; i < t->len; i++)
		if (addr_equal(&t->addr[i], a))
			return t->hits[i];
	return 0;
}

/* How many of the latest samples in a row agree with no other. */
static unsigned
lone_tail(const struct gauge *n, const struct tally *full)
{
	unsigned lone = 0;

	while (lone < n->len &&
	       hits_of(full, &n->samples[n->len - 1 - lone].saw) == 1)
		lone++;
	return lone;
}

/*
 * Three equal samples settle it in the reference, whatever comes after. NATs
 * that change the port after a while would fail for ever: so a sample that
 * disagrees reopens the verdict, and a second one overturns it (pitfall N2).
 */
static enum verdict
judge_agreement(struct gauge *n, const struct tally *full)
{
	unsigned lone = lone_tail(n, full);

	n->reopened = lone == 1;
	return lone == 0   ? VERDICT_CONSISTENT
	       : lone == 1 ? VERDICT_UNKNOWN
			   : VERDICT_RANDOM;
}

/* The table of protocol 04 §2. */
static enum verdict
judge(struct gauge *n, const struct tally *full, const struct tally *hosts)
{
	n->reopened = false;
	if (!n->firewalled)
		return VERDICT_OPEN;
	if (n->len < GAUGE_SAMPLES_MIN)
		return VERDICT_UNKNOWN;
	if (full->hits[0] >= 3)
		return judge_agreement(n, full);
	if (full->hits[0] == 1)
		return VERDICT_RANDOM;
	if (hosts->len == 1)
		return n->len > 3 ? VERDICT_RANDOM : VERDICT_UNKNOWN;
	if (full->hits[1] == 2)
		return VERDICT_CONSISTENT;
	return n->len > 4 ? VERDICT_RANDOM : VERDICT_UNKNOWN;
}

/* What the verdict allows to tell of where we are, protocol 04 §2. */
static void
list_addresses(
    struct gauge *n, const struct tally *full, const struct tally *hosts)
{
	n->addrs_len = 0;
	if (n->verdict == VERDICT_RANDOM)
		n->addrs[n->addrs_len++] = hosts->addr[0];
	if (n->verdict != VERDICT_CONSISTENT)
		return;
	for (uint8_t i = 0; i < full->len; i++)
		if (full->hits[i] >= 2 || n->addrs_len < 2)
			n->addrs[n->addrs_len++] = full->addr[i];
}

static void
settle(struct gauge *n)
{
	struct tally full = tally_of(n, false), hosts = tally_of(n, true);

	if (n->frozen)
		return;
	n->verdict = judge(n, &full, &hosts);
	list_addresses(n, &full, &hosts);
}

void
gauge_init(struct gauge *n, bool firewalled)
{
	*n = (struct gauge){.firewalled = firewalled};
	settle(n);
}

static void
drop_first(struct gauge *n, uint8_t drop)
{
	n->len -= drop;
	memmove(n->samples, n->samples + drop, n->len * sizeof *n->samples);
}

void
gauge_add(struct gauge *n, const struct gauge_sample *s)
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
	if (n->len == GAUGE_SAMPLES_MAX)
		drop_first(n, 1);
	n->samples[n->len++] = *s;
	settle(n);
}

void
gauge_expire(struct gauge *n, uint64_t then_us)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < n->len; i++)
		if (n->samples[i].at_us >= then_us)
			n->samples[kept++] = n->samples[i];
	n->len = kept;
	settle(n);
}

void
gauge_finish(struct gauge *n)
{
	n->finished = true;
}

void
gauge_freeze(struct gauge *n)
{
	n->frozen = true;
}

void
gauge_unfreeze(struct gauge *n)
{
	n->frozen = false;
	settle(n);
}

bool
gauge_decided(const struct gauge *n)
{
	if (n->verdict == VERDICT_CONSISTENT || n->finished)
		return true;
	if (n->verdict == VERDICT_OPEN)
		return n->len > 0;
	return n->len >= GAUGE_SAMPLES_WANTED && !n->reopened;
}

/* ---- sequential allocation ---- */

/* The samples in the order in which their nodes were first sent to. */
static void
sort_by_order(const struct gauge *n, const struct gauge_sample **out)
{
	for (uint8_t i = 0; i < n->len; i++) {
		uint8_t at = i;

		for (; at > 0 && out[at - 1]->order > n->samples[i].order; at--)
			out[at] = out[at - 1];
		out[at] = &n->samples[i];
	}
}

/*
 * Between neighbours ports rise (or fall) by the step for each node sent to,
 * and by a little more where other traffic came between.
 */
static int
step_between(const struct gauge_sample *a, const struct gauge_sample *b)
{
	int nodes = (int)(b->order - a->order);
	int ports = (int)b->saw.port - (int)a->saw.port;
	int size = ports < 0 ? -ports : ports;

	if (nodes <= 0 || !addr_same_host(&a->saw, &b->saw) || size < nodes ||
	    size > STEP_MAX * nodes)
		return 0;
	return ports / nodes;
}

/*
 * The least step among neighbours. A jump between two of them is forgiven if
 * the rest agrees: time has passed, in which others were served.
 */
int
gauge_step(const struct gauge *n)
{
	const struct gauge_sample *s[GAUGE_SAMPLES_MAX];
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
gauge_predict(
    const struct gauge *n, uint32_t order, struct addr *out, size_t max)
{
	const struct gauge_sample *s[GAUGE_SAMPLES_MAX];
	int step = gauge_step(n);
	uint8_t base = 0;
	size_t len = 0;
	int64_t port;

	if (step == 0)
		return 0;
	sort_by_order(n, s);
	/* From the one before it: others may have been served in between, which
	 * the list makes up for in one direction only. */
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
