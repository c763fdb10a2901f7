/* SPDX-License-Identifier: ISC */
/*
 * Goal: probes are sent when the reference sends them, and further ones
 * (pitfalls P10, P12, P13); each port is tried once, the likely ones first;
 * random punches wait for slots; a neighbour's address is recognised. Method:
 * the schedules of the golden vectors, the whole range of ports, a queue of
 * waiting punches.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/sim_world.h"
#include "punch/lan.h"
#include "punch/ports.h"
#include "punch/probe_schedule.h"
#include "punch/punch_admission.h"
#include "t.h"

static const char vectors[] = "holepunch.json";

/* Rows: our NAT type, protocol 04 §1; columns: the peer's. */
static const enum schedule_kind strategies[4][4] = {
    {0, 0, 0, 0},
    {0, SCHEDULE_STEADY, SCHEDULE_STEADY, SCHEDULE_BIRTHDAY_PROBES},
    {0, SCHEDULE_STEADY, SCHEDULE_STEADY, SCHEDULE_BIRTHDAY_PROBES},
    {0, SCHEDULE_BIRTHDAY_SOCKETS, SCHEDULE_BIRTHDAY_SOCKETS, 0},
};

START_TEST(strategy_for_each_pair)
{
	for (int own = 0; own < 4; own++)
		for (int peer = 0; peer < 4; peer++)
			ck_assert_int_eq(probe_schedule_choose(own, peer),
			    strategies[own][peer]);
}
END_TEST

/* Returns whether our schedule contains a probe of the reference. */
static bool
has_shot(enum schedule_kind kind, const struct scheduled_probe *want)
{
	struct probe_schedule s;
	struct scheduled_probe shot;

	probe_schedule_init(&s, kind, SCHEDULE_SOCKETS);
	while (probe_schedule_next(&s, &shot))
		if (shot.at_ms == want->at_ms && shot.kind == want->kind &&
		    shot.low_ttl == want->low_ttl && shot.sock == want->sock)
			return true;
	return false;
}

/*
 * Converts [ms, socket, destination, ttl] to a probe, counted from the start.
 */
static struct scheduled_probe
golden_shot(const json_t *send, const json_t *in, enum schedule_kind kind)
{
	const char *to = json_string_value(json_array_get(send, 2));
	const json_t *verified = t_get(in, "verified_host");
	int64_t ms = json_integer_value(json_array_get(send, 0));
	struct scheduled_probe s = {.kind = PROBE_TO_UNVERIFIED,
	    .low_ttl = json_integer_value(json_array_get(send, 3)) != 64};

	/* The responder waits one second before it starts, and so do we. */
	if (!t_bool(in, "initiator") && kind == SCHEDULE_STEADY)
		ms -= 1000;
	s.at_ms = (uint32_t)ms;
	s.sock = (uint32_t)json_integer_value(json_array_get(send, 1));
	if (kind == SCHEDULE_BIRTHDAY_SOCKETS)
		s.kind = PROBE_FROM_SOCKET;
	else if (json_is_string(verified) &&
		 strncmp(to, json_string_value(verified),
		     strlen(json_string_value(verified))) == 0)
		s.kind = PROBE_TO_VERIFIED;
	return s;
}

static void
assert_sends(const json_t *sends, const json_t *in, enum schedule_kind kind)
{
	const json_t *send;
	size_t i;

	json_array_foreach(sends, i, send)
	{
		struct scheduled_probe want = golden_shot(send, in, kind);

		ck_assert_msg(has_shot(kind, &want), "no shot at %u ms",
		    (unsigned)want.at_ms);
	}
}

START_TEST(holds_every_probe_of_the_reference)
{
	const json_t *row = t_kind(vectors, "punch_schedule", _i);
	const json_t *in = t_get(row, "in"), *out = t_get(row, "out");
	enum schedule_kind kind = probe_schedule_choose(
	    (int)t_uint(in, "local"), (int)t_uint(in, "remote"));

	if (!t_bool(out, "punch_returns"))
		return; /* no strategy, or no verified address: the puncher
			   decides */
	ck_assert_int_ne(kind, SCHEDULE_NONE);
	ck_assert_uint_eq(t_uint(out, "sockets"),
	    kind == SCHEDULE_BIRTHDAY_SOCKETS ? SCHEDULE_SOCKETS : 1);
	if (kind == SCHEDULE_BIRTHDAY_PROBES)
		return; /* random ports, at our own rate */
	assert_sends(json_object_get(out, "schedule"), in, kind);
	assert_sends(json_object_get(out, "first"), in, kind);
	assert_sends(json_object_get(out, "last"), in, kind);
}
END_TEST

static uint32_t
count_shots_from(uint32_t sockets, enum schedule_kind kind, enum probe_kind of,
    bool low, uint32_t *last_ms)
{
	struct probe_schedule s;
	struct scheduled_probe shot;
	uint32_t n = 0, before = 0;

	probe_schedule_init(&s, kind, sockets);
	while (probe_schedule_next(&s, &shot)) {
		ck_assert_uint_ge(shot.at_ms, before);
		before = shot.at_ms;
		n += shot.kind == of && shot.low_ttl == low;
	}
	*last_ms = before;
	ck_assert(!probe_schedule_next(&s, &shot));
	ck_assert_uint_le(before, probe_schedule_end_ms(&s));
	return n;
}

static uint32_t
count_shots(
    enum schedule_kind kind, enum probe_kind of, bool low, uint32_t *last_ms)
{
	return count_shots_from(SCHEDULE_SOCKETS, kind, of, low, last_ms);
}

START_TEST(counts_of_probes)
{
	uint32_t last;

	ck_assert_uint_eq(
	    count_shots(SCHEDULE_STEADY, PROBE_TO_VERIFIED, false, &last), 16);
	ck_assert_uint_eq(last, 9000);
	ck_assert_uint_eq(
	    count_shots(SCHEDULE_STEADY, PROBE_TO_UNVERIFIED, false, &last), 2);
	ck_assert_uint_eq(count_shots(SCHEDULE_BIRTHDAY_PROBES,
			      PROBE_TO_NEXT_PORT, false, &last),
	    1750);
	ck_assert_uint_le(last, 8750); /* 200 a second */
	/* Those of the golden vector, and seven open probes of the first
	 * socket. */
	ck_assert_uint_eq(count_shots(SCHEDULE_BIRTHDAY_SOCKETS,
			      PROBE_FROM_SOCKET, true, &last),
	    511);
	ck_assert_uint_eq(count_shots(SCHEDULE_BIRTHDAY_SOCKETS,
			      PROBE_FROM_SOCKET, false, &last),
	    1494 + 7);
	ck_assert_uint_eq(last, 35080);
}
END_TEST

/* More birthday sockets start like fewer, and are all open soon. */
START_TEST(birthday_sockets_are_added)
{
	bool opened[2 * SCHEDULE_SOCKETS] = {false};
	struct probe_schedule s;
	struct scheduled_probe shot;
	uint32_t last, grown_ms = 0;

	ck_assert_uint_eq(
	    count_shots_from(2 * SCHEDULE_SOCKETS, SCHEDULE_BIRTHDAY_SOCKETS,
		PROBE_FROM_SOCKET, true, &last),
	    511);
	ck_assert_uint_eq(
	    count_shots_from(2 * SCHEDULE_SOCKETS, SCHEDULE_BIRTHDAY_SOCKETS,
		PROBE_FROM_SOCKET, false, &last),
	    1494 + 7 + 256);
	probe_schedule_init(
	    &s, SCHEDULE_BIRTHDAY_SOCKETS, 2 * SCHEDULE_SOCKETS);
	while (probe_schedule_next(&s, &shot)) {
		/* In order, without gaps. */
		if (shot.sock >= SCHEDULE_SOCKETS && !opened[shot.sock]) {
			ck_assert(opened[shot.sock - 1] && !shot.low_ttl);
			grown_ms = shot.at_ms;
		}
		opened[shot.sock] = true;
	}
	ck_assert(opened[2 * SCHEDULE_SOCKETS - 1]);
	ck_assert_uint_le(grown_ms, 2500);
}
END_TEST

/*
 * Pitfall P13: every socket opens its own mapping at once, then sends in turn.
 */
START_TEST(every_birthday_socket_sends)
{
	bool opened[SCHEDULE_SOCKETS] = {false}, full[SCHEDULE_SOCKETS] = {0};
	struct probe_schedule s;
	struct scheduled_probe shot;

	probe_schedule_init(&s, SCHEDULE_BIRTHDAY_SOCKETS, SCHEDULE_SOCKETS);
	while (probe_schedule_next(&s, &shot)) {
		opened[shot.sock] |= shot.at_ms == 0;
		full[shot.sock] |= !shot.low_ttl;
	}
	for (int i = 0; i < SCHEDULE_SOCKETS; i++)
		ck_assert(opened[i] && full[i]);
}
END_TEST

/* ---- ports ---- */

static struct sim_world fw;

static void
setup(void)
{
	sim_world_init(&fw, NULL, 1);
}

static void
teardown(void)
{
	sim_world_fini(&fw);
}

static const struct {
	const char *name;
	uint16_t sampled[4];
	unsigned len;
	uint16_t low, high; /* the block; 0: none */
} blocks[] = {
    {"nothing sampled", {0}, 0, 0, 0},
    {"port 0", {0, 0}, 2, 0, 0},
    {"one port", {5000}, 1, 0, 0},
    {"a block", {5000, 6000, 5500, 5100}, 4, 4000, 7000},
    {"counting up", {20000, 20001, 20003}, 3, 19997, 20515},
    {"far apart", {5000, 40000}, 2, 0, 0},
    {"at the low end", {1030, 1900}, 2, 1024, 2770},
    {"at the high end", {65000, 65535}, 2, 64465, 65535},
};

START_TEST(each_port_once_the_block_first)
{
	static bool tried[65536];
	struct addr sampled[4];
	struct ports p;
	uint32_t n = 0, block;
	uint16_t port;

	memset(tried, 0, sizeof tried);
	for (unsigned i = 0; i < blocks[_i].len; i++)
		sampled[i] = addr_v4(203, 0, 113, 9, blocks[_i].sampled[i]);
	ports_init(&p, &fw.w, sampled, blocks[_i].len);
	ck_assert_int_eq(
	    ports_are_near(sampled, blocks[_i].len), blocks[_i].low != 0);
	block = blocks[_i].low != 0
		    ? (uint32_t)blocks[_i].high - blocks[_i].low + 1
		    : 0;
	while ((port = ports_next(&p)) != 0) {
		ck_assert(!tried[port]);
		ck_assert_uint_ge(port, 1024);
		tried[port] = true;
		if (n++ < block)
			ck_assert(
			    port >= blocks[_i].low && port <= blocks[_i].high);
	}
	ck_assert_uint_eq(n, 65536 - 1024);
	ck_assert_uint_eq(ports_next(&p), 0);
}
END_TEST

/* ---- turns ---- */

static struct punch_admission turns;
static struct timers timers;
static int order[32];
static int order_len;
static struct punch_slot waiters[32];

static void
on_turn(struct punch_slot *t)
{
	order[order_len++] = (int)(t - waiters);
}

static void
next_turns(void)
{
	timers_run(&timers, ++fw.w.now_us);
}

START_TEST(slots_are_granted_in_order)
{
	timers_init(&timers);
	punch_admission_init(&turns, &timers, 1, 2);
	order_len = 0;
	for (int i = 0; i < 32; i++)
		waiters[i] = (struct punch_slot){.ready = on_turn};
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[0], SLOT_SOCKETS, NULL),
	    0);
	for (int i = 1; i <= PUNCH_WAITING_MAX; i++)
		ck_assert_int_eq(punch_admission_acquire(
				     &turns, &waiters[i], SLOT_SOCKETS, NULL),
		    1);
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[20], SLOT_SOCKETS, NULL),
	    ERR_BUSY);
	/* Each kind has its own queue. */
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[21], SLOT_PROBES, NULL),
	    0);
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[22], SLOT_PROBES, NULL),
	    0);
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[23], SLOT_PROBES, NULL),
	    1);

	punch_admission_release(&turns, &waiters[2]); /* gives up */
	punch_admission_release(&turns, &waiters[2]);
	next_turns();
	ck_assert_int_eq(order_len, 0);
	punch_admission_release(&turns, &waiters[0]);
	next_turns();
	ck_assert_int_eq(order_len, 1);
	ck_assert_int_eq(order[0], 1);
	/* A new punch waits behind those in the queue. */
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[0], SLOT_SOCKETS, NULL),
	    1);
	punch_admission_release(&turns, &waiters[1]);
	next_turns();
	ck_assert_int_eq(order[1], 3);
	punch_admission_release(&turns, &waiters[21]);
	next_turns();
	ck_assert_int_eq(order[2], 23);
	punch_admission_fini(&turns);
	timers_fini(&timers);
}
END_TEST

/* One network cannot take all slots, nor fill the queue. */
START_TEST(slots_are_shared)
{
	struct addr crowd = addr_v4(198, 51, 100, 1, 5000);
	struct addr other = addr_v4(203, 0, 113, 1, 5000);

	timers_init(&timers);
	punch_admission_init(&turns, &timers, 1, 1);
	order_len = 0;
	for (int i = 0; i < 8; i++) {
		waiters[i] = (struct punch_slot){.ready = on_turn};
		crowd.ip[3] = (uint8_t)(i + 1);
		ck_assert_int_eq(punch_admission_acquire(
				     &turns, &waiters[i], SLOT_SOCKETS, &crowd),
		    i == 0                          ? 0
		    : i <= PUNCH_WAITING_PREFIX_MAX ? 1
						    : ERR_BUSY);
	}
	waiters[8] = waiters[9] = (struct punch_slot){.ready = on_turn};
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[8], SLOT_SOCKETS, &other),
	    1);
	ck_assert_int_eq(
	    punch_admission_acquire(&turns, &waiters[9], SLOT_SOCKETS, NULL),
	    1);
	for (int i = 0; i < 6; i++) {
		punch_admission_release(
		    &turns, i == 0 ? &waiters[0] : &waiters[order[i - 1]]);
		next_turns();
	}
	ck_assert_int_eq(order_len, 6);
	ck_assert_int_eq(order[0], 8);
	ck_assert_int_eq(order[1], 1);
	ck_assert_int_eq(order[2], 9);
	ck_assert_int_eq(order[3], 2);
	punch_admission_fini(&turns);
	timers_fini(&timers);
}
END_TEST

/* A changed limit applies to waiting punches. */
START_TEST(slots_follow_their_limit)
{
	timers_init(&timers);
	punch_admission_init(&turns, &timers, 1, 1);
	order_len = 0;
	for (int i = 0; i < 5; i++)
		waiters[i] = (struct punch_slot){.ready = on_turn};
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(punch_admission_acquire(
				     &turns, &waiters[i], SLOT_SOCKETS, NULL),
		    i > 0);
	punch_admission_set_max(&turns, 3, 1);
	next_turns();
	ck_assert_int_eq(order_len, 2);
	/* Lowered again: the next slot is granted when the excess ones are
	 * released. */
	punch_admission_set_max(&turns, 1, 1);
	punch_admission_release(&turns, &waiters[0]);
	punch_admission_release(&turns, &waiters[1]);
	next_turns();
	ck_assert_int_eq(order_len, 2);
	punch_admission_release(&turns, &waiters[2]);
	next_turns();
	ck_assert_int_eq(order_len, 3);
	punch_admission_fini(&turns);
	timers_fini(&timers);
}
END_TEST

/* ---- LAN ---- */

static size_t
addresses(const json_t *list, struct addr *out)
{
	const json_t *a;
	size_t i;

	json_array_foreach(list, i, a)
	    ck_assert_int_eq(addr_parse(&out[i], json_string_value(a), 0), 0);
	return json_array_size(list);
}

START_TEST(matches_neighbours)
{
	const json_t *row = t_kind(vectors, "match_address", _i);
	const json_t *want = t_get(t_get(row, "out"), "match");
	struct addr mine[8], theirs[8];
	size_t mine_len = addresses(t_get(t_get(row, "in"), "mine"), mine);
	size_t theirs_len =
	    addresses(t_get(t_get(row, "in"), "theirs"), theirs);
	const struct addr *got = lan_match(mine, mine_len, theirs, theirs_len);
	char text[ADDR_TEXT_MAX];

	if (json_is_null(want))
		ck_assert_ptr_null(got);
	else
		ck_assert_str_eq(
		    addr_format_host(got, text), json_string_value(want));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("punch_schedule", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, strategy_for_each_pair);
	tcase_add_loop_test(tc, holds_every_probe_of_the_reference, 0,
	    t_kinds(vectors, "punch_schedule"));
	tcase_add_test(tc, counts_of_probes);
	tcase_add_test(tc, birthday_sockets_are_added);
	tcase_add_test(tc, every_birthday_socket_sends);
	tcase_add_loop_test(
	    tc, each_port_once_the_block_first, 0, T_ROWS(blocks));
	tcase_add_test(tc, slots_are_granted_in_order);
	tcase_add_test(tc, slots_are_shared);
	tcase_add_test(tc, slots_follow_their_limit);
	tcase_add_loop_test(
	    tc, matches_neighbours, 0, t_kinds(vectors, "match_address"));
	return s;
}
