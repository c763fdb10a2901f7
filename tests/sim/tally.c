/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "world/mem.h"
#include "sim/work.h"

void
samples_add(struct samples *x, uint32_t v)
{
	if (x->len == x->cap) {
		x->cap = x->cap == 0 ? 64 : x->cap * 2;
		x->v = mem_grow(x->v, x->cap, sizeof *x->v);
	}
	x->v[x->len++] = v;
	x->sorted = false;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t
samples_at(struct samples *x, uint32_t permille)
{
	uint64_t i;

	if (x->len == 0)
		return 0;
	if (!x->sorted)
		qsort(x->v, x->len, sizeof *x->v, compare);
	x->sorted = true;
	i = (uint64_t)x->len * permille / 1000;
	return x->v[i < x->len ? i : x->len - 1];
}

void
samples_fini(struct samples *x)
{
	free(x->v);
	*x = (struct samples){0};
}

void
tally_fini(struct tally *t)
{
	samples_fini(&t->time_ms);
	samples_fini(&t->hops);
	samples_fini(&t->messages);
	samples_fini(&t->end_ms);
}

uint32_t
tally_success(const struct tally *t)
{
	uint32_t whole = t->asked - t->closed;

	return whole == 0 ? 0 : (uint32_t)(t->found * 100000ull / whole);
}

static int64_t
mean(const struct samples *x)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < x->len; i++)
		sum += x->v[i];
	return x->len == 0 ? 0 : (int64_t)(sum * 1000 / x->len);
}

void
tally_report(struct sim *s, struct tally *t)
{
	struct report *r = &s->report;

	report_add(r, "lookups", t->asked);
	report_add(r, "lookups_found", t->found);
	report_add(r, "lookups_cut_short", t->closed);
	report_milli(r, "success_percent", tally_success(t));
	report_add(r, "hops_median", samples_at(&t->hops, 500));
	report_add(r, "hops_p95", samples_at(&t->hops, 950));
	report_milli(r, "hops_mean", mean(&t->hops));
	report_add(r, "messages_median", samples_at(&t->messages, 500));
	report_milli(r, "messages_mean", mean(&t->messages));
	report_add(r, "found_ms_median", samples_at(&t->time_ms, 500));
	report_add(r, "found_ms_p95", samples_at(&t->time_ms, 950));
	report_add(r, "found_ms_p99", samples_at(&t->time_ms, 990));
	report_add(r, "ended_ms_median", samples_at(&t->end_ms, 500));
	report_add(r, "ended_ms_p95", samples_at(&t->end_ms, 950));
}
