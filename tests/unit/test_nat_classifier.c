/* SPDX-License-Identifier: ISC */
/*
 * Goal: the NAT type is the reference's where that is right, changes where the
 * NAT changes, and sequential ports are predicted (pitfalls N1 to N5). Method:
 * every step of the golden vectors, and sequences of samples.
 */
#include <string.h>

#include "punch/nat_classifier.h"
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
assert_addresses(const struct nat_classifier *n, const json_t *want)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_uint_eq(n->addrs_len, json_array_size(want));
	for (size_t i = 0; i < n->addrs_len; i++)
		ck_assert_str_eq(addr_format(&n->addrs[i], text),
		    json_string_value(json_array_get(want, i)));
}

static void
take_step(struct nat_classifier *n, const json_t *step)
{
	const json_t *op = json_object_get(step, "op");

	if (op != NULL && strcmp(json_string_value(op), "freeze") == 0) {
		nat_classifier_freeze(n);
	} else if (op != NULL) {
		nat_classifier_unfreeze(n);
	} else if (json_object_get(step, "saw") != NULL) {
		struct nat_sample s = {.saw = addr(t_string(step, "saw")),
		    .by = addr(t_string(step, "by"))};

		nat_classifier_add(n, &s);
	}
}

START_TEST(follows_the_vectors)
{
	const json_t *row = t_kind(vectors, "nat", _i), *step;
	struct nat_classifier n;
	size_t i;

	nat_classifier_init(&n, t_bool(t_get(row, "in"), "firewalled"));
	json_array_foreach(t_get(t_get(row, "out"), "states"), i, step)
	{
		take_step(&n, step);
		if (json_object_get(step, "firewall") == NULL)
			continue;
		ck_assert_str_eq(names[n.nat_type], t_string(step, "firewall"));
		assert_addresses(&n, t_get(step, "addresses"));
		if (json_object_get(step, "sampled") == NULL)
			continue;
		ck_assert_uint_eq(n.len, t_uint(step, "sampled"));
		ck_assert(
		    nat_classifier_decided(&n) == t_bool(step, "decided"));
	}
}
END_TEST

/* Adds a sample of the i-th node with this port. */
static void
saw(struct nat_classifier *n, unsigned i, uint16_t port)
{
	nat_classifier_add(
	    n, &(struct nat_sample){.saw = addr_v4(203, 0, 113, 7, port),
		   .by = addr_v4(198, 51, (uint8_t)i, 1, 49737),
		   .order = i,
		   .at_us = i * 1000});
}

/* Each letter is a port; which NAT type follows the last? (pitfall N2) */
static const struct {
	const char *ports;
	enum nat_type nat_type;
	bool decided;
} sequences[] = {
    {"", NAT_TYPE_UNKNOWN, false},
    {"AAA", NAT_TYPE_CONSISTENT, true},
    {"AAAB", NAT_TYPE_UNKNOWN, false},
    {"AAABC", NAT_TYPE_RANDOM, true},
    {"AAABA", NAT_TYPE_CONSISTENT, true},
    {"AAABB", NAT_TYPE_CONSISTENT, true},
    {"AAAAAAB", NAT_TYPE_UNKNOWN, false},
    {"AAAAAABCD", NAT_TYPE_RANDOM, true},
    {"ABCAA", NAT_TYPE_CONSISTENT, true},
    {"ABCDEFGHIJKLMNOPQRST", NAT_TYPE_RANDOM, true},
    {"ABCDAAAAAAAAAAAAAAAA", NAT_TYPE_CONSISTENT, true},
};

START_TEST(differing_sample_reopens_the_type)
{
	const char *p = sequences[_i].ports;
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; p[i] != '\0'; i++)
		saw(&n, i, (uint16_t)(50000 + p[i]));
	ck_assert_int_eq(n.nat_type, sequences[_i].nat_type);
	ck_assert(nat_classifier_decided(&n) == sequences[_i].decided);
	nat_classifier_finish(&n);
	ck_assert(nat_classifier_decided(&n));
}
END_TEST

START_TEST(frozen_type_does_not_change)
{
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, 51000);
	nat_classifier_freeze(&n);
	for (unsigned i = 4; i < 12; i++)
		saw(&n, i, (uint16_t)(52000 + i));
	ck_assert_int_eq(n.nat_type, NAT_TYPE_CONSISTENT);
	ck_assert_uint_eq(n.addrs_len, 1);
	ck_assert_uint_eq(n.addrs[0].port, 51000);
	nat_classifier_unfreeze(&n);
	ck_assert_int_eq(n.nat_type, NAT_TYPE_RANDOM);
}
END_TEST

START_TEST(samples_expire)
{
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; i < 5; i++)
		saw(&n, i, 51000);
	nat_classifier_expire(&n, 2000);
	ck_assert_uint_eq(n.len, 3);
	ck_assert_int_eq(n.nat_type, NAT_TYPE_CONSISTENT);
	nat_classifier_expire(&n, 3000);
	ck_assert_int_eq(n.nat_type, NAT_TYPE_UNKNOWN);
	/* The same address again renews a sample. */
	nat_classifier_add(
	    &n, &(struct nat_sample){.saw = addr_v4(203, 0, 113, 7, 51000),
		    .by = addr_v4(198, 51, 3, 1, 49737),
		    .at_us = 9000});
	ck_assert_uint_eq(n.len, 2);
	nat_classifier_expire(&n, 9000);
	ck_assert_uint_eq(n.len, 1);
}
END_TEST

/* The mapping expired and the node sees another one: pitfall N4. */
START_TEST(changed_address_drops_older_samples)
{
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, 51000);
	saw(&n, 1, 60000);
	ck_assert_uint_eq(n.len, 1);
	ck_assert_int_eq(n.nat_type, NAT_TYPE_UNKNOWN);
	ck_assert_uint_eq(n.addrs_len, 0);
}
END_TEST

/* Ports, in the order in which the nodes were first sent to. */
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

START_TEST(recognises_sequential_ports)
{
	struct addr out[NAT_PREDICTED_MAX];
	unsigned len = allocations[_i].len;
	struct nat_classifier n;
	size_t got;

	nat_classifier_init(&n, true);
	/* Replies arrive in any order. */
	for (unsigned i = len; i-- > 0;)
		saw(&n, i, allocations[_i].ports[i]);
	ck_assert_int_eq(nat_classifier_step(&n), allocations[_i].step);
	got = nat_classifier_predict(&n, len, out, NAT_PREDICTED_MAX);
	if (allocations[_i].step == 0) {
		ck_assert_uint_eq(got, 0);
		return;
	}
	ck_assert_uint_eq(got, NAT_PREDICTED_MAX);
	for (size_t i = 0; i < got; i++)
		ck_assert_int_eq(out[i].port,
		    allocations[_i].next + (int)i * allocations[_i].step);
}
END_TEST

START_TEST(predicts_valid_ports_only)
{
	struct addr out[NAT_PREDICTED_MAX];
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, (uint16_t)(65530 + i));
	ck_assert_uint_eq(
	    nat_classifier_predict(&n, 4, out, NAT_PREDICTED_MAX), 2);
	ck_assert_uint_eq(out[1].port, 65535);
	ck_assert_uint_eq(
	    nat_classifier_predict(&n, 400, out, NAT_PREDICTED_MAX), 0);
}
END_TEST

/* A destination that was sent to before the latest sample. */
START_TEST(predicts_earlier_ports)
{
	struct addr out[NAT_PREDICTED_MAX];
	struct nat_classifier n;

	nat_classifier_init(&n, true);
	for (unsigned i = 0; i < 4; i++)
		saw(&n, i, (uint16_t)(20000 + i));
	saw(&n, 6, 20009);
	ck_assert_uint_eq(nat_classifier_predict(&n, 4, out, NAT_PREDICTED_MAX),
	    NAT_PREDICTED_MAX);
	/* Three ports were used by others, before or after. */
	ck_assert_int_eq(out[0].port, 20004);
	ck_assert_uint_eq(nat_classifier_predict(&n, 7, out, NAT_PREDICTED_MAX),
	    NAT_PREDICTED_MAX);
	ck_assert_int_eq(out[0].port, 20010);
}
END_TEST

START_TEST(decodes_types)
{
	ck_assert_int_eq(nat_type_decode(0), NAT_TYPE_UNKNOWN);
	ck_assert_int_eq(nat_type_decode(2), NAT_TYPE_CONSISTENT);
	ck_assert_int_eq(nat_type_decode(3), NAT_TYPE_RANDOM);
	ck_assert_int_eq(nat_type_decode(200), NAT_TYPE_RANDOM);
	ck_assert_int_eq(nat_type_decode(UINT64_MAX), NAT_TYPE_RANDOM);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("nat_classifier", &tc);

	tcase_add_loop_test(
	    tc, follows_the_vectors, 0, t_kinds(vectors, "nat"));
	tcase_add_loop_test(
	    tc, differing_sample_reopens_the_type, 0, T_ROWS(sequences));
	tcase_add_test(tc, frozen_type_does_not_change);
	tcase_add_test(tc, samples_expire);
	tcase_add_test(tc, changed_address_drops_older_samples);
	tcase_add_loop_test(
	    tc, recognises_sequential_ports, 0, T_ROWS(allocations));
	tcase_add_test(tc, predicts_valid_ports_only);
	tcase_add_test(tc, predicts_earlier_ports);
	tcase_add_test(tc, decodes_types);
	return s;
}
