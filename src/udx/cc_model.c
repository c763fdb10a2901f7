/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "udx/cc_model.h"

enum {
	/* Lumps are those of an interface, 10 ms, or a part of a long path. */
	LUMP_US = 10000,
	LUMP_PART = 4,
	LUMP_TURN_RTTS = 10, /* as the reference's: five rounds, and five */

	/* Packets by which losses are judged: of the few in flight on a slow
	 * line no number is ever too many. */
	JUDGED = 64,

	CHANCE_LEAST = 64, /* packets: fewer say nothing */
	CHANCE_MANY = 512, /* and two BDP: then older ones count half */
	/*
	 * One in twelve at most is believed to be chance. Beyond, somebody else
	 * overflows the queue even while we are calm.
	 */
	CHANCE_MAX = CC_UNIT * 16 / 12,
	/* Chance has it so many beyond twice its mean once in an hour; with
	 * fewer packets than this, they would be most of what is lost. */
	CHANCE_MORE = 8,
	CHANCE_MORE_OF = 128,
};

uint64_t
cc_product(uint64_t rate, uint64_t us)
{
	return rate * us / 1000000;
}

uint64_t
cc_model_us(const struct cc_model *m, uint64_t bytes)
{
	return m->bw > 0 ? bytes * 1000000 / m->bw : 0;
}

uint64_t
cc_model_bdp(const struct cc_model *m)
{
	return cc_product(m->bw, m->min_rtt_us);
}

uint64_t
cc_model_lump(const struct cc_model *m)
{
	return cc_max(m->lump, m->lump_before);
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
	    .judged_from = was.delivered,
	    .seen_us = now_us,
	    .low_rtt_us = UINT64_MAX,
	    .lump_us = now_us,
	    .lump_turn_us = now_us,
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
	if (p->calm)
		m->calm_acked += bytes;
	if (m->any && p->sent_us < m->newest.sent_us)
		return;
	m->newest = *p;
	m->any = true;
}

void
cc_model_lost(struct cc_model *m, const struct cc_packet *p, uint32_t bytes)
{
	m->round_lost += bytes;
	if (p->calm)
		m->calm_lost += bytes;
}

void
cc_model_found(struct cc_model *m, const struct cc_packet *p, uint32_t bytes)
{
	uint64_t here = cc_min(m->round_lost, bytes);

	m->delivered += bytes;
	m->acked += bytes;
	m->round_lost -= here;
	m->judged_lost -= cc_min(m->judged_lost, bytes - here);
	if (p->calm)
		m->calm_lost -= cc_min(m->calm_lost, bytes);
}

/* ---- batches ---- */

static void
bw_sample(struct cc_model *m, uint64_t now_us)
{
	const struct cc_packet *p = &m->newest;
	uint64_t sent_us = p->sent_us - p->first_sent_us;
	uint64_t acked_us = now_us - p->delivered_us;
	uint64_t us = cc_max(sent_us, acked_us);
	uint64_t bytes = m->delivered - p->delivered, bw;

	m->first_sent_us = p->sent_us;
	/* Shorter than the path: what came was let go by a queue in a lump. */
	if (us == 0 || us < m->min_rtt_us || bytes > CC_RATE_MAX)
		return;
	bw = cc_min(bytes * 1000000 / us, CC_RATE_MAX);
	/* Who had nothing to send learns only that more is possible. */
	if (p->app_limited && bw < m->bw)
		return;
	m->round_bw = cc_max(m->round_bw, bw);
	m->bw = cc_max(m->bw, bw);
}

static void
rtt_sample(struct cc_model *m, uint64_t now_us, uint64_t rtt_us)
{
	/* Half a millisecond more is the machine's doing. */
	uint64_t near_us = m->min_rtt_us + m->min_rtt_us / 16 + 500;

	rtt_us = cc_min(rtt_us, CC_RTT_MAX_US);
	m->srtt_us = m->srtt_us == 0 ? rtt_us : (7 * m->srtt_us + rtt_us) / 8;
	m->low_rtt_us = cc_min(m->low_rtt_us, rtt_us);
	if (m->min_rtt_us == 0 || rtt_us <= near_us)
		m->seen_us = now_us;
	if (m->min_rtt_us == 0 || rtt_us < m->min_rtt_us)
		m->min_rtt_us = rtt_us;
}

/* How much more was acknowledged than the rate explains. */
static void
lump_sample(struct cc_model *m, uint64_t now_us)
{
	uint64_t us = now_us - m->lump_us;
	uint64_t due = cc_product(m->bw, cc_min(us, CC_RTT_MAX_US));

	if (m->lump_acked <= due ||
	    us > cc_max(m->min_rtt_us / LUMP_PART, LUMP_US)) {
		m->lump_us = now_us;
		m->lump_acked = due = 0;
	}
	m->lump_acked += m->acked;
	m->lump = cc_max(m->lump, m->lump_acked - due);
	if (now_us - m->lump_turn_us > LUMP_TURN_RTTS * m->srtt_us) {
		m->lump_before = m->lump;
		m->lump = 0;
		m->lump_turn_us = now_us;
	}
}

bool
cc_model_update(struct cc_model *m, uint64_t now_us, uint64_t rtt_us)
{
	if (m->acked > 0)
		m->delivered_us = now_us;
	if (rtt_us > 0)
		rtt_sample(m, now_us, rtt_us);
	if (m->delivered > m->app_limited)
		m->app_limited = 0;
	if (m->any)
		bw_sample(m, now_us);
	if (m->acked > 0)
		lump_sample(m, now_us);
	return m->any && m->newest.delivered >= m->round_start;
}

/* ---- rounds ---- */

static void
chance_sample(struct cc_model *m)
{
	uint64_t all = m->calm_acked + m->calm_lost;
	uint64_t part;

	if (all < CHANCE_LEAST * (uint64_t)m->mss)
		return;
	part = m->calm_lost * CC_UNIT * 16 / all;
	m->chance = (uint32_t)cc_min(part, CHANCE_MAX);
	if (all > 2 * cc_model_bdp(m) + CHANCE_MANY * (uint64_t)m->mss) {
		m->calm_acked /= 2;
		m->calm_lost /= 2;
	}
}

bool
cc_model_lost_more(const struct cc_model *m, uint32_t n)
{
	uint64_t acked = m->delivered - m->judged_from;
	uint64_t chance = 2 * acked * m->chance / (CC_UNIT * 16);

	if (m->chance > 0 && acked > CHANCE_MORE_OF * (uint64_t)m->mss)
		n += CHANCE_MORE;
	return m->judged_lost + m->round_lost > chance + n * (uint64_t)m->mss;
}

void
cc_model_judge_anew(struct cc_model *m)
{
	m->judged_from = m->delivered;
	m->judged_lost = m->round_lost = 0;
}

/* The round ends: judged by itself, or with those that follow. */
static void
judge_round(struct cc_model *m)
{
	m->judged_lost += m->round_lost;
	if (m->delivered - m->judged_from + m->judged_lost >=
	    JUDGED * (uint64_t)m->mss)
		cc_model_judge_anew(m);
}

void
cc_model_next_round(struct cc_model *m)
{
	chance_sample(m);
	/* A round without a sample, or with one that nobody asked more of, says
	 * nothing, but ages nothing either. */
	if (!m->round_app_limited && m->round_bw > 0) {
		m->bw_of[m->bw_at] = m->round_bw;
		m->bw_at = (m->bw_at + 1) % CC_BW_ROUNDS;
		m->bw = 0;
		for (int i = 0; i < CC_BW_ROUNDS; i++)
			m->bw = cc_max(m->bw, m->bw_of[i]);
	}
	judge_round(m);
	m->round_bw = m->round_lost = 0;
	m->round_start = m->delivered;
	m->round_app_limited = m->app_limited != 0;
}
