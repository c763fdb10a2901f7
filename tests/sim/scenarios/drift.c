/* SPDX-License-Identifier: ISC */
/*
 * A listener is behind a box with endpoint-independent filtering, which now and
 * then drops its mappings and assigns other ports without notice. Calls that
 * start 15 seconds later are answered; the report contains the delay until the
 * first call succeeds.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

enum { BACK_SECONDS = 15 };

/* Drops all mappings and changes the next port. */
static void
forget(struct nat *box)
{
	nat_flush(box);
	box->next_port = (uint16_t)(box->next_port + 1000);
}

/* Starts a call every half second; records when the first one opened. */
static uint64_t
first_call(struct sim *s, struct dials *d, const struct host *to)
{
	uint64_t start_us = s->now_us;

	d->last_opened_us = 0;
	while (d->last_opened_us == 0 && s->now_us - start_us < SECONDS(60)) {
		struct host *from = sim_any(s);

		if (from != to)
			dials_call(d, from, to, 100);
		sim_run(s, MILLISECONDS(500));
	}
	return d->last_opened_us == 0 ? s->now_us - start_us
				      : d->last_opened_us - start_us;
}

static void
run(struct sim *s)
{
	struct nat_config c = {
	    .ports = NAT_SEQUENTIAL, .timeout_s = 120, .refresh_inbound = true};
	struct samples back_ms = {0};
	struct nat *box;
	struct dials d;
	struct host *h;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	box = sim_nat(s, &c, NULL);
	h = sim_join(s, DHT_AUTO, box);
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 0);
	dials_listen(&d, h);
	dials_wait(&d, SECONDS(30));
	for (uint32_t i = 0; i < s->opt.amount; i++) {
		uint64_t us;

		sim_run(s, MINUTES(1) + SECONDS(prng_below(&s->rand, 60)));
		forget(box);
		us = first_call(s, &d, h);
		samples_add(&back_ms, (uint32_t)(us / 1000));
		sim_expect(s, us <= SECONDS(BACK_SECONDS),
		    "no call reached the listener for %llu s after its address "
		    "changed",
		    (unsigned long long)(us / 1000000));
		sim_quiesce(s);
	}
	report_add(&s->report, "back_ms_median", samples_at(&back_ms, 500));
	report_add(&s->report, "back_ms_max", samples_at(&back_ms, 1000));
	dials_report(&d);
	samples_fini(&back_ms);
	dials_fini(&d);
}

const struct scenario scenario_drift = {
    .name = "drift",
    .text = "the listener's NAT mapping changes: reachable within 15 s",
    .nodes = 50,
    .minutes = 0,
    .amount = 20,
    .nodes_min = 30,
    .bound = {160, 24},
    .run = run,
};
