/* SPDX-License-Identifier: ISC */
/*
 * Goal: a stream delivers what was sent, in order, over any link, and reports
 * its end to both sides. Method: two ends in virtual time; every fault of the
 * link alone and all together; the lab checks the pattern of the bytes.
 */
#include "base/err.h"
#include "t.h"
#include "lab.h"

static const struct {
	const char *name;
	struct lab_link link;
	uint64_t bytes;
} links[] = {
    {"no delay", {0}, 3000000},
    {"long delay", {.delay_us = 50000}, 3000000},
    {"lossy", {.delay_us = 10000, .loss_ppm = 50000}, 2000000},
    {"very lossy", {.delay_us = 10000, .loss_ppm = 300000}, 100000},
    {"reordering", {.delay_us = 10000, .jitter_us = 20000}, 2000000},
    {"duplicates", {.delay_us = 5000, .double_ppm = 300000}, 1000000},
    {"low bandwidth",
	{.delay_us = 20000, .bytes_per_s = 1000000, .queue_bytes = 40000},
	1000000},
    {"small packets", {.delay_us = 5000, .mtu = 1280}, 1000000},
    {"all faults",
	{.delay_us = 20000,
	    .jitter_us = 30000,
	    .loss_ppm = 100000,
	    .double_ppm = 100000,
	    .mtu = 1280,
	    .bytes_per_s = 2000000,
	    .queue_bytes = 60000},
	500000},
};

START_TEST(arrives_as_sent)
{
	struct lab_pair p;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		lab_pair_init(&p, seed, &links[_i].link);
		ck_assert_msg(lab_pair_carry(&p, links[_i].bytes, 300 * LAB_S),
		    "%s, seed %d: %llu of %llu read", links[_i].name, (int)seed,
		    (unsigned long long)p.read,
		    (unsigned long long)links[_i].bytes);
		udx_end(p.a->s);
		udx_end(p.b->s);
		lab_run(&p.lab, 60 * LAB_S);
		ck_assert(udx_ended(p.a->s) && udx_ended(p.b->s));
		ck_assert(p.a->events & UDX_EV_CLOSED);
		ck_assert(p.b->events & UDX_EV_CLOSED);
		lab_pair_fini(&p);
	}
}
END_TEST

/* Ends that wake up only every 4 ms are nearly as fast as the link. */
START_TEST(keeps_pace_when_late)
{
	const struct lab_link link = {
	    .delay_us = 10000, .bytes_per_s = 20000000, .queue_bytes = 400000};
	struct lab_pair p;

	lab_pair_init(&p, 1, &link);
	p.lab.lan.tick_us = 4 * LAB_MS;
	/* Allows twice the second that the link needs. */
	ck_assert(lab_pair_carry(&p, 20000000, 2 * LAB_S));
	lab_pair_fini(&p);
}
END_TEST

/* UDX_EV_WRITABLE follows although the migration has reduced the limit. */
START_TEST(wakes_the_writer_after_migration)
{
	const struct lab_link link = {.delay_us = 10000};
	struct udx_path path;
	struct lab_pair p;

	lab_pair_init(&p, 1, &link);
	/* More than a path without a limit of its rate fills in a second. */
	for (unsigned end = 0; end < 2; end++)
		p.lab.end[end].host.limits.stream_memory_bytes = 256 << 20;
	ck_assert(!lab_pair_carry(&p, UINT32_MAX, LAB_S));
	while (udx_space(p.a->s) == 0)
		lab_run(&p.lab, LAB_MS);
	/* Leaves some space. */
	p.written +=
	    lab_write(p.a, p.written, udx_space(p.a->s) - UDX_SPACE_MIN);
	ck_assert_uint_gt(udx_space(p.a->s), 0);
	path = lab_path(1, 1, 0, p.b);
	ck_assert_int_eq(udx_migrate(p.a->s, &path), 0);
	ck_assert_uint_eq(udx_space(p.a->s), 0);
	p.a->events = 0;
	for (int i = 0; i < 1000 && !(p.a->events & UDX_EV_WRITABLE); i++) {
		p.read += lab_read(p.b, p.read, SIZE_MAX);
		lab_run(&p.lab, LAB_MS);
	}
	ck_assert(p.a->events & UDX_EV_WRITABLE);
	ck_assert_uint_gt(udx_space(p.a->s), 0);
	lab_pair_fini(&p);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_stream", &tc);

	tcase_add_loop_test(tc, arrives_as_sent, 0, T_ROWS(links));
	tcase_add_test(tc, keeps_pace_when_late);
	tcase_add_test(tc, wakes_the_writer_after_migration);
	return s;
}
