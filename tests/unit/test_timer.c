/* SPDX-License-Identifier: ISC */
/*
 * Goal: timers fire in order of due time, then of arming, each once, never in
 * the run that armed them. Method: short sequences with a log, then thousands
 * of random operations compared with a naive list.
 */
#include <stdlib.h>

#include "base/timer.h"
#include "base/world.h"
#include "t.h"

enum { LOG_MAX = 64 };

struct probe {
	struct timer timer;
	int name;
	void (*then)(struct probe *p);
};

static struct timers ts;
static int fired[LOG_MAX];
static int fired_len;

static void
fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	ck_assert(!timer_armed(t));
	ck_assert_int_lt(fired_len, LOG_MAX);
	fired[fired_len++] = p->name;
	if (p->then != NULL)
		p->then(p);
}

static struct probe
probe(int name, void (*then)(struct probe *p))
{
	return (struct probe){.timer.fire = fire, .name = name, .then = then};
}

static void
arm(struct probe *p, uint64_t due)
{
	timer_arm(&ts, &p->timer, due);
	ck_assert(timer_armed(&p->timer));
}

static void
assert_fired(const char *want)
{
	char got[LOG_MAX + 1];

	for (int i = 0; i < fired_len; i++)
		got[i] = (char)('0' + fired[i]);
	got[fired_len] = '\0';
	ck_assert_str_eq(got, want);
}

static void
begin(void)
{
	timers_init(&ts);
	fired_len = 0;
}

static void
end(void)
{
	timers_fini(&ts);
}

START_TEST(fires_in_order)
{
	struct probe p[6];
	static const uint64_t due[] = {30, 10, 20, 10, 40, 10};

	for (int i = 0; i < 6; i++) {
		p[i] = probe(i, NULL);
		arm(&p[i], due[i]);
	}
	ck_assert_uint_eq(timers_deadline(&ts), 10);
	timers_run(&ts, 9);
	assert_fired("");
	timers_run(&ts, 30);
	assert_fired("13520");
	ck_assert_uint_eq(timers_deadline(&ts), 40);
	timers_run(&ts, 40);
	assert_fired("135204");
	ck_assert_uint_eq(timers_deadline(&ts), WORLD_NEVER);
}
END_TEST

START_TEST(moves_when_armed_again)
{
	struct probe a = probe(1, NULL), b = probe(2, NULL);

	arm(&a, 10);
	arm(&b, 20);
	arm(&a, 20); /* now armed after b */
	ck_assert_uint_eq(timers_deadline(&ts), 20);
	timers_run(&ts, 20);
	assert_fired("21");
	timer_disarm(&ts, &a.timer); /* not armed: nothing happens */
}
END_TEST

static struct probe *other;

static void
disarm_other(struct probe *p)
{
	(void)p;
	timer_disarm(&ts, &other->timer);
}

START_TEST(disarms_while_firing)
{
	struct probe a = probe(1, disarm_other), b = probe(2, NULL);

	other = &b;
	arm(&a, 10);
	arm(&b, 10);
	timers_run(&ts, 10);
	assert_fired("1");
	ck_assert(!timer_armed(&b.timer));
	ck_assert_uint_eq(timers_deadline(&ts), WORLD_NEVER);
}
END_TEST

static void
again_in_the_past(struct probe *p)
{
	arm(p, 0);
}

static void
again_now(struct probe *p)
{
	arm(p, ts.now_us);
}

START_TEST(armed_in_the_past_waits_for_the_next_run)
{
	struct probe p = probe(1, _i == 0 ? again_in_the_past : again_now);

	arm(&p, 10);
	timers_run(&ts, 100);
	assert_fired("1");
	ck_assert_uint_gt(timers_deadline(&ts), 100);
	timers_run(&ts, timers_deadline(&ts));
	assert_fired("11");
	timer_disarm(&ts, &p.timer);
}
END_TEST

static void
arm_other_now(struct probe *p)
{
	(void)p;
	arm(other, 1);
}

START_TEST(other_armed_in_the_past_waits_too)
{
	struct probe a = probe(1, arm_other_now), b = probe(2, NULL);

	other = &b;
	arm(&a, 10);
	timers_run(&ts, 50);
	assert_fired("1");
	timers_run(&ts, 51);
	assert_fired("12");
}
END_TEST

START_TEST(fini_forgets)
{
	struct probe p = probe(1, NULL);

	arm(&p, 10);
	timers_fini(&ts);
	ck_assert(!timer_armed(&p.timer));
	timers_run(&ts, 20);
	assert_fired("");
}
END_TEST

/* The naive list: armed timers with their due times, in order of arming. */
enum { MANY = 100, OPS = 20000 };

struct model {
	struct timer timer;
	bool armed;
	uint64_t due, order;
};

static struct model many[MANY];

static struct model *
model_first(void)
{
	struct model *best = NULL;

	for (int i = 0; i < MANY; i++) {
		struct model *m = &many[i];

		if (m->armed &&
		    (best == NULL || m->due < best->due ||
			(m->due == best->due && m->order < best->order)))
			best = m;
	}
	return best;
}

static void
model_fire(struct timer *t)
{
	struct model *m = container_of(t, struct model, timer);

	ck_assert_ptr_eq(m, model_first());
	ck_assert_uint_le(m->due, ts.now_us);
	m->armed = false;
}

START_TEST(agrees_with_a_list)
{
	struct prng rnd = prng_seeded(1);
	uint64_t order = 0;

	for (int i = 0; i < MANY; i++)
		many[i] = (struct model){.timer.fire = model_fire};
	for (int op = 0; op < OPS; op++) {
		struct model *m = &many[prng_below(&rnd, MANY)];
		uint32_t kind = prng_below(&rnd, 8);

		if (kind < 5) {
			m->armed = true;
			m->due = ts.now_us + 1 + prng_below(&rnd, 50);
			m->order = order++;
			timer_arm(&ts, &m->timer, m->due);
		} else if (kind < 7) {
			m->armed = false;
			timer_disarm(&ts, &m->timer);
		} else {
			timers_run(&ts, ts.now_us + prng_below(&rnd, 10));
		}
		m = model_first();
		ck_assert_uint_eq(
		    timers_deadline(&ts), m ? m->due : WORLD_NEVER);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("timer", &tc);

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, fires_in_order);
	tcase_add_test(tc, moves_when_armed_again);
	tcase_add_test(tc, disarms_while_firing);
	tcase_add_loop_test(tc, armed_in_the_past_waits_for_the_next_run, 0, 2);
	tcase_add_test(tc, other_armed_in_the_past_waits_too);
	tcase_add_test(tc, fini_forgets);
	tcase_add_test(tc, agrees_with_a_list);
	return s;
}
