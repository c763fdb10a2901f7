/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "sim/dials.h"
#include "world/mem.h"

enum { LISTEN_SECONDS = 60 };

/* ---- listeners ---- */

void
dials_listen(struct dials *d, struct host *h)
{
	d->listeners =
	    mem_grow(d->listeners, d->listeners_len + 1, sizeof *d->listeners);
	d->listeners[d->listeners_len++] = h;
	call_listen(h);
}

static uint32_t
unreachable(const struct dials *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->listeners_len; i++)
		n += !call_reachable(d->listeners[i]);
	return n;
}

void
dials_wait(struct dials *d, uint64_t us)
{
	uint64_t until_us = d->sim->now_us + us;

	while (unreachable(d) > 0 && d->sim->now_us < until_us)
		sim_run(d->sim, MILLISECONDS(500));
	sim_expect(d->sim, unreachable(d) == 0,
	    "%u of %u listeners have no node that forwards to them",
	    unreachable(d), d->listeners_len);
}

void
dials_init(struct dials *d, struct sim *s, uint32_t n)
{
	*d = (struct dials){.sim = s};
	for (uint32_t i = 0; i < n && SIM_BOOTSTRAPS + i < s->hosts_len; i++)
		dials_listen(d, s->hosts[SIM_BOOTSTRAPS + i]);
	dials_wait(d, SECONDS(LISTEN_SECONDS));
}

void
dials_fini(struct dials *d)
{
	sim_quiesce(d->sim);
	free(d->listeners);
	samples_fini(&d->open_ms);
	samples_fini(&d->answer_ms);
}

struct host *
dials_any(struct dials *d, const struct host *other)
{
	for (int i = 0; i < 256; i++) {
		struct host *h =
		    d->listeners[prng_below(&d->sim->rand, d->listeners_len)];

		if (h != other && h->state == HOST_UP)
			return h;
	}
	return NULL;
}

/* ---- calls ---- */

static uint32_t
ms_since(uint64_t us, uint64_t start_us)
{
	return (uint32_t)((us - start_us + 500) / 1000);
}

static void
over(struct sim *s, struct call *c)
{
	struct dials *d = c->spec.arg;

	(void)s;
	if (c->err == ERR_CLOSED) {
		d->closed++;
		return;
	}
	if (c->open) {
		samples_add(&d->open_ms, ms_since(c->opened_us, c->started_us));
		d->last_opened_us = c->opened_us;
	}
	if (c->err != 0) {
		d->failed++;
		d->errs[-c->err]++;
		return;
	}
	d->answered++;
	samples_add(&d->answer_ms, ms_since(c->heard_us, c->started_us));
}

void
dials_call(
    struct dials *d, struct host *from, const struct host *to, uint32_t bytes)
{
	struct call_spec spec = {
	    .to = to, .bytes = bytes, .done = over, .arg = d};
	int err = call_start(from, &spec);

	d->asked++;
	if (err != 0) {
		d->failed++;
		d->errs[-err]++;
	}
}

void
dials_calls(struct dials *d, uint32_t count, uint32_t bytes, uint64_t over_us)
{
	for (uint32_t i = 0; i < count; i++) {
		struct host *to = dials_any(d, NULL), *from;

		do
			from = sim_any(d->sim);
		while (from != NULL && from == to);

		if (from == NULL || to == NULL)
			sim_fail(d->sim, "no caller or no listener is left");
		else
			dials_call(d, from, to, bytes);
		sim_run(d->sim, over_us / count);
	}
	sim_quiesce(d->sim);
}

/* ---- results ---- */

void
dials_report(struct dials *d)
{
	struct report *r = &d->sim->report;

	report_add(r, "calls", d->asked);
	report_add(r, "calls_answered", d->answered);
	for (int i = 0; i < ERR_INDEX_MAX; i++)
		if (d->errs[i] > 0)
			report_add(r, err_name(-i), d->errs[i]);
	report_add(r, "open_ms_median", samples_at(&d->open_ms, 500));
	report_add(r, "open_ms_99", samples_at(&d->open_ms, 990));
	report_add(r, "open_ms_max", samples_at(&d->open_ms, 1000));
	report_add(r, "answer_ms_median", samples_at(&d->answer_ms, 500));
	report_add(r, "answer_ms_99", samples_at(&d->answer_ms, 990));
}

void
dials_expect(struct dials *d, uint32_t permille)
{
	uint32_t whole = d->asked - d->closed;

	sim_expect(d->sim,
	    whole > 0 &&
		(uint64_t)d->answered * 1000 >= (uint64_t)whole * permille,
	    "%u of %u calls were not answered", whole - d->answered, whole);
}

void
dials_expect_undelayed(struct dials *quiet, struct dials *flooded)
{
	struct sim *s = quiet->sim;
	uint32_t quiet_ms = samples_at(&quiet->open_ms, 950);
	uint32_t flooded_ms = samples_at(&flooded->open_ms, 950);

	report_add(&s->report, "quiet_ms_95", quiet_ms);
	report_add(
	    &s->report, "quiet_ms_max", samples_at(&quiet->open_ms, 1000));
	dials_report(flooded);
	dials_expect(quiet, 1000);
	dials_expect(flooded, 1000);
	sim_expect(s, flooded_ms <= 2 * quiet_ms,
	    "95 %% of dials take up to %u ms in the flood, and %u ms before",
	    flooded_ms, quiet_ms);
}

void
dials_expect_once(struct dials *d)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < d->listeners_len; i++)
		if (d->listeners[i]->state == HOST_UP)
			sum += node_stats(d->listeners[i]->node)->handshakes;
	sim_expect(d->sim, sum <= d->asked, "%llu handshakes for %u calls",
	    (unsigned long long)sum, d->asked);
}

void
dials_expect_none_left(struct sim *s, uint64_t after_us)
{
	struct node_conn c;

	sim_run(s, after_us);
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (s->hosts[i]->state == HOST_UP)
			sim_expect(s, !node_conn(s->hosts[i]->node, 0, &c),
			    "host %u has a connection without a call", i);
}
