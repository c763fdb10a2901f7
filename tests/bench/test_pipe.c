/* SPDX-License-Identifier: ISC */
/*
 * Goal: the link of the benchmark behaves as configured, or its figures mean
 * nothing. Method: packets of known size at known times; the time at which each
 * leaves is computed by hand, drops are counted.
 */
#include <string.h>

#include "pipe.h"
#include "t.h"

enum { MS = 1000000 };

/* 12 Mbit/s: a packet of 1500 bytes takes a millisecond. */
static struct pipe *
make(uint64_t queue, uint32_t loss_ppm)
{
	struct pipe_setup s = {.rate = 12000000,
	    .delay_ns = 10 * MS,
	    .queue = queue,
	    .loss_ppm = loss_ppm,
	    .seed = 1};
	struct pipe *p = pipe_new(&s);

	ck_assert_ptr_nonnull(p);
	return p;
}

static void
put(struct pipe *p, uint64_t now, size_t len, uint8_t mark)
{
	memset(pipe_room(p), mark, len);
	pipe_put(p, now, len);
}

static void
wants(struct pipe *p, uint64_t now, size_t len, uint8_t mark)
{
	size_t got;
	const uint8_t *packet = pipe_get(p, now, &got);

	ck_assert_ptr_nonnull(packet);
	ck_assert_uint_eq(got, len);
	ck_assert_uint_eq(packet[len - 1], mark);
}

START_TEST(takes_its_time)
{
	struct pipe *p = make(1 << 20, 0);
	size_t len;

	ck_assert_uint_eq(pipe_due(p), PIPE_NEVER);
	put(p, 0, 1500, 1);
	put(p, 0, 750, 2);
	put(p, 50 * MS, 1500, 3); /* the line has been idle since */
	ck_assert_uint_eq(pipe_due(p), 11 * MS);
	ck_assert_ptr_null(pipe_get(p, 11 * MS - 1, &len));
	wants(p, 11 * MS, 1500, 1);
	ck_assert_uint_eq(pipe_due(p), 11 * MS + MS / 2);
	wants(p, 60 * MS, 750, 2);
	ck_assert_uint_eq(pipe_due(p), 61 * MS);
	wants(p, 61 * MS, 1500, 3);
	ck_assert_ptr_null(pipe_get(p, 100 * MS, &len));
	pipe_free(p);
}
END_TEST

START_TEST(drops_what_the_queue_cannot_hold)
{
	struct pipe *p = make(3000, 0);

	for (uint8_t i = 0; i < 4; i++)
		put(p, 0, 1500, i);
	ck_assert_uint_eq(pipe_counts(p)->full, 2);
	put(p, MS, 1500, 4); /* one has left the queue */
	put(p, MS, 1, 5);
	ck_assert_uint_eq(pipe_counts(p)->full, 3);
	wants(p, 20 * MS, 1500, 0);
	wants(p, 20 * MS, 1500, 1);
	wants(p, 20 * MS, 1500, 4);
	ck_assert_uint_eq(pipe_due(p), PIPE_NEVER);
	pipe_free(p);
}
END_TEST

START_TEST(a_loss_has_used_the_line)
{
	struct pipe *p = make(3000, 1000000);

	put(p, 0, 1500, 1);
	put(p, 0, 1500, 2);
	put(p, 0, 1500, 3);
	ck_assert_uint_eq(pipe_counts(p)->lost, 2);
	ck_assert_uint_eq(pipe_counts(p)->full, 1);
	ck_assert_uint_eq(pipe_due(p), PIPE_NEVER);
	pipe_free(p);
}
END_TEST

START_TEST(loses_its_share)
{
	struct pipe *p = make(1 << 20, 50000);
	size_t len;

	for (uint64_t i = 0; i < 100000; i++) {
		put(p, i * MS, 100, 0);
		(void)pipe_get(p, i * MS, &len);
	}
	/* 5000, give or take six standard deviations */
	ck_assert_uint_ge(pipe_counts(p)->lost, 4580);
	ck_assert_uint_le(pipe_counts(p)->lost, 5420);
	pipe_free(p);
}
END_TEST

/* The buffer wraps around many times; no packet changes or is reordered. */
START_TEST(keeps_order)
{
	struct pipe *p = make(1 << 20, 0);
	uint64_t out = 0;
	const uint8_t *packet;
	size_t len;

	for (uint64_t i = 0; i < 50000; i++) {
		put(p, i * MS, 64, (uint8_t)i);
		while ((packet = pipe_get(p, i * MS, &len)) != NULL)
			ck_assert_uint_eq(packet[63], (uint8_t)out++);
	}
	ck_assert_uint_ge(out, 49980);
	ck_assert_uint_eq(pipe_counts(p)->out, out);
	ck_assert_uint_eq(pipe_counts(p)->bytes_out, out * 64);
	pipe_free(p);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("bench/pipe", &tc);

	tcase_add_test(tc, takes_its_time);
	tcase_add_test(tc, drops_what_the_queue_cannot_hold);
	tcase_add_test(tc, a_loss_has_used_the_line);
	tcase_add_test(tc, loses_its_share);
	tcase_add_test(tc, keeps_order);
	return s;
}
