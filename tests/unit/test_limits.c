/* SPDX-License-Identifier: ISC */
/*
 * Checks the tables of limits, counters and errors: defaults are in range, each
 * entry has a text and a name of its own, and the defaults that the threat
 * model states are unchanged.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/stats.h"
#include "dht/rate_limiter.h"
#include "dht/responder.h"
#include "node/event_queue.h"
#include "peer/conn_slot.h"
#include "peer/handshake_budget.h"
#include "peer/session.h"
#include "punch/probe_budget.h"
#include "punch/puncher.h"
#include "records/forward.h"
#include "records/refresh.h"
#include "records/topic.h"
#include "records/value.h"
#include "signal/prefix_budget.h"
#include "udx/udx.h"
#include "t.h"

static uint32_t
field(const struct limits *l, const struct limit_info *info)
{
	uint32_t v;

	memcpy(&v, (const char *)l + info->offset, sizeof v);
	return v;
}

START_TEST(limits_are_in_range)
{
	struct limits l;

	memset(&l, 0xff, sizeof l);
	limits_init(&l);
	ck_assert_uint_eq(limit_table_len, sizeof l / sizeof(uint32_t));
	for (unsigned i = 0; i < limit_table_len; i++) {
		const struct limit_info *info = &limit_table[i];

		ck_assert_msg(
		    info->low <= info->value && info->value <= info->high, "%s",
		    info->name);
		ck_assert_uint_eq(field(&l, info), info->value);
		ck_assert_uint_gt(strlen(info->text), 0);
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(info->name, limit_table[k].name);
	}
}
END_TEST

/* Returns true for small letters, digits and hyphens, as in options. */
static bool
is_option(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz-") == strlen(s);
}

START_TEST(limit_names_are_options)
{
	for (unsigned i = 0; i < limit_table_len; i++)
		ck_assert_msg(
		    is_option(limit_table[i].name), "%s", limit_table[i].name);
}
END_TEST

/* ---- the memory of all that others can fill ---- */

enum {
	MEMORY_MAX = 64 << 20,
	/* Of a daemon at rest: its code and libraries, the routing table, own
	 * requests, the sockets. */
	AT_REST_BYTES = 5 << 20,
	/* Tables of budgets: of the router two, of the handshakes one for each
	 * class and one for relays, of the probes two for each cause, of their
	 * destinations two. */
	BUDGET_TABLES = 2 + HANDSHAKE_CLASSES + 1 + 2 * PROBE_CAUSES + 2,
};

struct memory_row {
	const char *limits; /* that bound it */
	size_t bytes;
};

static size_t
sum_rows(const struct memory_row *rows, size_t len)
{
	size_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		printf("%10zu %s\n", rows[i].bytes, rows[i].limits);
		ck_assert_uint_gt(rows[i].bytes, 0);
		sum += rows[i].bytes;
	}
	printf("%10zu in all\n", sum);
	return sum;
}

/*
 * Strangers and peers together cannot make the daemon larger than this by
 * filling everything at once. A limit of which the entries cost memory has a
 * row here, or is part of one.
 */
START_TEST(memory_of_others_is_bounded)
{
	struct limits l;

	limits_init(&l);
	const struct memory_row rows[] = {
	    {"none: at rest", AT_REST_BYTES},
	    {"sources", rate_limiter_bytes_max(&l)},
	    {"delayed-pings", responder_bytes_max(&l)},
	    {"forward-hosts",
		BUDGET_TABLES * prefix_budget_bytes_max(l.forward_hosts)},
	    {"records, topic-records", topics_bytes_max(&l)},
	    {"forwards", forwards_bytes_max(&l)},
	    {"refreshes", refreshes_bytes_max(&l)},
	    {"values, value-bytes", 2 * values_bytes_max(&l)},
	    {"handshakes, half-open", sessions_bytes_max(&l)},
	    {"punchers", l.punchers * heap_bytes(sizeof(struct puncher))},
	    {"connections, streams", conn_slot_bytes_max(&l)},
	    {"stream-memory-bytes", udx_bytes_max(&l)},
	    {"frame-bytes", l.frame_bytes},
	    {"events", event_queue_bytes_max(&l)},
	};

	ck_assert_uint_le(
	    sum_rows(rows, sizeof rows / sizeof *rows), MEMORY_MAX);
}
END_TEST

/* ---- defaults that the threat model states ---- */

static const struct {
	const char *name;
	uint32_t value;
} promised[] = {
    {"unproven-burst", 40000},
    {"unproven-rate", 4000},
    {"proven-burst", 200},
    {"proven-rate", 100},
    {"proven-seconds", 600},
    {"candidates", 10},
    {"candidates-prefix", 3},
    {"candidate-seconds", 60},
    {"delayed-pings", 1024},
    {"delayed-pings-prefix", 16},
    {"row-host", 1},
    {"row-prefix", 2},
    {"table-host", 4},
    {"table-prefix", 16},
    {"share-host", 10},
    {"share-prefix", 40},
    {"serve-host", 2},
    {"serve-prefix", 8},
};

START_TEST(default_is_as_promised)
{
	const struct limit_info *info = limit_find(promised[_i].name);

	ck_assert_ptr_nonnull(info);
	ck_assert_uint_eq(info->value, promised[_i].value);
}
END_TEST

/* A former name means the limit of its present name, and only that. */
START_TEST(former_name_is_an_alias)
{
	const struct limit_alias *a = &limit_aliases[_i];
	const struct limit_info *info = limit_find(a->old_name);

	ck_assert_ptr_nonnull(info);
	ck_assert_str_eq(info->name, a->name);
	ck_assert_ptr_eq(limit_find(a->name), info);
	ck_assert_str_ne(a->old_name, a->name);
}
END_TEST

START_TEST(counters_have_places)
{
	struct stats st = {0};

	for (unsigned i = 0; i < stat_table_len; i++) {
		const struct stat_info *info = &stat_table[i];

		ck_assert_uint_gt(strlen(info->text), 0);
		ck_assert_uint_eq(info->offset, i * sizeof(uint64_t));
	}
	ck_assert_uint_eq(
	    stat_table_len * sizeof(uint64_t), offsetof(struct stats, drop));
	ck_assert_int_eq(stats_drop(&st, ERR_TOKEN), ERR_TOKEN);
	ck_assert_uint_eq(st.drop[-ERR_TOKEN], 1);
}
END_TEST

START_TEST(errors_have_names)
{
	ck_assert_str_eq(err_name(0), "ok");
	ck_assert_str_eq(err_name(ERR_MALFORMED), "malformed");
	ck_assert_str_eq(err_name(ERR_VALUE), "value");
	for (int err = 0; err > -ERR_INDEX_MAX; err--) {
		ck_assert_uint_gt(strlen(err_text(err)), 0);
		for (int k = 0; k > err; k--)
			ck_assert_str_ne(err_name(err), err_name(k));
	}
	/* Codes that do not exist. */
	ck_assert_ptr_nonnull(err_name(1));
	ck_assert_ptr_nonnull(err_text(-ERR_INDEX_MAX));
	ck_assert_ptr_nonnull(err_name(-100000));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("limits", &tc);

	tcase_add_test(tc, limits_are_in_range);
	tcase_add_test(tc, limit_names_are_options);
	tcase_add_test(tc, memory_of_others_is_bounded);
	tcase_add_loop_test(tc, default_is_as_promised, 0, T_ROWS(promised));
	tcase_add_loop_test(
	    tc, former_name_is_an_alias, 0, (int)limit_aliases_len);
	tcase_add_test(tc, counters_have_places);
	tcase_add_test(tc, errors_have_names);
	return s;
}
