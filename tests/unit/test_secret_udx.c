/* SPDX-License-Identifier: ISC */
/*
 * Goal: secret streams over the real UDX deliver what was written, whatever the
 * link does and however little memory there is; no side waits for ever. Method:
 * two ends in virtual time, frames of all sizes, writers that write only after
 * UDX_EV_WRITABLE.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "stream/secret.h"
#include "t.h"

enum { PAIRS_MAX = 64 };

struct half {
	struct lab_stream *stream;
	struct secret *s;
	uint64_t written, read;
	bool may_write;
};

struct pair {
	struct half half[2]; /* of end 0 and of end 1 */
};

static struct lab lab;
static struct pair pairs[PAIRS_MAX];
static int pairs_len;
static struct frame_budget budget;
static uint8_t bytes[1 << 20];

static void
start(const struct lab_link *link, int n)
{
	lab_init(&lab, 7, 2);
	lab.link = *link;
	pairs_len = n;
	frame_budget_init(&budget, 1 << 24);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i % 251);
}

/* After the limits of the ends were set. */
static void
open_pairs(void)
{
	for (int i = 0; i < pairs_len; i++) {
		struct half *h = pairs[i].half;

		for (int end = 0; end < 2; end++)
			h[end] = (struct half){
			    .stream = lab_stream_new(&lab, end),
			    .may_write = true,
			};
		lab_connect(h[0].stream, 0, h[1].stream, 1);
		for (int end = 0; end < 2; end++) {
			struct secret_keys k = {.initiator = end == 0};

			h[end].s = secret_new(&lab.end[end].host.world.w,
			    &lab.end[end].host.timers, h[end].stream->s, &k);
			ck_assert_ptr_nonnull(h[end].s);
			secret_set_budget(h[end].s, &budget);
			ck_assert_int_eq(secret_start(h[end].s), 0);
		}
	}
}

static void
close_all(void)
{
	for (int i = 0; i < pairs_len; i++) {
		for (int end = 0; end < 2; end++) {
			secret_free(pairs[i].half[end].s);
			lab_stream_free(pairs[i].half[end].stream);
		}
	}
	ck_assert_uint_eq(budget.used, 0);
	lab_fini(&lab);
}

/* Writes up to total bytes in pieces of at most step, if it may write. */
static void
write_half(struct half *h, uint64_t total, size_t step)
{
	if ((h->stream->events & UDX_EV_WRITABLE) != 0)
		h->may_write = true;
	h->stream->events &= ~(unsigned)UDX_EV_WRITABLE;
	while (h->may_write && h->written < total) {
		size_t at = h->written % 251, n = step;
		ptrdiff_t took;

		if (n > total - h->written)
			n = (size_t)(total - h->written);
		took = secret_write(h->s, bytes + at, n);
		ck_assert_int_ge(took, 0);
		h->written += (uint64_t)took;
		h->may_write = took > 0;
	}
}

static void
read_half(struct half *h)
{
	for (;;) {
		int err;
		struct bytes b = secret_peek(h->s, NULL, &err);

		ck_assert_int_eq(err, 0);
		if (b.p == NULL)
			break;
		ck_assert_mem_eq(b.p, bytes + h->read % 251, b.len);
		h->read += b.len;
		secret_consume(h->s, b.len);
	}
}

/* Each half writes and ends; true if all was read and all have ended. */
static bool
transfer(uint64_t total, size_t step, uint64_t within_us)
{
	uint64_t until = lab.lan.now_us + within_us;
	bool ended[PAIRS_MAX][2] = {{false}};
	int left;

	do {
		left = 0;
		for (int i = 0; i < pairs_len * 2; i++) {
			struct half *h = &pairs[i / 2].half[i % 2];

			write_half(h, total, step);
			if (h->written == total && !ended[i / 2][i % 2]) {
				secret_end(h->s);
				ended[i / 2][i % 2] = true;
			}
			read_half(h);
			left += !secret_ended(h->s) || h->read != total;
		}
		lab_settle(&lab);
	} while (left > 0 && lab_step(&lab, until));
	return left == 0;
}

static const struct {
	const char *name;
	struct lab_link link;
} links[] = {
    {"at once", {0}},
    {"far", {.delay_us = 50000}},
    {"lossy", {.delay_us = 10000, .loss_ppm = 50000}},
    {"jumbled", {.delay_us = 10000, .jitter_us = 20000}},
    {"all of it", {.delay_us = 20000,
		      .jitter_us = 30000,
		      .loss_ppm = 50000,
		      .double_ppm = 100000,
		      .mtu = 1280,
		      .bytes_per_s = 2000000,
		      .queue_bytes = 60000}},
};

START_TEST(arrives_as_written) /* pitfall E3 */
{
	static const size_t steps[] = {1, 100, 16384, 1000000};

	for (int i = 0; i < T_ROWS(steps); i++) {
		start(&links[_i].link, 1);
		open_pairs();
		ck_assert_msg(transfer(steps[i] == 1 ? 3000 : 700000, steps[i],
				  300 * LAB_S),
		    "%s, %zu at a time", links[_i].name, steps[i]);
		close_all();
	}
}
END_TEST

/* Frames of 64 KiB cannot all be kept where they arrive: none waits for the
 * others, and no writer for a word that never comes. */
START_TEST(little_memory_stops_nobody)
{
	start(&links[_i].link, PAIRS_MAX);
	for (int end = 0; end < 2; end++)
		lab.end[end].host.limits.stream_memory_bytes = 1 << 20;
	open_pairs();
	ck_assert(transfer(300000, 65536, 1000 * LAB_S));
	close_all();
}
END_TEST

/* One message of 3 MiB, from a peer whose window is 256 KiB at first. */
START_TEST(a_frame_larger_than_the_window)
{
	static uint8_t large[3 << 20];
	struct half *h;
	bool whole;
	int err = 0;
	struct bytes b = {0};

	start(&links[1].link, 1);
	open_pairs();
	h = pairs[0].half;
	/* Nor does it fit the send buffer of a stream that has just begun. */
	ck_assert_uint_lt(udx_space(h[0].stream->s), sizeof large);
	ck_assert_int_eq(secret_send(h[0].s, large, sizeof large), 0);
	ck_assert_uint_eq(udx_space(h[0].stream->s), 0);
	for (int i = 0; i < 2000 && b.len != sizeof large; i++) {
		lab_run(&lab, 20 * LAB_MS);
		b = secret_peek(h[1].s, &whole, &err);
		ck_assert_int_eq(err, 0);
		if (b.p != NULL && b.len != sizeof large)
			secret_consume(h[1].s, b.len);
	}
	ck_assert_uint_eq(b.len, sizeof large);
	ck_assert(whole && memcmp(b.p, large, sizeof large) == 0);
	ck_assert_uint_ne(udx_space(h[0].stream->s), 0);
	secret_consume(h[1].s, b.len);
	close_all();
}
END_TEST

START_TEST(messages_cross)
{
	uint8_t out[UDX_MTU_MAX];
	struct udx_message m;
	struct half *h;

	start(&links[1].link, 1);
	open_pairs();
	h = pairs[0].half;
	ck_assert_int_eq(secret_send_message(h[0].s, "aside", 5), 0);
	lab_run(&lab, 200 * LAB_MS);
	ck_assert(udx_next_message(h[1].stream->s, &m));
	ck_assert_int_eq(secret_open_message(h[1].s, &m, out), 5);
	ck_assert_mem_eq(out, "aside", 5);
	ck_assert_int_eq(secret_open_message(h[1].s, &m, out), ERR_EXISTS);
	/* As much as the path takes, protocol 06 §A.7, and no more. */
	ck_assert_int_eq(
	    secret_send_message(h[0].s, bytes, UDX_MTU_BASE - 48 - 24), 0);
	ck_assert_int_eq(
	    secret_send_message(h[0].s, bytes, UDX_MTU_MAX - 24), ERR_TOO_BIG);
	close_all();
}
END_TEST

/* One side writes for a minute, then neither does. For a NAT whose mappings
 * expire after 15 s, each side must have sent within that time. */
static uint64_t last_sent[2], longest[2];

static bool
note_packet(struct lab *r, const struct lab_packet *p, void *arg)
{
	struct addr second = lab_addr(1, 0);
	int end = addr_equal(&p->from, &second);

	(void)arg;
	if (last_sent[end] != 0 &&
	    r->lan.now_us - last_sent[end] > longest[end])
		longest[end] = r->lan.now_us - last_sent[end];
	last_sent[end] = r->lan.now_us;
	return true;
}

START_TEST(keepalive_keeps_nats_open) /* pitfall E5 */
{
	struct half *h;

	start(&links[1].link, 1);
	open_pairs();
	h = pairs[0].half;
	lab.filter = note_packet;
	memset(last_sent, 0, sizeof last_sent);
	memset(longest, 0, sizeof longest);
	for (int end = 0; end < 2; end++)
		secret_set_keepalive(h[end].s, 5000);
	for (int i = 0; i < 120; i++) {
		if (i < 60)
			write_half(&h[0], h[0].written + 100, 100);
		lab_run(&lab, LAB_S);
		read_half(&h[0]);
		read_half(&h[1]);
	}
	ck_assert_uint_le(longest[0], 5 * LAB_S);
	ck_assert_uint_le(longest[1], 5 * LAB_S);
	ck_assert_uint_eq(h[1].read, 6000);
	ck_assert_uint_eq(h[0].read, 0);
	close_all();
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("secret_udx", &tc);

	tcase_add_loop_test(tc, arrives_as_written, 0, T_ROWS(links));
	tcase_add_loop_test(tc, little_memory_stops_nobody, 0, 3);
	tcase_add_test(tc, a_frame_larger_than_the_window);
	tcase_add_test(tc, messages_cross);
	tcase_add_test(tc, keepalive_keeps_nats_open);
	return s;
}
