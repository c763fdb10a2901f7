/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "udx/cc_model.h"

enum {
	/* Acknowledgements are aggregated by interfaces for 10 ms at most, or
	 * for a part of a long path. */
	AGGREGATION_US = 10000,
	AGGREGATION_PART = 4,
	AGGREGATION_EPOCH_RTTS = 10, /* the reference: five rounds, twice */

	/* Losses are summed up over at least so many packets: with fewer in
	 * flight, on a slow line, a threshold would never be reached. */
	LOSS_SAMPLE_PACKETS = 64,

	/* Random loss is estimated from so many packets at least. After so
	 * many, and two BDP, older ones count half. */
	RANDOM_SAMPLE_PACKETS = 64,
	RANDOM_AGE_PACKETS = 512,
	/*
	 * One in twelve at most is taken for random. Beyond, another flow
	 * overflows the queue even while we drain.
	 */
	RANDOM_LOSS_MAX = CC_UNIT * 16 / 12,
	/* Random losses exceed twice their mean by so many once in an hour; not
	 * applied to fewer packets, of which that would be most losses. */
	RANDOM_BURST_PACKETS = 8,
	RANDOM_BURST_MIN_PACKETS = 128,
};

uint64_t
cc_product(uint64_t rate, uint64_t us)
{
	return rate * us / 1000000;
}

uint64_t
cc_model_drain_us(const struct cc_model *m, uint64_t bytes)
{
	return m->bw > 0 ? bytes * 1000000 / m->bw : 0;
}

uint64_t
cc_model_bdp(const struct cc_model *m)
{
	return cc_product(m->bw, m->min_rtt_us);
}

uint64_t
cc_model_aggregation(const struct cc_model *m)
{
	return cc_max(m->agg, m->agg_previous);
}

void
cc_model_reset(struct cc_model *m, uint64_t now_us)
{
	struct cc_model was = *m;

	*m = (struct cc_model){
	    .mss = was.mss,
	    .delivered = was.delivered,
	    .delivered_us = now_us,
	    .first_sent_us = now_us,
	    .round_start = was.delivered,
	    .loss_from = was.delivered,
	    .seen_us = now_us,
	    .low_rtt_us = UINT64_MAX,
	    .agg_us = now_us,
	    .agg_epoch_us = now_us,
	};
}

/* ---- packets ---- */

void
cc_model_sent(struct cc_model *m, struct cc_packet *p, uint64_t now_us,
    uint64_t in_flight)
{
	if (in_flight == 0)
		m->first_sent_us = m->delivered_us = now_us;
	*p = (struct cc_packet){
	    .sent_us = now_us,
	    .first_sent_us = m->first_sent_us,
	    .delivered_us = m->delivered_us,
	    .delivered = m->delivered,
	    .app_limited = m->app_limited != 0,
	};
}

void
cc_model_acked(struct cc_model *m, const struct cc_packet *p, uint32_t bytes)
{
	m->delivered += bytes;
	m->acked += bytes;
	if (p->draining)
		m->drain_acked += bytes;
	if (m->any && p->sent_us < m->newest.sent_us)
		return;
	m->newest = *p;
	m->any = true;
}

void
cc_model_lost(struct cc_model *m, const struct cc_packet *p, uint32_t bytes)
{
	m->round_lost += bytes;
	if (p->draining)
		m->drain_lost += bytes;
}

void
cc_model_found(struct cc_model *m, const struct cc_packet *p, uint32_t bytes)
{
	uint64_t here = cc_min(m->round_lost, bytes);

	m->delivered += bytes;
	m->acked += bytes;
	m->round_lost -= here;
	m->loss_bytes -= cc_min(m->loss_bytes, bytes - here);
	if (p->draining)
		m->drain_lost -= cc_min(m->drain_lost, bytes);
}

/* ---- batches ---- */

static void
sample_bandwidth(struct cc_model *m, uint64_t now_us)
{
	const struct cc_packet *p = &m->newest;
	uint64_t sent_us = p->sent_us - p->first_sent_us;
	uint64_t acked_us = now_us - p->delivered_us;
	uint64_t us = cc_max(sent_us, acked_us);
	uint64_t bytes = m->delivered - p->delivered, bw;

	m->first_sent_us = p->sent_us;
	/* Shorter than the path: acknowledgements were aggregated. */
	if (us == 0 || us < m->min_rtt_us || bytes > CC_RATE_MAX)
		return;
	bw = cc_min(bytes * 1000000 / us, CC_RATE_MAX);
	/* While limited by the application, only an increase is evidence. */
	if (p->app_limited && bw < m->bw)
		return;
	m->round_bw = cc_max(m->round_bw, bw);
	m->bw = cc_max(m->bw, bw);
}

static void
sample_rtt(struct cc_model *m, uint64_t now_us, uint64_t rtt_us)
{
	/* Tolerates half a millisecond of scheduling delay. */
	uint64_t near_us = m->min_rtt_us + m->min_rtt_us / 16 + 500;

	rtt_us = cc_min(rtt_us, CC_RTT_MAX_US);
	m->srtt_us = m->srtt_us == 0 ? rtt_us : (7 * m->srtt_us + rtt_us) / 8;
	m->low_rtt_us = cc_min(m->low_rtt_us, rtt_us);
	if (m->min_rtt_us == 0 || rtt_us <= near_us)
		m->seen_us = now_us;
	if (m->min_rtt_us == 0 || rtt_us < m->min_rtt_us)
		m->min_rtt_us = rtt_us;
}

/* Measures how much more was acknowledged than the rate explains. */
static void
sample_aggregation(struct cc_model *m, uint64_t now_us)
{
	uint64_t us = now_us - m->agg_us;
	uint64_t due = cc_product(m->bw, cc_min(us, CC_RTT_MAX_US));

	if (m->agg_acked <= due ||
	    us > cc_max(m->min_rtt_us / AGGREGATION_PART, AGGREGATION_US)) {
		m->agg_us = now_us;
		m->agg_acked = due = 0;
	}
	m->agg_acked += m->acked;
	m->agg = cc_max(m->agg, m->agg_acked - due);
	if (now_us - m->agg_epoch_us > AGGREGATION_EPOCH_RTTS * m->srtt_us) {
		m->agg_previous = m->agg;
		m->agg = 0;
		m->agg_epoch_us = now_us;
	}
}

bool
cc_model_update(struct cc_model *m, uint64_t now_us, uint64_t rtt_us)
{
	if (m->acked > 0)
		m->delivered_us = now_us;
	if (rtt_us > 0)
		sample_rtt(m, now_us, rtt_us);
	if (m->delivered > m->app_limited)
		m->app_limited = 0;
	if (m->any)
		sample_bandwidth(m, now_us);
	if (m->acked > 0)
		sample_aggregation(m, now_us);
	return m->any && m->newest.delivered >= m->round_start;
}

/* ---- rounds ---- */

static void
sample_random_loss(struct cc_model *m)
{
	uint64_t all = m->drain_acked + m->drain_lost;
	uint64_t part;

	if (all < RANDOM_SAMPLE_PACKETS * (uint64_t)m->mss)
		return;
	part = m->drain_lost * CC_UNIT * 16 / all;
	m->random_loss = (uint32_t)cc_min(part, RANDOM_LOSS_MAX);
	if (all > 2 * cc_model_bdp(m) + RANDOM_AGE_PACKETS * (uint64_t)m->mss) {
		m->drain_acked /= 2;
		m->drain_lost /= 2;
	}
}

bool
cc_model_excess_loss(const struct cc_model *m, uint32_t n)
{
	uint64_t acked = m->delivered - m->loss_from;
	uint64_t random_loss = 2 * acked * m->random_loss / (CC_UNIT * 16);

	if (m->random_loss > 0 &&
	    acked > RANDOM_BURST_MIN_PACKETS * (uint64_t)m->mss)
		n += RANDOM_BURST_PACKETS;
	return m->loss_bytes + m->round_lost >
	       random_loss + n * (uint64_t)m->mss;
}

void
cc_model_restart_loss(struct cc_model *m)
{
	m->loss_from = m->delivered;
	m->loss_bytes = m->round_lost = 0;
}

/* Ends the sum of losses if it is large enough, or continues it. */
static void
end_loss_round(struct cc_model *m)
{
	m->loss_bytes += m->round_lost;
	if (m->delivered - m->loss_from + m->loss_bytes >=
	    LOSS_SAMPLE_PACKETS * (uint64_t)m->mss)
		cc_model_restart_loss(m);
}

void
cc_model_next_round(struct cc_model *m)
{
	sample_random_loss(m);
	/* A round without a sample, or limited by the application, is no
	 * evidence; nor does it age what is known. */
	if (!m->round_app_limited && m->round_bw > 0) {
		m->bw_of[m->bw_at] = m->round_bw;
		m->bw_at = (m->bw_at + 1) % CC_BW_ROUNDS;
		m->bw = 0;
		for (int i = 0; i < CC_BW_ROUNDS; i++)
			m->bw = cc_max(m->bw, m->bw_of[i]);
	}
	end_loss_round(m);
	m->round_bw = m->round_lost = 0;
	m->round_start = m->delivered;
	m->round_app_limited = m->app_limited != 0;
}
