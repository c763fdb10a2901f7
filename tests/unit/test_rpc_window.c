/* SPDX-License-Identifier: ISC */
/*
 * Goal: no more than 80 sends leave in 750 ms, nor 160 in three seconds,
 * protocol 01 §9.3. Method: the golden vectors, where a drain is 750 ms of
 * time; then what the vectors leave out, because our slots move with the clock.
 */
#include <string.h>

#include "dht/rpc_window.h"
#include "t.h"

START_TEST(follows_the_vectors)
{
	const json_t *v = t_get(t_vectors("rpc.json"), "congestion"), *step;
	uint64_t now = 12345678;
	struct rpc_window w;
	size_t i;

	rpc_window_init(&w, (uint16_t)t_uint(v, "max_window"), now);
	json_array_foreach(t_get(v, "steps"), i, step)
	{
		const char *op = t_string(step, "op");

		for (uint64_t n = t_uint(step, "times"); n > 0; n--) {
			if (strcmp(op, "send") == 0)
				rpc_window_sent(&w);
			else if (strcmp(op, "recv") == 0)
				rpc_window_ended(&w);
			else
				rpc_window_move(&w, now += RPC_WINDOW_SLOT_US);
		}
		for (size_t k = 0; k < RPC_WINDOW_SLOTS; k++) {
			const json_t *slot =
			    json_array_get(t_get(step, "window"), k);

			ck_assert_int_eq(
			    w.slot[k], (int)json_integer_value(slot));
		}
		ck_assert_uint_eq(w.at, t_uint(step, "index"));
		ck_assert_uint_eq(w.total, t_uint(step, "total"));
		ck_assert(rpc_window_is_full(&w) == t_bool(step, "full"));
	}
}
END_TEST

static void
send(struct rpc_window *w, int n)
{
	while (n-- > 0)
		rpc_window_sent(w);
}

/* Several slots may have passed since the last call. */
START_TEST(moves_with_the_time)
{
	uint64_t t0 = 1000000;
	struct rpc_window w;

	rpc_window_init(&w, RPC_WINDOW_MAX, t0);
	send(&w, 79);
	ck_assert(!rpc_window_is_full(&w));
	send(&w, 1);
	ck_assert(rpc_window_is_full(&w));
	rpc_window_move(&w, t0 + RPC_WINDOW_SLOT_US - 1);
	ck_assert(rpc_window_is_full(&w));
	rpc_window_move(&w, t0 + RPC_WINDOW_SLOT_US);
	ck_assert(!rpc_window_is_full(&w));
	send(&w, 80);
	/* Two full slots: the third and the fourth get nothing. */
	rpc_window_move(&w, t0 + 3 * RPC_WINDOW_SLOT_US + 5);
	ck_assert(rpc_window_is_full(&w));
	/* The mark stays on the grid: 5 us late is not 5 us more. */
	rpc_window_move(&w, t0 + 4 * RPC_WINDOW_SLOT_US);
	ck_assert(!rpc_window_is_full(&w));
	ck_assert_uint_eq(w.total, 80);
	rpc_window_move(&w, t0 + 5 * RPC_WINDOW_SLOT_US);
	ck_assert_uint_eq(w.total, 0);
}
END_TEST

START_TEST(is_empty_after_a_pause)
{
	for (unsigned slots = RPC_WINDOW_SLOTS; slots < 12; slots++) {
		struct rpc_window w;

		rpc_window_init(&w, RPC_WINDOW_MAX, 0);
		send(&w, 80);
		rpc_window_move(&w, RPC_WINDOW_SLOT_US);
		send(&w, 80);
		rpc_window_move(&w, (uint64_t)(slots + 1) * RPC_WINDOW_SLOT_US);
		ck_assert_uint_eq(w.total, 0);
		ck_assert(!rpc_window_is_full(&w));
	}
}
END_TEST

/* Pitfall R14: an end in a later slot gives nothing back that this slot never
 * took. */
START_TEST(gives_back_only_what_this_slot_took)
{
	struct rpc_window w;

	rpc_window_init(&w, RPC_WINDOW_MAX, 0);
	send(&w, 10);
	rpc_window_move(&w, RPC_WINDOW_SLOT_US);
	rpc_window_ended(&w);
	ck_assert_uint_eq(w.total, 10);
	send(&w, 1);
	rpc_window_ended(&w);
	rpc_window_ended(&w);
	ck_assert_uint_eq(w.total, 10);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("rpc_window", &tc);

	tcase_add_test(tc, follows_the_vectors);
	tcase_add_test(tc, moves_with_the_time);
	tcase_add_test(tc, is_empty_after_a_pause);
	tcase_add_test(tc, gives_back_only_what_this_slot_took);
	return s;
}
