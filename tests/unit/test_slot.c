/* SPDX-License-Identifier: ISC */
/*
 * Goal: no peer fills the slots of a listener; whoever holds little always
 * finds one; nobody loses a connection to a peer that would hold as much.
 *
 * Method: peers with a key and an address take slots in a scope of a few
 * hundred by the same calls as a listener makes, and what becomes of the
 * newcomer and of the holders is compared with a table of cases. A random run
 * of all calls is checked against counts made by looking at every slot.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/slot.h"
#include "t.h"

enum { SLOTS_MAX = 2000, MINUTE_S = 60 };

static const struct hash_key hash_key = {{5}};

/* A newcomer or a holder: numbers stand for a key and a /24. */
struct who {
	uint16_t key, prefix;
};

struct made_slot {
	struct slot slot;
	struct who who;
	bool given_way;
};

struct rig {
	struct slot_scope *scope, *node;
	struct slot_limits limits;
	struct made_slot *slots;
	uint32_t len;
	uint64_t now_us;
};

static struct made_slot *
made_of(struct slot *p)
{
	return (void *)((uint8_t *)p - offsetof(struct made_slot, slot));
}

static void
rig_init(struct rig *g, uint32_t max)
{
	*g = (struct rig){.limits = {max, max / 8, max / 4}};
	g->scope = slot_scope_new(&hash_key);
	g->node = slot_scope_new(&hash_key);
	g->slots = calloc(SLOTS_MAX, sizeof *g->slots);
	ck_assert(g->scope != NULL && g->node != NULL && g->slots != NULL);
}

static void
rig_fini(struct rig *g)
{
	/* A scope outlives its owner until the last slot is left. */
	slot_scope_release(g->scope);
	for (uint32_t i = 0; i < g->len; i++)
		slot_leave(&g->slots[i].slot);
	slot_scope_release(g->node);
	free(g->slots);
}

static void
give_way(struct slot *victim)
{
	made_of(victim)->given_way = true;
	slot_leave(victim);
}

static struct addr
addr_of(struct who w)
{
	return addr_v4(
	    66, (uint8_t)(w.prefix >> 8), (uint8_t)w.prefix, 1, 4000);
}

/* Offers a slot to a peer. Returns NULL if it is refused. */
static struct made_slot *
offer_slot(struct rig *g, struct who w, bool exempt)
{
	struct made_slot *m = &g->slots[g->len];
	uint8_t key[KEY_LEN] = {(uint8_t)w.key, (uint8_t)(w.key >> 8)};
	struct addr a = addr_of(w);
	const struct slot_peer peer = {key, &a, exempt};
	struct slot *victim;

	if (!slot_scope_admits(g->scope, &g->limits, &peer, g->now_us, &victim))
		return NULL;
	if (victim != NULL && victim->state == CONN_SLOT_RESERVED)
		give_way(victim);
	ck_assert_uint_lt(g->len, SLOTS_MAX);
	ck_assert_int_eq(slot_reserve(&m->slot, g->scope, g->node, &peer), 0);
	m->who = w;
	g->len++;
	return m;
}

static void
open_slot(struct rig *g, struct made_slot *m)
{
	struct addr a = addr_of(m->who);
	struct slot *victim;

	slot_open(&m->slot, &a, g->now_us);
	victim =
	    slot_victim(&m->slot, CONN_SLOT_LISTENER, &g->limits, g->now_us);
	if (victim != NULL)
		give_way(victim);
}

/* Takes a slot up to a state. Returns false if the peer is refused. */
static bool
take_slot(struct rig *g, struct who w, bool exempt, enum slot_state state)
{
	struct made_slot *m = offer_slot(g, w, exempt);

	if (m == NULL)
		return false;
	if (state >= CONN_SLOT_UNCLAIMED)
		open_slot(g, m);
	if (state == CONN_SLOT_CLAIMED)
		slot_claim(&m->slot, g->now_us);
	return true;
}

static uint32_t
count_lost(const struct rig *g, uint16_t key)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->len; i++)
		n += g->slots[i].who.key == key && g->slots[i].given_way;
	return n;
}

/* ---- who gets in ---- */

/*
 * So many peers hold `each` slots, beginning with key and prefix 1; all of
 * them have one key or one prefix if the step is 0. A newcomer then dials.
 */
static const struct {
	const char *name;
	uint32_t peers, each;
	uint16_t key_step, prefix_step;
	bool exempt; /* the holders */
	struct who newcomer;
	bool newcomer_exempt;
	bool admitted;
	uint32_t lost; /* by the holders */
} rows[] = {
    /* Of 200 slots; shares of 25 for a key and of 50 for a /24. */
    {"empty", 0, 0, 1, 1, false, {9, 9}, false, true, 0},
    {"one key below a half", 1, 99, 0, 0, false, {1, 1}, false, true, 0},
    {"one key at a half", 1, 100, 0, 0, false, {1, 1}, false, false, 0},
    {"another key then", 1, 100, 0, 0, false, {9, 9}, false, true, 0},
    {"another key of that /24", 1, 100, 0, 0, false, {9, 1}, false, false, 0},
    {"a /24 with many keys", 100, 1, 1, 0, false, {999, 1}, false, false, 0},
    {"another /24 then", 100, 1, 1, 0, false, {999, 9}, false, true, 0},
    {"a key in many /24s", 100, 1, 0, 1, false, {1, 999}, false, false, 0},
    {"another key in one of them", 100, 1, 0, 1, false, {9, 1}, false, true, 0},
    {"full of equal peers", 200, 1, 1, 1, false, {999, 999}, false, false, 0},
    {"and the peer is known", 200, 1, 1, 1, false, {7, 7}, false, false, 0},
    {"full, two each", 100, 2, 1, 1, false, {999, 999}, false, true, 1},
    {"full, and the peer has one", 100, 2, 1, 1, false, {7, 999}, false, false,
	0},
    {"full of one allow list", 1, 200, 0, 0, true, {9, 9}, false, false, 0},
    {"the allow list itself", 1, 150, 0, 0, true, {1, 1}, true, true, 0},
    {"others beside the list", 1, 150, 0, 0, true, {9, 9}, false, true, 0},
    {"a listed key when full", 100, 2, 1, 1, false, {9, 9}, true, true, 1},
};

START_TEST(admits)
{
	struct rig g;

	rig_init(&g, 200);
	for (uint32_t i = 0; i < rows[_i].peers * rows[_i].each; i++) {
		uint16_t n = (uint16_t)(i / rows[_i].each);
		struct who w = {(uint16_t)(1 + n * rows[_i].key_step),
		    (uint16_t)(1 + n * rows[_i].prefix_step)};

		ck_assert_msg(
		    take_slot(&g, w, rows[_i].exempt, CONN_SLOT_CLAIMED),
		    "%s: %u", rows[_i].name, (unsigned)i);
	}
	ck_assert_msg(take_slot(&g, rows[_i].newcomer, rows[_i].newcomer_exempt,
			  CONN_SLOT_UNCLAIMED) == rows[_i].admitted,
	    "%s", rows[_i].name);
	uint32_t lost = 0;

	for (uint32_t i = 0; i < g.len; i++)
		lost += g.slots[i].given_way;
	ck_assert_msg(lost == rows[_i].lost, "%s: %u lost", rows[_i].name,
	    (unsigned)lost);
	rig_fini(&g);
}
END_TEST

/* One key dials 640 times, at once and after each opening; others get in, and
 * it still has what it had. */
START_TEST(one_key_dials_without_end)
{
	struct rig g;
	uint32_t got = 0;

	rig_init(&g, 512);
	for (int i = 0; i < 640; i++)
		got += take_slot(&g, (struct who){1, 1}, false,
		    _i == 0 ? CONN_SLOT_RESERVED : CONN_SLOT_UNCLAIMED);
	ck_assert_uint_eq(got, 256);
	for (uint16_t i = 2; i < 258; i++)
		ck_assert(take_slot(
		    &g, (struct who){i, i}, false, CONN_SLOT_CLAIMED));
	ck_assert_uint_eq(count_lost(&g, 1), 0);
	/* The listener is full: the largest holder gives way to all further
	 * peers, and none of the others does. */
	for (uint16_t i = 300; i < 500; i++)
		ck_assert(take_slot(
		    &g, (struct who){i, i}, false, CONN_SLOT_CLAIMED));
	ck_assert_uint_eq(count_lost(&g, 1), 200);
	ck_assert_uint_eq(slot_scope_len(g.scope), 512);
	rig_fini(&g);
}
END_TEST

/* Nobody else wants in: one key works with 1,000 connections. */
START_TEST(one_key_with_many_tunnels)
{
	struct rig g;

	rig_init(&g, 2048);
	for (int i = 0; i < 1000; i++)
		ck_assert(take_slot(
		    &g, (struct who){1, 1}, false, CONN_SLOT_CLAIMED));
	ck_assert_uint_eq(count_lost(&g, 1), 0);
	rig_fini(&g);
}
END_TEST

/* A handshake costs no open connection its slot: only its opening does. */
START_TEST(open_slots_wait_for_the_opening)
{
	struct made_slot *m[3];
	struct rig g;

	rig_init(&g, 16);
	g.limits.key_max = g.limits.prefix_max = 16;
	for (int i = 0; i < 16; i++)
		ck_assert(take_slot(&g,
		    (struct who){(uint16_t)(1 + i / 4), (uint16_t)(1 + i / 4)},
		    false, CONN_SLOT_CLAIMED));
	/* Two of four may be promised: a third newcomer could find nobody who
	 * holds more than it does. */
	for (int i = 0; i < 3; i++)
		m[i] = offer_slot(&g,
		    (struct who){(uint16_t)(90 + i), (uint16_t)(90 + i)},
		    false);
	ck_assert(m[0] != NULL && m[1] != NULL && m[2] != NULL);
	ck_assert_ptr_null(offer_slot(&g, (struct who){99, 99}, false));
	ck_assert_uint_eq(slot_scope_len(g.scope), 19);
	slot_leave(&m[2]->slot); /* its client never comes */
	open_slot(&g, m[0]);
	open_slot(&g, m[1]);
	ck_assert_uint_eq(slot_scope_len(g.scope), 16);
	rig_fini(&g);
}
END_TEST

/* ---- who gives way ---- */

/* The slots of one key, each in its state and with its idle time. */
static const struct {
	const char *name;
	struct {
		enum slot_state state;
		unsigned idle_min;
	} slots[3];
	int victim;
} order[] = {
    {"unclaimed before idle",
	{{CONN_SLOT_CLAIMED, 30}, {CONN_SLOT_UNCLAIMED, 1},
	    {CONN_SLOT_CLAIMED, 1}},
	1},
    {"half-open before idle",
	{{CONN_SLOT_CLAIMED, 30}, {CONN_SLOT_CLAIMED, 1},
	    {CONN_SLOT_RESERVED, 0}},
	2},
    {"the longest idle",
	{{CONN_SLOT_CLAIMED, 11}, {CONN_SLOT_CLAIMED, 30},
	    {CONN_SLOT_CLAIMED, 1}},
	1},
    {"at last any",
	{{CONN_SLOT_CLAIMED, 2}, {CONN_SLOT_CLAIMED, 1},
	    {CONN_SLOT_CLAIMED, 3}},
	2},
};

START_TEST(gives_way_in_order)
{
	struct made_slot *m[3];
	struct rig g;
	int victim = -1;

	rig_init(&g, 4);
	g.limits.key_max = g.limits.prefix_max = 4;
	for (int i = 0; i < 3; i++) {
		m[i] = offer_slot(&g, (struct who){1, 1}, false);
		ck_assert_ptr_nonnull(m[i]);
		if (order[_i].slots[i].state >= CONN_SLOT_UNCLAIMED)
			open_slot(&g, m[i]);
		if (order[_i].slots[i].state == CONN_SLOT_CLAIMED)
			slot_claim(&m[i]->slot, 0);
	}
	ck_assert(take_slot(&g, (struct who){2, 2}, false, CONN_SLOT_CLAIMED));
	/* Data moves last the given time before the newcomer arrives. */
	for (unsigned min = 60; min > 0; min--) {
		for (int i = 0; i < 3; i++)
			if (order[_i].slots[i].idle_min == min)
				slot_moved(&m[i]->slot, g.now_us);
		g.now_us += MINUTE_S * UINT64_C(1000000);
	}
	ck_assert(
	    take_slot(&g, (struct who){3, 3}, false, CONN_SLOT_UNCLAIMED));
	for (int i = 0; i < 3; i++)
		if (m[i]->given_way)
			victim = i;
	ck_assert_msg(
	    victim == order[_i].victim, "%s: %d", order[_i].name, victim);
	rig_fini(&g);
}
END_TEST

/* Of the largest key and the largest /24, the one with an idle connection gives
 * way: the limit between the two is ten minutes. */
START_TEST(idle_for_ten_minutes)
{
	struct rig g;

	rig_init(&g, 8);
	g.limits.key_max = g.limits.prefix_max = 8;
	/* A key in four /24s, and a /24 with four keys. */
	for (uint16_t i = 1; i <= 4; i++) {
		ck_assert(take_slot(
		    &g, (struct who){1, i}, false, CONN_SLOT_CLAIMED));
		ck_assert(take_slot(&g, (struct who){(uint16_t)(10 + i), 9},
		    false, CONN_SLOT_CLAIMED));
	}
	g.now_us = _i == 0 ? CONN_SLOT_IDLE_US - 1 : CONN_SLOT_IDLE_US;
	for (uint32_t i = 0; i < g.len; i++)
		if (g.slots[i].who.prefix == 9)
			slot_moved(&g.slots[i].slot, g.now_us);
	ck_assert(
	    take_slot(&g, (struct who){99, 99}, false, CONN_SLOT_UNCLAIMED));
	ck_assert_uint_eq(count_lost(&g, 1), _i == 0 ? 0 : 1);
	rig_fini(&g);
}
END_TEST

/* ---- counts ---- */

static uint32_t
count_key(const struct rig *g, uint16_t key)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->len; i++)
		n += g->slots[i].who.key == key &&
		     g->slots[i].slot.state != CONN_SLOT_EMPTY;
	return n;
}

/* The largest holder is right after any calls, and no scope exceeds its limit
 * by more than those that wait for their opening. */
START_TEST(random_calls)
{
	struct prng r = prng_seeded(77 + (uint64_t)_i);
	struct rig g;

	rig_init(&g, 64);
	for (int i = 0; i < 1500; i++) {
		struct who w = {
		    (uint16_t)prng_below(&r, 12), (uint16_t)prng_below(&r, 12)};
		struct made_slot *m = NULL;
		uint8_t key[KEY_LEN] = {(uint8_t)w.key};

		if (g.len > 0)
			m = &g.slots[prng_below(&r, g.len)];
		g.now_us += prng_below(&r, 100) * UINT64_C(1000000);
		switch (prng_below(&r, 6)) {
		case 0:
		case 1:
			(void)offer_slot(&g, w, prng_below(&r, 8) == 0);
			break;
		case 2:
			if (m != NULL)
				slot_leave(&m->slot);
			break;
		case 3:
			if (m != NULL)
				slot_claim(&m->slot, g.now_us);
			break;
		case 4:
			if (m != NULL && m->slot.state == CONN_SLOT_RESERVED)
				open_slot(&g, m);
			break;
		default:
			if (m != NULL)
				slot_moved(&m->slot, g.now_us);
		}
		ck_assert_uint_eq(
		    slot_scope_key_len(g.scope, key), count_key(&g, w.key));
		ck_assert_uint_eq(
		    slot_scope_len(g.scope), slot_scope_len(g.node));
		ck_assert_uint_le(slot_scope_len(g.scope), 2 * 64);
	}
	rig_fini(&g);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("slot", &tc);

	tcase_add_loop_test(tc, admits, 0, T_ROWS(rows));
	tcase_add_loop_test(tc, one_key_dials_without_end, 0, 2);
	tcase_add_test(tc, one_key_with_many_tunnels);
	tcase_add_test(tc, open_slots_wait_for_the_opening);
	tcase_add_loop_test(tc, gives_way_in_order, 0, T_ROWS(order));
	tcase_add_loop_test(tc, idle_for_ten_minutes, 0, 2);
	tcase_add_loop_test(tc, random_calls, 0, 8);
	return s;
}
