/* SPDX-License-Identifier: ISC */
#include "udx/cc.h"

/*
 * Numbers without a word are those of the reference (protocol 05 §10), which
 * are Linux's tcp_bbr.c; "measured" are those that tests/unit/test_cc.c holds.
 * Gains and parts are in CC_UNITs.
 */
enum {
	WINDOW_INITIAL = 10, /* packets, RFC 6928 */
	WINDOW_MIN = 4,      /* packets: enough to be told of a loss */

	STARTUP_PACE = 739, /* 2/ln 2: the least that doubles each round */
	/* draft-ietf-ccwg-bbr: more in flight than two BDP only overflows. */
	STARTUP_WINDOW = 2 * CC_UNIT,
	STARTUP_ROUNDS = 3, /* without growth: the pipe is full */
	STARTUP_LOSS = 4,   /* or one part in so many lost: it overflows */
	DRAIN_PACE = 88,    /* the inverse of STARTUP_PACE */

	PROBE_PACE = 320, /* 1.25: asks for more */
	CALM_PACE = 192,  /* 0.75: gives the queue of that back */
	DRAIN_RTTS = 3,   /* at most; beside others it may never be empty */
	PHASES = 8,       /* each a round-trip time, and at random up to */
	PHASES_MORE = 4,  /* so many more: flows must not ask in step */

	/* The queue kept, between a BDP of 2^16 and 2^24 bytes; measured. */
	QUEUE_LOG_LEAST = 16,
	QUEUE_LOG_MOST = 24,
	QUEUE_MOST = CC_UNIT * 6 / 16,
	QUEUE_LEAST = CC_UNIT * 3 / 16,

	/*
	 * Parts of the path's length that a queue adds, beyond what we make
	 * ourselves: more than the first in a whole cycle, and somebody never
	 * calms down; more than the second, and it cannot be one of us.
	 */
	CROWDED = CC_UNIT / 8,
	DEEP = CC_UNIT * 3 / 8,
	CROWDED_CYCLES = 2,
	/* A round of cruising may lose so many more than chance has it. */
	LOST_MORE = 3,

	/*
	 * What may leave at once is what a timer of a millisecond lets, but no
	 * more than a quarter of a receive buffer of the reference's.
	 */
	BURST_US = 1000,
	BURST_MAX = 256 << 10,
	BURST_MIN = 2, /* packets */
};

static const uint64_t MIN_RTT_US = 10000000; /* how long one is believed */
static const uint64_t PROBE_RTT_US = 200000;
static const uint64_t WARY_US = 60000000; /* CUBIC's period at 10 Gbit/s */

static uint64_t
packets(const struct cc *c, uint64_t n)
{
	return n * c->model.mss;
}

static uint64_t
times(uint64_t v, uint64_t gain)
{
	return v / CC_UNIT * gain + v % CC_UNIT * gain / CC_UNIT;
}

static uint32_t
draw(struct cc *c, uint32_t below)
{
	c->random = c->random * 1664525 + 1013904223; /* Numerical Recipes */
	return (uint32_t)((uint64_t)c->random * below >> 32);
}

/* ---- the queue ---- */

/* What more than a BDP is in flight because nothing leaves or comes evenly. */
static uint64_t
slack(const struct cc *c)
{
	return cc_model_lump(&c->model) + 2 * (uint64_t)cc_burst(c);
}

/*
 * A BDP and the queue that a flow keeps at the bottleneck. Who shares it with
 * another has the same delay, so of two the slower asks for more of it than it
 * has, as long as what is asked for grows slower than the rate.
 */
static uint64_t
cruise_gain(uint64_t bdp)
{
	const uint64_t span = QUEUE_LOG_MOST - QUEUE_LOG_LEAST;
	uint32_t log = 0;

	while (bdp >> log > 1)
		log++;
	if (log <= QUEUE_LOG_LEAST)
		return CC_UNIT + QUEUE_MOST;
	if (log >= QUEUE_LOG_MOST)
		return CC_UNIT + QUEUE_LEAST;
	return CC_UNIT + QUEUE_MOST -
	       (log - QUEUE_LOG_LEAST) * (QUEUE_MOST - QUEUE_LEAST) / span;
}

static uint64_t
cruise_window(const struct cc *c)
{
	uint64_t bdp = cc_model_bdp(&c->model);

	return times(bdp, cruise_gain(bdp)) + slack(c);
}

/* Longer by that part than the path, and what we make ourselves. */
static bool
is_longer(const struct cc *c, uint64_t rtt_us, uint32_t part)
{
	const struct cc_model *m = &c->model;
	uint64_t own = slack(c) + packets(c, WINDOW_MIN);

	return rtt_us >
	       m->min_rtt_us + times(m->min_rtt_us, part) + cc_model_us(m, own);
}

/* ---- entering states ---- */

static void
enter(struct cc *c, enum cc_state state, uint64_t now_us)
{
	c->state = state;
	c->since_us = now_us;
	c->model.low_rtt_us = UINT64_MAX;
}

static void
begin_cycle(struct cc *c, uint32_t phase, uint64_t now_us)
{
	c->phases = PHASES + draw(c, PHASES_MORE);
	c->phase = phase;
	c->since_us = now_us;
	c->model.low_rtt_us = UINT64_MAX;
}

static void
enter_probe_bw(struct cc *c, uint64_t now_us)
{
	enter(c, CC_PROBE_BW, now_us);
	/* Not in step with others, and not with asking for more at once. */
	begin_cycle(c, 1 + draw(c, PHASES - 1), now_us);
	c->crowded = c->deep = 0;
	c->crowded_lost = false;
}

static void
enter_contest(struct cc *c, uint64_t now_us)
{
	enter(c, CC_CONTEST, now_us);
	c->wary_us = now_us + WARY_US;
	if (c->tcp.window == CUBIC_NONE)
		cubic_start(&c->tcp, cc_max(c->window, cc_model_bdp(&c->model)),
		    now_us);
}

static void
enter_probe_rtt(struct cc *c, uint64_t now_us)
{
	c->before = c->state;
	c->kept_window = c->window;
	enter(c, CC_PROBE_RTT, now_us);
}

/* ---- a step in each state ---- */

/* Not below what keeps the line busy, if nobody else is there. */
static void
back_off(struct cc *c, uint64_t now_us)
{
	uint64_t least = cc_model_bdp(&c->model) + slack(c);
	uint64_t window = cc_min(c->tcp.window, c->window);

	cubic_lost(&c->tcp, cc_max(window, least), least, c->model.mss, now_us);
	c->backed_off_us = now_us;
	cc_model_judge_anew(&c->model);
}

static void
startup_round(struct cc *c, uint64_t now_us)
{
	const struct cc_model *m = &c->model;
	uint64_t acked = m->delivered - m->round_start;

	if (m->round_app_limited)
		return;
	if (m->bw >= c->full_bw + c->full_bw / 4) {
		c->full_bw = m->bw;
		c->full_rounds = 0;
	} else {
		c->full_rounds++;
	}
	if (m->round_lost > packets(c, WINDOW_INITIAL) &&
	    m->round_lost * STARTUP_LOSS > acked + m->round_lost)
		c->full_rounds = STARTUP_ROUNDS;
	if (c->full_rounds >= STARTUP_ROUNDS)
		enter(c, CC_DRAIN, now_us);
}

static void
probe_bw_round(struct cc *c, uint64_t now_us)
{
	const struct cc_model *m = &c->model;
	bool chance = m->chance * m->round_lost > 0;

	/* A queue that overflows once in seconds may cost us one packet. */
	if (c->crowded >= CROWDED_CYCLES &&
	    cc_model_lost_more(m, chance ? LOST_MORE : 0))
		c->crowded_lost = true;
	if (cc_model_lost_more(m, LOST_MORE))
		back_off(c, now_us);
}

static bool
phase_is_over(const struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	const struct cc_model *m = &c->model;
	uint64_t us = now_us - c->since_us;

	switch (c->phase) {
	case 0: /* asks for more: until that was answered */
		return us > cc_max(m->min_rtt_us, m->srtt_us);
	case 1: /* calms down */
		return in_flight <= cc_model_bdp(m) ||
		       us > DRAIN_RTTS * m->min_rtt_us;
	default:
		return us > m->min_rtt_us;
	}
}

static void
probe_bw_step(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	uint64_t low_us = c->model.low_rtt_us;

	if (!phase_is_over(c, now_us, in_flight))
		return;
	c->since_us = now_us;
	if (++c->phase < c->phases)
		return;
	c->deep = is_longer(c, low_us, DEEP) ? c->deep + 1 : 0;
	c->crowded = is_longer(c, low_us, CROWDED) ? c->crowded + 1 : 0;
	if (c->crowded == 0)
		c->crowded_lost = false;
	begin_cycle(c, 0, now_us);
	if (c->deep >= CROWDED_CYCLES ||
	    (c->crowded >= CROWDED_CYCLES &&
		(c->crowded_lost || now_us < c->wary_us)))
		enter_contest(c, now_us);
}

static void
contest_step(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->model.seen_us == now_us)
		enter_probe_bw(c, now_us);
	else if (c->lost_sent_us > c->backed_off_us)
		back_off(c, now_us);
	else if (in_flight + c->model.acked + cc_burst(c) >= c->window)
		cubic_grow(&c->tcp, c->model.acked, c->model.mss,
		    c->model.srtt_us, now_us);
}

static void
probe_rtt_step(struct cc *c, uint64_t now_us)
{
	struct cc_model *m = &c->model;
	uint64_t least_us = cc_model_us(m, packets(c, WINDOW_MIN));
	uint64_t low_us = cc_min(m->low_rtt_us, CC_RTT_MAX_US);

	if (now_us - c->since_us < PROBE_RTT_US + m->srtt_us)
		return;
	c->window = cc_max(c->window, c->kept_window);
	m->seen_us = now_us;
	/* Our own least window is no part of the path. */
	low_us = cc_max(m->min_rtt_us, low_us - cc_min(low_us, least_us));
	if (c->before == CC_CONTEST && is_longer(c, low_us, CROWDED)) {
		/* The path is hardly longer: somebody's queue is. */
		m->min_rtt_us += (low_us - m->min_rtt_us) / 4;
		enter(c, CC_CONTEST, now_us);
		return;
	}
	m->min_rtt_us = low_us;
	enter_probe_bw(c, now_us);
}

static void
step(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	const struct cc_model *m = &c->model;
	bool idle = m->app_limited != 0;

	switch (c->state) {
	case CC_STARTUP:
		/* After a timeout, where slow start ends: RFC 5681 §3.1. */
		if (c->window >= c->tcp.window)
			enter_probe_bw(c, now_us);
		return;
	case CC_DRAIN:
		if (in_flight <= cc_model_bdp(m) ||
		    now_us - c->since_us > DRAIN_RTTS * m->srtt_us)
			enter_probe_bw(c, now_us);
		break;
	case CC_PROBE_BW:
		cubic_grow(&c->tcp, m->acked, m->mss, m->srtt_us, now_us);
		probe_bw_step(c, now_us, in_flight);
		break;
	case CC_CONTEST:
		contest_step(c, now_us, in_flight);
		break;
	case CC_PROBE_RTT:
		probe_rtt_step(c, now_us);
		return;
	}
	if (now_us - m->seen_us > MIN_RTT_US && !idle)
		enter_probe_rtt(c, now_us);
}

/* ---- window and pace ---- */

static uint64_t
window_target(const struct cc *c)
{
	uint64_t bdp = cc_model_bdp(&c->model), cruise = cruise_window(c);

	switch (c->state) {
	case CC_STARTUP:
	case CC_DRAIN:
		return cc_min(
		    times(bdp, STARTUP_WINDOW) + slack(c), c->tcp.window);
	case CC_PROBE_BW:
		if (c->phase == 0)
			cruise = times(cruise, PROBE_PACE);
		if (c->phase == 1)
			cruise = bdp + slack(c);
		return cc_min(cruise, c->tcp.window);
	case CC_CONTEST:
		return cc_max(cruise, c->tcp.window);
	case CC_PROBE_RTT:
		break;
	}
	return bdp / 4;
}

static void
set_window(struct cc *c)
{
	uint64_t target = window_target(c), acked = c->model.acked;

	if (c->state == CC_PROBE_RTT)
		c->window = cc_min(c->window, target);
	else if (c->state != CC_STARTUP)
		c->window = cc_min(c->window + acked, target);
	else if (c->window < target ||
		 c->model.delivered < packets(c, WINDOW_INITIAL))
		c->window += acked;
	c->window = cc_max(c->window, packets(c, WINDOW_MIN));
}

static uint64_t
pace(const struct cc *c)
{
	switch (c->state) {
	case CC_STARTUP:
		return STARTUP_PACE;
	case CC_DRAIN:
		return DRAIN_PACE;
	case CC_CONTEST:
		return PROBE_PACE;
	case CC_PROBE_RTT:
		return CC_UNIT;
	case CC_PROBE_BW:
		break;
	}
	if (c->phase == 0)
		return PROBE_PACE;
	if (c->phase == 1)
		return CALM_PACE;
	/* What is lost by chance must be sent too, and somewhat more. */
	return CC_UNIT + c->model.chance / 16 * 5 / 4;
}

static void
set_rate(struct cc *c)
{
	uint64_t bw = c->model.bw, srtt_us = c->model.srtt_us, rate;
	uint64_t window = 0;

	/* A first packet that was sent again has told no time, and the rate at
	 * which it alone came is none: the window sees to it. */
	if (srtt_us == 0)
		return;
	/* What the window alone would make, where it goes ahead of the rate. */
	if (c->state == CC_STARTUP)
		window = packets(c, WINDOW_INITIAL);
	if (c->state == CC_CONTEST)
		window = c->window;
	bw = cc_max(bw, window * 1000000 / srtt_us);
	rate = cc_min(times(bw, pace(c)), CC_RATE_MAX);
	if (c->state != CC_STARTUP || rate > c->rate)
		c->rate = rate;
}

/* ---- what the stream calls ---- */

static void
reset(struct cc *c, uint64_t now_us)
{
	cc_model_reset(&c->model, now_us);
	c->state = c->before = CC_STARTUP;
	c->full_bw = c->rate = 0;
	c->full_rounds = 0;
	c->tcp = (struct cubic){.window = CUBIC_NONE};
	c->wary_us = 0;
	c->window = packets(c, WINDOW_INITIAL);
}

void
cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed)
{
	*c = (struct cc){.random = seed, .model.mss = mss};
	reset(c, now_us);
}

void
cc_path_changed(struct cc *c, uint64_t now_us)
{
	reset(c, now_us);
}

void
cc_set_mss(struct cc *c, uint32_t mss)
{
	c->model.mss = mss;
	c->window = cc_max(c->window, packets(c, WINDOW_MIN));
}

void
cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight)
{
	cc_model_sent(&c->model, p, now_us, in_flight);
	p->calm = c->state == CC_PROBE_BW && c->phase == 1;
}

void
cc_packet_acked(struct cc *c, const struct cc_packet *p, uint32_t bytes)
{
	cc_model_acked(&c->model, p, bytes);
}

void
cc_packet_lost(struct cc *c, const struct cc_packet *p, uint32_t bytes)
{
	cc_model_lost(&c->model, p, bytes);
	c->lost_sent_us = cc_max(c->lost_sent_us, p->sent_us);
}

void
cc_packet_found(struct cc *c, const struct cc_packet *p, uint32_t bytes)
{
	cc_model_found(&c->model, p, bytes);
}

void
cc_update(struct cc *c, uint64_t now_us, uint64_t rtt_us, uint64_t in_flight)
{
	struct cc_model *m = &c->model;

	if (cc_model_update(m, now_us, rtt_us)) {
		if (c->state == CC_STARTUP)
			startup_round(c, now_us);
		if (c->state == CC_PROBE_BW)
			probe_bw_round(c, now_us);
		cc_model_next_round(m);
	}
	step(c, now_us, in_flight);
	set_window(c);
	set_rate(c);
	m->acked = 0;
	m->any = false;
}

/*
 * One packet, and from there as at the start, but with a rate to pace it, and
 * where others are lost as well, no further than TCP would.
 */
void
cc_timeout(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->tcp.window != CUBIC_NONE)
		back_off(c, now_us);
	enter(c, CC_STARTUP, now_us);
	c->full_bw = 0;
	c->full_rounds = 0;
	c->model.round_lost = 0;
	c->window = in_flight + c->model.mss;
}

void
cc_app_limited(struct cc *c, uint64_t in_flight)
{
	c->model.app_limited = cc_max(c->model.delivered + in_flight, 1);
}

uint64_t
cc_window(const struct cc *c)
{
	return c->window;
}

uint64_t
cc_rate(const struct cc *c)
{
	return c->rate;
}

uint32_t
cc_burst(const struct cc *c)
{
	uint64_t bytes = cc_product(c->rate, BURST_US);

	if (c->rate == 0)
		return (uint32_t)packets(c, WINDOW_INITIAL);
	bytes = cc_min(bytes, BURST_MAX);
	return (uint32_t)cc_max(bytes, packets(c, BURST_MIN));
}
