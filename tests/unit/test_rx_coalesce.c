/* SPDX-License-Identifier: ISC */
/*
 * Checks that only bulk receivers are read with a delay. Plays wake-ups of many
 * kinds at given times.
 */
#include "net/rx_coalesce.h"
#include "t.h"

enum { PACKET = 1472, ACK = 20 };

/*
 * Plays wake-ups apart_us apart; a read after a delay finds the datagrams of
 * all wake-ups during the delay. Returns true if reads are delayed at the end.
 */
static bool
delays(struct rx_coalesce *r, int times, uint64_t apart_us, unsigned datagrams,
    size_t bytes_in, size_t bytes_out)
{
	for (int i = 0; i < times; i++) {
		uint64_t us = r->delayed && apart_us < RX_COALESCE_US
				  ? RX_COALESCE_US
				  : apart_us;
		unsigned n = (unsigned)(us / apart_us);

		rx_coalesce_sent(r, bytes_out);
		(void)rx_coalesce_after(
		    r, r->last_us + us, n * datagrams, n * bytes_in);
	}
	return r->delayed;
}

static const struct {
	const char *name;
	uint64_t apart_us;
	unsigned datagrams;
	size_t in, out;
	bool delays;
} kinds[] = {
    {"bulk", 120, 1, PACKET, ACK, true},
    {"bulk, a few at a time", 400, 5, 5 * PACKET, ACK, true},
    {"bulk, many at a time", 400, 40, 40 * PACKET, ACK, false},
    {"a slow line", 1000, 1, PACKET, ACK, false},
    {"requests and replies", 100, 1, 100, 100, false},
    {"large replies to small requests", 200, 1, PACKET, 100, false},
    {"acknowledgements", 100, 1, ACK, 8 * PACKET, false},
    {"acknowledgements alone", 100, 1, ACK, 0, false},
};

START_TEST(only_bulk_waits)
{
	struct rx_coalesce r = {0};

	ck_assert_int_eq(delays(&r, 500, kinds[_i].apart_us,
			     kinds[_i].datagrams, kinds[_i].in, kinds[_i].out),
	    kinds[_i].delays);
}
END_TEST

START_TEST(a_habit_takes_a_while)
{
	struct rx_coalesce r = {0};

	ck_assert(!delays(&r, 15, 120, 1, PACKET, ACK));
	ck_assert(delays(&r, 1, 120, 1, PACKET, ACK));
}
END_TEST

/* A delayed read that is two milliseconds late does not end the delays. */
START_TEST(goes_on_resting)
{
	struct rx_coalesce r = {0};

	ck_assert(delays(&r, 20, 120, 1, PACKET, ACK));
	ck_assert(delays(&r, 100, RX_COALESCE_US, 8, 8 * PACKET, ACK));
	ck_assert(delays(&r, 1, 2500, 20, 20 * PACKET, ACK));
}
END_TEST

START_TEST(ends_with_the_bulk)
{
	struct rx_coalesce r = {0};

	ck_assert(delays(&r, 20, 120, 1, PACKET, ACK));
	ck_assert(!delays(&r, 1, RX_COALESCE_US, 0, 0, 0));
	ck_assert(delays(&r, 20, 120, 1, PACKET, ACK));
	ck_assert(!delays(&r, 1, RX_COALESCE_US, 1, PACKET, ACK));
	ck_assert(delays(&r, 20, 120, 1, PACKET, ACK));
	/* The receiver starts to reply. */
	ck_assert(!delays(&r, 30, RX_COALESCE_US, 8, 8 * PACKET, 8 * PACKET));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("rest", &tc);

	tcase_add_loop_test(tc, only_bulk_waits, 0, T_ROWS(kinds));
	tcase_add_test(tc, a_habit_takes_a_while);
	tcase_add_test(tc, goes_on_resting);
	tcase_add_test(tc, ends_with_the_bulk);
	return s;
}
