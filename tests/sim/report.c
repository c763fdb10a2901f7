/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <sys/resource.h>

#include "sim/scenario.h"

void
report_milli(struct report *r, const char *name, int64_t thousandths)
{
	if (r->len < REPORT_MAX)
		r->items[r->len++] = (struct report_item){name, thousandths};
}

void
report_add(struct report *r, const char *name, uint64_t value)
{
	report_milli(r, name, (int64_t)value * 1000);
}

static void
print_number(int64_t thousandths)
{
	if (thousandths % 1000 == 0)
		printf("%" PRId64, thousandths / 1000);
	else
		printf("%s%" PRId64 ".%03" PRId64, thousandths < 0 ? "-" : "",
		    (thousandths < 0 ? -thousandths : thousandths) / 1000,
		    (thousandths < 0 ? -thousandths : thousandths) % 1000);
}

/* Adds what the run cost; no code acts upon these numbers. */
static void
add_costs(struct sim *s)
{
	struct rusage u;
	uint32_t up = sim_count_up(s);

	getrusage(RUSAGE_SELF, &u);
	report_milli(&s->report, "cpu_s",
	    (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
		(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
	report_add(&s->report, "rss_kib", (uint64_t)u.ru_maxrss);
	if (up > 0)
		report_milli(
		    &s->report, "rss_kib_per_node", u.ru_maxrss * 1000 / up);
}

static void
add_common(struct sim *s)
{
	struct report *r = &s->report;
	const struct net_counts *c = &s->net.counts;

	report_milli(r, "virtual_s", (int64_t)(s->now_us / 1000));
	report_add(r, "hosts", s->hosts_len);
	report_add(r, "hosts_up", sim_count_up(s));
	report_add(r, "events", s->steps);
	report_add(r, "datagrams", c->sent);
	report_add(r, "bytes", c->bytes);
	report_add(r, "delivered", c->delivered);
	report_add(r, "lost", c->lost);
	report_add(r, "cut", c->cut);
	report_add(r, "nowhere", c->nowhere);
	report_add(r, "dial_datagrams_max", s->dial_costs.datagrams_max);
	report_add(r, "dial_turns_max", s->dial_costs.turns_max);
	report_add(r, "operations", s->ops.started);
	report_add(r, "operations_refused", s->ops.refused);
	report_add(r, "operations_lost", s->ops.lost);
	report_add(r, "entries_checked", s->check.entries);
	report_add(r, "unproven_bytes_max", s->check.debt_bytes_max);
	add_costs(s);
}

static void
add_stats(struct sim *s)
{
	for (unsigned i = 0; i < stat_table_len; i++) {
		uint64_t sum = 0;

		for (uint32_t j = 0; j < s->hosts_len; j++)
			if (s->hosts[j]->state != HOST_DOWN)
				sum += *(const uint64_t *)(const void
					*)((const char *)node_stats(
					       s->hosts[j]->node) +
					   stat_table[i].offset);
		report_add(&s->report, stat_table[i].name, sum);
	}
}

static void
print_json(struct sim *s)
{
	const struct report *r = &s->report;

	printf("{\"scenario\":\"%s\",\"seed\":%" PRIu64 ",\"nodes\":%" PRIu32
	       ",\"minutes\":%" PRIu32 ",\"trace\":\"%016" PRIx64
	       "\",\"failed\":%" PRIu32,
	    s->opt.scenario->name, s->opt.seed, s->opt.nodes, s->opt.minutes,
	    trace_value(&s->trace), s->failed);
	for (uint32_t i = 0; i < r->len; i++) {
		printf(",\"%s\":", r->items[i].name);
		print_number(r->items[i].thousandths);
	}
	printf("}\n");
}

static void
print_text(struct sim *s)
{
	const struct report *r = &s->report;

	for (uint32_t i = 0; i < r->len && !s->opt.quiet; i++) {
		printf("  %-26s ", r->items[i].name);
		print_number(r->items[i].thousandths);
		printf("\n");
	}
	printf("%-8s %-14s seed %" PRIu64 " nodes %" PRIu32 " minutes %" PRIu32
	       " trace %016" PRIx64 "\n",
	    s->failed == 0 ? "ok" : "FAILED", s->opt.scenario->name,
	    s->opt.seed, s->opt.nodes, s->opt.minutes, trace_value(&s->trace));
}

void
report_print(struct sim *s)
{
	add_common(s);
	if (s->opt.stats)
		add_stats(s);
	if (s->opt.json)
		print_json(s);
	else
		print_text(s);
	fflush(stdout);
}
