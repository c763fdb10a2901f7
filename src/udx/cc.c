/* SPDX-License-Identifier: ISC */
#include "udx/cc.h"

/*
 * Constants without a comment are those of the reference (protocol 05 §10),
 * which are those of Linux's tcp_bbr.c; "measured" ones are held by
 * tests/unit/test_cc.c. Gains and parts are in units of CC_UNIT.
 */
enum {
	WINDOW_INITIAL = 10, /* packets, RFC 6928 */
	WINDOW_MIN = 4,      /* packets: enough to detect a loss */

	STARTUP_PACE = 739, /* 2/ln 2: the least that doubles each round */
	/* draft-ietf-ccwg-bbr: beyond two BDP the queue only overflows. */
	STARTUP_WINDOW = 2 * CC_UNIT,
	STARTUP_ROUNDS = 3, /* without growth: the pipe is full */
	STARTUP_LOSS = 4,   /* or one part in so many lost */
	DRAIN_PACE = 88,    /* the inverse of STARTUP_PACE */

	PROBE_UP_PACE = 320,   /* 1.25 */
	PROBE_DOWN_PACE = 192, /* 0.75 */
	DRAIN_RTTS_MAX = 3,    /* with competing flows it may never be empty */
	/* Phases of a cycle, each a round trip, and up to so many more at
	 * random: flows must not probe in step. */
	PHASES = 8,
	PHASES_MORE = 4,

	/* The queue kept, between a BDP of 2^16 and 2^24 bytes; measured. */
	QUEUE_LOG_LEAST = 16,
	QUEUE_LOG_MOST = 24,
	QUEUE_MOST = CC_UNIT * 6 / 16,
	QUEUE_LEAST = CC_UNIT * 3 / 16,

	/*
	 * Delay that a queue adds beyond our own, as part of the minimum round
	 * trip. Above the first for a whole cycle, another flow never drains;
	 * above the second, it cannot be one with this algorithm.
	 */
	QUEUE_DETECTED = CC_UNIT / 8,
	QUEUE_DEEP = CC_UNIT * 3 / 8,
	QUEUE_CYCLES = 2, /* in a row */
	/* Losses of a round, beyond random ones, that are tolerated. */
	EXCESS_LOSS_PACKETS = 3,

	/*
	 * A burst is what the resolution of a timer, a millisecond, makes
	 * necessary, but at most a quarter of the reference's receive buffer.
	 */
	BURST_US = 1000,
	BURST_BYTES_MAX = 256 << 10,
	BURST_PACKETS_MIN = 2,
};

/* Phases of a cycle of CC_PROBE_BW; all later ones cruise. */
enum { PHASE_UP, PHASE_DOWN };

/* How long a minimum round-trip time is valid. */
static const uint64_t MIN_RTT_US = 10000000;
static const uint64_t PROBE_RTT_US = 200000;
/* CC_COMPETE is entered again at once within this time: the period of CUBIC
 * at 10 Gbit/s. */
static const uint64_t COMPETE_HOLD_US = 60000000;

static uint64_t
packets_to_bytes(const struct cc *c, uint64_t n)
{
	return n * c->model.mss;
}

static uint64_t
scale_by(uint64_t v, uint64_t gain)
{
	return v / CC_UNIT * gain + v % CC_UNIT * gain / CC_UNIT;
}

static uint32_t
draw_random(struct cc *c, uint32_t below)
{
	c->random = c->random * 1664525 + 1013904223; /* Numerical Recipes */
	return (uint32_t)((uint64_t)c->random * below >> 32);
}

/* ---- the queue ---- */

/* Returns the bytes in flight beyond a BDP that bursts and aggregated
 * acknowledgements need. */
static uint64_t
aggregation_slack(const struct cc *c)
{
	return cc_model_aggregation(&c->model) + 2 * (uint64_t)cc_burst(c);
}

/*
 * Returns the gain of the window while cruising: a BDP and the queue that the
 * flow keeps at the bottleneck. Flows that share a bottleneck see the same
 * delay; as the queue grows slower than the rate, the slower one keeps more of
 * it in proportion, and their rates converge.
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

	return scale_by(bdp, cruise_gain(bdp)) + aggregation_slack(c);
}

/* Returns true if a round trip exceeds the minimum by more than this part, and
 * by more than our own packets add. */
static bool
has_queue(const struct cc *c, uint64_t rtt_us, uint32_t part)
{
	const struct cc_model *m = &c->model;
	uint64_t own = aggregation_slack(c) + packets_to_bytes(c, WINDOW_MIN);

	return rtt_us > m->min_rtt_us + scale_by(m->min_rtt_us, part) +
			    cc_model_drain_us(m, own);
}

/* ---- entering states ---- */

static void
enter_state(struct cc *c, enum cc_state state, uint64_t now_us)
{
	c->state = state;
	c->since_us = now_us;
	c->model.low_rtt_us = UINT64_MAX;
}

static void
begin_cycle(struct cc *c, uint32_t phase, uint64_t now_us)
{
	c->phases = PHASES + draw_random(c, PHASES_MORE);
	c->phase = phase;
	c->since_us = now_us;
	c->model.low_rtt_us = UINT64_MAX;
}

static void
enter_probe_bw(struct cc *c, uint64_t now_us)
{
	enter_state(c, CC_PROBE_BW, now_us);
	/* At a random phase: not in step with other flows. */
	begin_cycle(c, 1 + draw_random(c, PHASES - 1), now_us);
	c->queue_cycles = c->deep_cycles = 0;
	c->queue_lost = false;
}

static void
enter_compete(struct cc *c, uint64_t now_us)
{
	enter_state(c, CC_COMPETE, now_us);
	c->hold_until_us = now_us + COMPETE_HOLD_US;
	if (c->cubic.window == CUBIC_NONE)
		cubic_start(&c->cubic,
		    cc_max(c->window, cc_model_bdp(&c->model)), now_us);
}

static void
enter_probe_rtt(struct cc *c, uint64_t now_us)
{
	c->resume_state = c->state;
	c->kept_window = c->window;
	enter_state(c, CC_PROBE_RTT, now_us);
}

/* ---- a step in each state ---- */

/* Reduces the window after a loss, but not below what keeps an otherwise idle
 * line busy. */
static void
reduce_window(struct cc *c, uint64_t now_us)
{
	uint64_t least = cc_model_bdp(&c->model) + aggregation_slack(c);
	uint64_t window = cc_min(c->cubic.window, c->window);

	cubic_lost(
	    &c->cubic, cc_max(window, least), least, c->model.mss, now_us);
	c->reduced_us = now_us;
	cc_model_restart_loss(&c->model);
}

static void
end_startup_round(struct cc *c, uint64_t now_us)
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
	if (m->round_lost > packets_to_bytes(c, WINDOW_INITIAL) &&
	    m->round_lost * STARTUP_LOSS > acked + m->round_lost)
		c->full_rounds = STARTUP_ROUNDS;
	if (c->full_rounds >= STARTUP_ROUNDS)
		enter_state(c, CC_DRAIN, now_us);
}

static void
end_probe_bw_round(struct cc *c, uint64_t now_us)
{
	const struct cc_model *m = &c->model;
	bool random_loss = m->random_loss * m->round_lost > 0;

	/* A queue that overflows once in seconds may drop a single packet of
	 * ours. */
	if (c->queue_cycles >= QUEUE_CYCLES &&
	    cc_model_excess_loss(m, random_loss ? EXCESS_LOSS_PACKETS : 0))
		c->queue_lost = true;
	if (cc_model_excess_loss(m, EXCESS_LOSS_PACKETS))
		reduce_window(c, now_us);
}

static bool
phase_is_over(const struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	const struct cc_model *m = &c->model;
	uint64_t us = now_us - c->since_us;

	switch (c->phase) {
	case PHASE_UP: /* until its packets were acknowledged */
		return us > cc_max(m->min_rtt_us, m->srtt_us);
	case PHASE_DOWN:
		return in_flight <= cc_model_bdp(m) ||
		       us > DRAIN_RTTS_MAX * m->min_rtt_us;
	default:
		return us > m->min_rtt_us;
	}
}

static void
step_probe_bw(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	uint64_t low_us = c->model.low_rtt_us;

	if (!phase_is_over(c, now_us, in_flight))
		return;
	c->since_us = now_us;
	if (++c->phase < c->phases)
		return;
	c->deep_cycles =
	    has_queue(c, low_us, QUEUE_DEEP) ? c->deep_cycles + 1 : 0;
	c->queue_cycles =
	    has_queue(c, low_us, QUEUE_DETECTED) ? c->queue_cycles + 1 : 0;
	if (c->queue_cycles == 0)
		c->queue_lost = false;
	begin_cycle(c, PHASE_UP, now_us);
	if (c->deep_cycles >= QUEUE_CYCLES ||
	    (c->queue_cycles >= QUEUE_CYCLES &&
		(c->queue_lost || now_us < c->hold_until_us)))
		enter_compete(c, now_us);
}

static void
step_compete(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->model.seen_us == now_us)
		enter_probe_bw(c, now_us);
	else if (c->lost_sent_us > c->reduced_us)
		reduce_window(c, now_us);
	else if (in_flight + c->model.acked + cc_burst(c) >= c->window)
		cubic_grow(&c->cubic, c->model.acked, c->model.mss,
		    c->model.srtt_us, now_us);
}

static void
step_probe_rtt(struct cc *c, uint64_t now_us)
{
	struct cc_model *m = &c->model;
	uint64_t least_us =
	    cc_model_drain_us(m, packets_to_bytes(c, WINDOW_MIN));
	uint64_t low_us = cc_min(m->low_rtt_us, CC_RTT_MAX_US);

	if (now_us - c->since_us < PROBE_RTT_US + m->srtt_us)
		return;
	c->window = cc_max(c->window, c->kept_window);
	m->seen_us = now_us;
	/* Our own minimum window adds to the round trip. */
	low_us = cc_max(m->min_rtt_us, low_us - cc_min(low_us, least_us));
	if (c->resume_state == CC_COMPETE &&
	    has_queue(c, low_us, QUEUE_DETECTED)) {
		/* A competing flow still fills the queue: the path has hardly
		 * become longer. */
		m->min_rtt_us += (low_us - m->min_rtt_us) / 4;
		enter_state(c, CC_COMPETE, now_us);
		return;
	}
	m->min_rtt_us = low_us;
	enter_probe_bw(c, now_us);
}

static void
update_state(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	const struct cc_model *m = &c->model;
	bool idle = m->app_limited != 0;

	switch (c->state) {
	case CC_STARTUP:
		/* After a timeout: where slow start ends, RFC 5681 §3.1. */
		if (c->window >= c->cubic.window)
			enter_probe_bw(c, now_us);
		return;
	case CC_DRAIN:
		if (in_flight <= cc_model_bdp(m) ||
		    now_us - c->since_us > DRAIN_RTTS_MAX * m->srtt_us)
			enter_probe_bw(c, now_us);
		break;
	case CC_PROBE_BW:
		cubic_grow(&c->cubic, m->acked, m->mss, m->srtt_us, now_us);
		step_probe_bw(c, now_us, in_flight);
		break;
	case CC_COMPETE:
		step_compete(c, now_us, in_flight);
		break;
	case CC_PROBE_RTT:
		step_probe_rtt(c, now_us);
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
		    scale_by(bdp, STARTUP_WINDOW) + aggregation_slack(c),
		    c->cubic.window);
	case CC_PROBE_BW:
		if (c->phase == PHASE_UP)
			cruise = scale_by(cruise, PROBE_UP_PACE);
		if (c->phase == PHASE_DOWN)
			cruise = bdp + aggregation_slack(c);
		return cc_min(cruise, c->cubic.window);
	case CC_COMPETE:
		return cc_max(cruise, c->cubic.window);
	case CC_PROBE_RTT:
		break;
	}
	return bdp / 4;
}

static void
update_window(struct cc *c)
{
	uint64_t target = window_target(c), acked = c->model.acked;

	if (c->state == CC_PROBE_RTT)
		c->window = cc_min(c->window, target);
	else if (c->state != CC_STARTUP)
		c->window = cc_min(c->window + acked, target);
	else if (c->window < target ||
		 c->model.delivered < packets_to_bytes(c, WINDOW_INITIAL))
		c->window += acked;
	c->window = cc_max(c->window, packets_to_bytes(c, WINDOW_MIN));
}

static uint64_t
pacing_gain(const struct cc *c)
{
	switch (c->state) {
	case CC_STARTUP:
		return STARTUP_PACE;
	case CC_DRAIN:
		return DRAIN_PACE;
	case CC_COMPETE:
		return PROBE_UP_PACE;
	case CC_PROBE_RTT:
		return CC_UNIT;
	case CC_PROBE_BW:
		break;
	}
	if (c->phase == PHASE_UP)
		return PROBE_UP_PACE;
	if (c->phase == PHASE_DOWN)
		return PROBE_DOWN_PACE;
	/* Retransmissions of random losses need bandwidth of their own. */
	return CC_UNIT + c->model.random_loss / 16 * 5 / 4;
}

static void
update_rate(struct cc *c)
{
	uint64_t bw = c->model.bw, srtt_us = c->model.srtt_us, rate;
	uint64_t window = 0;

	/* Without a round-trip time the bandwidth of a first packet that was
	 * sent again is no evidence: the window alone limits. */
	if (srtt_us == 0)
		return;
	/* The rate of the window, where the window leads. */
	if (c->state == CC_STARTUP)
		window = packets_to_bytes(c, WINDOW_INITIAL);
	if (c->state == CC_COMPETE)
		window = c->window;
	bw = cc_max(bw, window * 1000000 / srtt_us);
	rate = cc_min(scale_by(bw, pacing_gain(c)), CC_RATE_MAX);
	if (c->state != CC_STARTUP || rate > c->rate)
		c->rate = rate;
}

/* ---- events ---- */

static void
reset_control(struct cc *c, uint64_t now_us)
{
	cc_model_reset(&c->model, now_us);
	c->state = c->resume_state = CC_STARTUP;
	c->full_bw = c->rate = 0;
	c->full_rounds = 0;
	c->cubic = (struct cubic){.window = CUBIC_NONE};
	c->hold_until_us = 0;
	c->window = packets_to_bytes(c, WINDOW_INITIAL);
}

void
cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed)
{
	*c = (struct cc){.random = seed, .model.mss = mss};
	reset_control(c, now_us);
}

void
cc_path_changed(struct cc *c, uint64_t now_us)
{
	reset_control(c, now_us);
}

void
cc_set_mss(struct cc *c, uint32_t mss)
{
	c->model.mss = mss;
	c->window = cc_max(c->window, packets_to_bytes(c, WINDOW_MIN));
}

void
cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight)
{
	cc_model_sent(&c->model, p, now_us, in_flight);
	p->draining = c->state == CC_PROBE_BW && c->phase == PHASE_DOWN;
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
			end_startup_round(c, now_us);
		if (c->state == CC_PROBE_BW)
			end_probe_bw_round(c, now_us);
		cc_model_next_round(m);
	}
	update_state(c, now_us, in_flight);
	update_window(c);
	update_rate(c);
	m->acked = 0;
	m->any = false;
}

/*
 * Restarts with one packet, as slow start does, but paced at the known rate
 * and, where more was lost than at random, up to CUBIC's window only.
 */
void
cc_timeout(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->cubic.window != CUBIC_NONE)
		reduce_window(c, now_us);
	enter_state(c, CC_STARTUP, now_us);
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
		return (uint32_t)packets_to_bytes(c, WINDOW_INITIAL);
	bytes = cc_min(bytes, BURST_BYTES_MAX);
	return (uint32_t)cc_max(bytes, packets_to_bytes(c, BURST_PACKETS_MIN));
}

const char *
cc_state_name(const struct cc *c)
{
	static const char *const names[] = {
	    [CC_STARTUP] = "startup",
	    [CC_DRAIN] = "drain",
	    [CC_PROBE_BW] = "cruise",
	    [CC_COMPETE] = "compete",
	    [CC_PROBE_RTT] = "probe-rtt",
	};

	if (c->state == CC_PROBE_BW && c->phase == PHASE_UP)
		return "probe-up";
	if (c->state == CC_PROBE_BW && c->phase == PHASE_DOWN)
		return "probe-down";
	return names[c->state];
}
