/* SPDX-License-Identifier: ISC */
#include "udx/rtt.h"

#define MS UINT64_C(1000)

enum {
	RTO_MIN_MS = 1000,
	RTO_MAX_MS = 30000,
	RTO_FIRST_MS = 1000,
	/* Longer samples are clamped: the peer's machine may have slept. */
	SAMPLE_LONG_MS = 5000,
	MIN_WINDOW_MS = 300 * 1000,
	/* Peers delay acknowledgements by 2 ms at most, protocol 05 §14. */
	ACK_DELAY_MS = 2,
	BACKOFF_MAX = 5, /* 1 s becomes 32 s, clamped to RTO_MAX_MS */
};

static uint64_t
min_us(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
rtt_hint(struct rtt *r, uint64_t us)
{
	if (r->min_at_us != 0)
		return;
	us = min_us(us, RTO_MAX_MS * MS);
	r->srtt_us = us;
	r->rttvar_us = us / 2;
}

static void
update_min(struct rtt *r, uint64_t us, uint64_t now_us)
{
	if (r->min_at_us == 0 || us <= r->min_us ||
	    now_us - r->min_at_us > MIN_WINDOW_MS * MS) {
		r->min_us = us;
		r->min_at_us = now_us;
	}
}

void
rtt_sample(struct rtt *r, uint64_t us, uint64_t now_us)
{
	bool first = r->min_at_us == 0;
	uint64_t likely = r->srtt_us + 5 * r->rttvar_us, off;

	if (us == 0)
		us = 1;
	if (first)
		us = min_us(us, RTO_MAX_MS * MS);
	else if (us > SAMPLE_LONG_MS * MS && us > likely)
		us = min_us(likely, RTO_MAX_MS * MS);
	update_min(r, us, now_us);
	r->backoff = 0;
	if (first) {
		r->srtt_us = us;
		r->rttvar_us = us / 2;
		return;
	}
	off = us > r->srtt_us ? us - r->srtt_us : r->srtt_us - us;
	r->rttvar_us = (3 * r->rttvar_us + off) / 4;
	r->srtt_us = (7 * r->srtt_us + us) / 8;
}

void
rtt_back_off(struct rtt *r)
{
	if (r->backoff < BACKOFF_MAX)
		r->backoff++;
}

uint64_t
rtt_timeout(const struct rtt *r)
{
	uint64_t us = RTO_FIRST_MS * MS;

	if (r->srtt_us != 0)
		us = r->srtt_us + 4 * r->rttvar_us;
	if (us < RTO_MIN_MS * MS)
		us = RTO_MIN_MS * MS;
	return min_us(us << r->backoff, RTO_MAX_MS * MS);
}

uint64_t
rtt_probe_timeout(const struct rtt *r)
{
	uint64_t us = RTO_FIRST_MS * MS;

	if (r->srtt_us != 0)
		us = 2 * r->srtt_us + ACK_DELAY_MS * MS;
	return min_us(us, rtt_timeout(r));
}
