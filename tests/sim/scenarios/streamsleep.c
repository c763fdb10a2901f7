/* SPDX-License-Identifier: ISC */
/*
 * Suspends laptops in the middle of a transfer. Both for an hour: pending
 * packets do not count as lost, and the transfer continues. One for less than
 * the timeout of the other: the same. One for an hour: the other has timed out,
 * and the sleeper detects it.
 */
#include "base/err.h"
#include "sim/pairs.h"
#include "sim/scenario.h"

enum { LINE_BYTES = 500000, BYTES = 8000000 };

static void
sleep_all(struct party **p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		party_sleep(p[i]);
}

static void
wake_all(struct party **p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		party_wake(p[i]);
}

static void
begin(struct pairs *c, struct sim *s)
{
	pairs_init(c, s, s->opt.nodes, LINE_BYTES);
	pairs_talk(c, BYTES, BYTES);
	sim_run(s, SECONDS(3));
}

static void
both_for_an_hour(struct sim *s)
{
	struct pairs c;

	begin(&c, s);
	sleep_all(c.first, c.len);
	sim_run(s, SECONDS(4));
	sleep_all(c.second, c.len);
	sim_run(s, HOURS(1));
	wake_all(c.first, c.len);
	sim_run(s, SECONDS(4));
	wake_all(c.second, c.len);
	sim_run(s, MINUTES(3));
	pairs_expect(&c, "both have slept", 0, 0);
	pairs_fini(&c);
}

static void
one_for_a_moment(struct sim *s)
{
	struct pairs c;

	begin(&c, s);
	sleep_all(c.second, c.len);
	sim_run(s, SECONDS(9));
	wake_all(c.second, c.len);
	sim_run(s, MINUTES(3));
	pairs_expect(&c, "one has slept briefly", 0, 0);
	pairs_fini(&c);
}

static void
one_for_an_hour(struct sim *s)
{
	struct pairs c;

	begin(&c, s);
	sleep_all(c.second, c.len);
	sim_run(s, HOURS(1));
	wake_all(c.second, c.len);
	sim_run(s, MINUTES(10));
	pairs_expect(&c, "one has slept", ERR_TIMEOUT, ERR_TIMEOUT);
	pairs_fini(&c);
}

static void
run(struct sim *s)
{
	both_for_an_hour(s);
	one_for_a_moment(s);
	one_for_an_hour(s);
}

const struct scenario scenario_streamsleep = {
    .name = "streamsleep",
    .text = "streams whose ends sleep for hours",
    .nodes = 20,
    .nodes_min = 2,
    .run = run,
};
