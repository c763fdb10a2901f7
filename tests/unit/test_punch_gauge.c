/* SPDX-License-Identifier: ISC */
/*
 * Goal: the verdict on a NAT is the reference's where that is right, is taken
 * back where the NAT changes, and counts on (pitfalls N1 to N5). Method: every
 * step of the golden vectors; hand-made sequences of what nodes saw.
 */
#include <string.h>

#include "punch/gauge.h"
#include "t.h"

static const char vectors[] = "holepunch.json";
static const char *const names[] = {"UNKNOWN", "OPEN", "CONSISTENT", "RANDOM"};

static struct addr
addr(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	return a;
}

static void
assert_addresses(const struct gauge *n, const json_t *want)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_uint_eq(n->addrs_len, json_array_size(want));
	for (size_t i = 0; i < n->addrs_len; i++)
		ck_assert_str_eq(addr_format(&n->addrs[i], text),
		    json_string_value(json_array_get(want, i)));
}

static void
take_step(struct gauge *n, const json_t *step)
{
	const json_t *op = json_object_get(step, "op");

	if (op != NULL && strcmp(json_string_value(op), "freeze") == 0) {
		gauge_freeze(n);
	} else if (op != NULL) {
		gauge_unfreeze(n);
	} else if (json_object_get(step, "saw") != NULL) {
		struct gauge_sample s = {.saw = addr(t_string(step, "saw")),
		    .by = addr(t_string(step, "by"))};

		gauge_add(n, &s);
	}
}

START_TEST(follows_the_vectors)
{
	const json_t *row = t_kind(vectors, "nat", _i), *step;
	struct gauge n;
	size_t i;

	gauge_init(&n, t_bool(t_get(row, "in"), "firewalled"));
	json_array_foreach(t_get(t_get(row, "out"), "states"), i, step)
	{
		take_step(&n, step);
		if (json_object_get(step, "firewall") == NULL)
			continue;
		ck_assert_str_eq(names[n.verdict], t_string(step, "firewall"));
		assert_addresses(&n, t_get(step, "addresses"));
		if (json_object_get(step, "sampled") == NULL)
			continue;
		ck_assert_uint_eq(n.len, t_uint(step, "sampled"));
		ck_assert(gauge_decided(&n) == t_bool(step, "decided"));
	}
}
END_TEST

/* The i-th node saw us at this port. */
static void
saw(struct gauge *n, unsigned i, uint16_t port)
{
	gauge_add(
	    n, &(struct gauge_sample){.saw = addr_v4(203, 0, 113, 7, port),
		   .by = addr_v4(198, 51, (uint8_t)i, 1, 49737),
		   .order = i,
		   .at_us = i * 1000});
}

/* Each letter is a port; what is the verdict after the last? (pitfall N2) */
static const struct {
	const char *ports;
	enum verdict verdict;
	bool decided;
} sequences[] = {
    {"", VERDICT_UNKNOWN, false},
    {"AAA", VERDICT_CONSISTENT, true},
    {"AAAB", VERDICT_UNKNOWN, false},
    {"AAABC", VERDICT_RANDOM, true},
    {"AAABA", VERDICT_CONSISTENT, true},
    {"AAABB", VERDICT_CONSISTENT, true},
    {"AAAAAAB", VERDICT_UNKNOWN, false},
    {"AAAAAABCD", VERDICT_RANDOM, true},
    {"ABCAA", VERDICT_CONSISTENT, true},
    {"ABCDEFGHIJKLMNOPQRST", VERDICT_RANDOM, true},
    {"ABCDAAAAAAAAAAAAAAAA", VERDICT_CONSISTENT, true},
};

START_TEST(a_disagreeing_sample_reopens_the_verdict)
{
	const char *p = sequences[_i].ports;
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; p[i] != '\0'; i++)
		saw(&n, i, (uint16_t)(50000 + p[i]));
	ck_assert_int_eq(n.verdict, sequences[_i].verdict);
	ck_assert(gauge_decided(&n) == sequences[_i].decided);
	gauge_finish(&n);
	ck_assert(gauge_decided(&n));
}
END_TEST

START_TEST(what_was_told_does_not_change)
{
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, 51000);
	gauge_freeze(&n);
	for (unsigned i = 4; i < 12; i++)
		saw(&n, i, (uint16_t)(52000 + i));
	ck_assert_int_eq(n.verdict, VERDICT_CONSISTENT);
	ck_assert_uint_eq(n.addrs_len, 1);
	ck_assert_uint_eq(n.addrs[0].port, 51000);
	gauge_unfreeze(&n);
	ck_assert_int_eq(n.verdict, VERDICT_RANDOM);
}
END_TEST

START_TEST(samples_age)
{
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; i < 5; i++)
		saw(&n, i, 51000);
	gauge_expire(&n, 2000);
	ck_assert_uint_eq(n.len, 3);
	ck_assert_int_eq(n.verdict, VERDICT_CONSISTENT);
	gauge_expire(&n, 3000);
	ck_assert_int_eq(n.verdict, VERDICT_UNKNOWN);
	/* The same view again makes a sample young. */
	gauge_add(
	    &n, &(struct gauge_sample){.saw = addr_v4(203, 0, 113, 7, 51000),
		    .by = addr_v4(198, 51, 3, 1, 49737),
		    .at_us = 9000});
	ck_assert_uint_eq(n.len, 2);
	gauge_expire(&n, 9000);
	ck_assert_uint_eq(n.len, 1);
}
END_TEST

/* The mapping went, the node comes back with another: pitfall N4. */
START_TEST(a_node_that_sees_another_address_voids_the_rest)
{
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, 51000);
	saw(&n, 1, 60000);
	ck_assert_uint_eq(n.len, 1);
	ck_assert_int_eq(n.verdict, VERDICT_UNKNOWN);
	ck_assert_uint_eq(n.addrs_len, 0);
}
END_TEST

/* Ports in the order in which the nodes were first sent to. */
static const struct {
	const char *name;
	uint16_t ports[6];
	unsigned len;
	int step;
	uint16_t next; /* expected for the node after the last */
} allocations[] = {
    {"counts up", {20000, 20001, 20002, 20003, 20004, 20005}, 6, 1, 20006},
    {"by two", {20000, 20002, 20004, 20006}, 4, 2, 20008},
    {"counts down", {20009, 20008, 20007, 20006}, 4, -1, 20005},
    {"others came between", {20000, 20001, 20004, 20005}, 4, 1, 20006},
    {"and then time passed", {20000, 20001, 20002, 20003, 20950, 20951}, 6, 1,
	20952},
    {"the same", {20000, 20000, 20000, 20000}, 4, 0, 0},
    {"too few", {20000, 20001, 20002}, 3, 0, 0},
    {"random", {20000, 61234, 4711, 33333}, 4, 0, 0},
    {"up and down", {20000, 20001, 20000, 20001}, 4, 0, 0},
    {"once astray", {20000, 20001, 30000, 30001}, 4, 0, 0},
};

START_TEST(sees_ports_that_count)
{
	struct addr out[GAUGE_PREDICTED];
	unsigned len = allocations[_i].len;
	struct gauge n;
	size_t got;

	gauge_init(&n, true);
	/* Answers come in any order. */
	for (unsigned i = len; i-- > 0;)
		saw(&n, i, allocations[_i].ports[i]);
	ck_assert_int_eq(gauge_step(&n), allocations[_i].step);
	got = gauge_predict(&n, len, out, GAUGE_PREDICTED);
	if (allocations[_i].step == 0) {
		ck_assert_uint_eq(got, 0);
		return;
	}
	ck_assert_uint_eq(got, GAUGE_PREDICTED);
	for (size_t i = 0; i < got; i++)
		ck_assert_int_eq(out[i].port,
		    allocations[_i].next + (int)i * allocations[_i].step);
}
END_TEST

START_TEST(predicts_no_port_that_is_none)
{
	struct addr out[GAUGE_PREDICTED];
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, (uint16_t)(65530 + i));
	ck_assert_uint_eq(gauge_predict(&n, 4, out, GAUGE_PREDICTED), 2);
	ck_assert_uint_eq(out[1].port, 65535);
	ck_assert_uint_eq(gauge_predict(&n, 400, out, GAUGE_PREDICTED), 0);
}
END_TEST

/* A destination that was sent to before the latest sample came. */
START_TEST(predicts_ports_of_the_past)
{
	struct addr out[GAUGE_PREDICTED];
	struct gauge n;

	gauge_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, (uint16_t)(20000 + i));
	saw(&n, 6, 20009);
	ck_assert_uint_eq(
	    gauge_predict(&n, 4, out, GAUGE_PREDICTED), GAUGE_PREDICTED);
	/* Three others were served since: before or after, nobody knows. */
	ck_assert_int_eq(out[0].port, 20004);
	ck_assert_uint_eq(
	    gauge_predict(&n, 7, out, GAUGE_PREDICTED), GAUGE_PREDICTED);
	ck_assert_int_eq(out[0].port, 20010);
}
END_TEST

START_TEST(numbers_of_the_wire)
{
	ck_assert_int_eq(verdict_of(0), VERDICT_UNKNOWN);
	ck_assert_int_eq(verdict_of(2), VERDICT_CONSISTENT);
	ck_assert_int_eq(verdict_of(3), VERDICT_RANDOM);
	ck_assert_int_eq(verdict_of(200), VERDICT_RANDOM);
	ck_assert_int_eq(verdict_of(UINT64_MAX), VERDICT_RANDOM);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("punch_gauge", &tc);

	tcase_add_loop_test(
	    tc, follows_the_vectors, 0, t_kinds(vectors, "nat"));
	tcase_add_loop_test(
	    tc, a_disagreeing_sample_reopens_the_verdict, 0, T_ROWS(sequences));
	tcase_add_test(tc, what_was_told_does_not_change);
	tcase_add_test(tc, samples_age);
	tcase_add_test(tc, a_node_that_sees_another_address_voids_the_rest);
	tcase_add_loop_test(tc, sees_ports_that_count, 0, T_ROWS(allocations));
	tcase_add_test(tc, predicts_no_port_that_is_none);
	tcase_add_test(tc, predicts_ports_of_the_past);
	tcase_add_test(tc, numbers_of_the_wire);
	return s;
}
