/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "udx/cc.h"

/*
 * Numbers without a word are those of the reference (spec 05 §10), which are
 * Linux's tcp_bbr.c. Gains are in 256ths.
 */
enum {
	UNIT = 256,

	WINDOW_INITIAL = 10, /* packets, RFC 6928 */
	WINDOW_MIN = 4,      /* packets: enough to be told of a loss */

	/* 2/ln 2: the least that doubles what is delivered each round. */
	STARTUP_PACE = 739,
	/* draft-ietf-ccwg-bbr: 2.89 rounds in flight only overflow a queue. */
	STARTUP_WINDOW = 2 * UNIT,
	STARTUP_ROUNDS = 3, /* without growth: the pipe is full */
	STARTUP_LOSS = 4,   /* or one part in so many lost: it overflows */
	DRAIN_PACE = 88,    /* the inverse of STARTUP_PACE */

	PROBE_PACE = 320, /* 1.25: asks for more */
	CALM_PACE = 192,  /* 0.75: gives the queue of that back */
	/*
	 * In between the reference paces at 0.99 of the rate and loses ground
	 * to each loss. Here the window decides, and keeps a small queue: the
	 * pace lies above the rate by more than what is lost.
	 */
	CRUISE_PACE = 282,
	PHASES = 8, /* and up to PHASES_MORE, at random */
	PHASES_MORE = 4,
	CALM_RTTS = 3, /* at most */

	BURST_US = 1000,
	BURST_MAX = 1 << 20,
	LUMP_TURN_RTTS = 10,
	LUMP_US = 100000, /* of the rate: no lump is larger */
};

static const uint64_t MIN_RTT_US = 10000000; /* how long one is believed */
static const uint64_t PROBE_RTT_US = 200000;
static const uint64_t RATE_MAX = 100000000000; /* bytes/s: times RTT_MAX_US
						  fits 64 bits */
static const uint64_t RTT_MAX_US = 60000000;

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t
draw(struct cc *c, uint32_t below)
{
	c->random = c->random * 1664525 + 1013904223; /* Numerical Recipes */
	return (uint32_t)((uint64_t)c->random * below >> 32);
}

static uint64_t
times(uint64_t v, uint64_t gain)
{
	return v / UNIT * gain + v % UNIT * gain / UNIT;
}

/* What a rate delivers in a time; both are bounded by RATE_MAX, RTT_MAX_US. */
static uint64_t
product(uint64_t rate, uint64_t us)
{
	return rate * us / 1000000;
}

static uint64_t
window_min(const struct cc *c)
{
	return (uint64_t)WINDOW_MIN * c->mss;
}

static uint64_t
bdp(const struct cc *c)
{
	return product(c->bw, c->min_rtt_us);
}

/* ---- life ---- */

static void
model_reset(struct cc *c, uint64_t now_us)
{
	c->state = c->before = CC_STARTUP;
	c->bw = c->full_bw = c->rate = 0;
	memset(c->bw_of, 0, sizeof c->bw_of);
	c->bw_at = c->full_rounds = c->contested = 0;
	c->round_bw = c->round_lost = 0;
	c->round_start = c->round_end = c->delivered;
	c->min_rtt_us = c->srtt_us = 0;
	c->seen_us = now_us;
	c->lump = c->lump_before = c->lump_acked = 0;
	c->lump_us = c->lump_turn_us = now_us;
	c->window = (uint64_t)WINDOW_INITIAL * c->mss;
	c->top = c->own = 0;
}

void
cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed)
{
	*c = (struct cc){.mss = mss, .random = seed};
	c->delivered_us = c->first_sent_us = now_us;
	model_reset(c, now_us);
}

void
cc_set_mss(struct cc *c, uint32_t mss)
{
	c->mss = mss;
	c->window = max64(c->window, window_min(c));
}

void
cc_path_changed(struct cc *c, uint64_t now_us)
{
	model_reset(c, now_us);
}

/* ---- packets ---- */

void
cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight)
{
	if (in_flight == 0)
		c->first_sent_us = c->delivered_us = now_us;
	*p = (struct cc_packet){
	    .sent_us = now_us,
	    .first_sent_us = c->first_sent_us,
	    .delivered_us = c->delivered_us,
	    .delivered = c->delivered,
	    .app_limited = c->app_limited != 0,
	};
}

void
cc_packet_acked(
    struct cc *c, const struct cc_packet *p, uint32_t bytes, uint64_t now_us)
{
	c->delivered += bytes;
	c->delivered_us = now_us;
	c->acked += bytes;
	if (c->any && (p->delivered < c->newest.delivered ||
			  p->sent_us < c->newest.sent_us))
		return;
	c->newest = *p;
	c->any = true;
}

void
cc_app_limited(struct cc *c, uint64_t in_flight)
{
	c->app_limited = max64(c->delivered + in_flight, 1);
}

/* ---- the model ---- */

static void
bw_sample(struct cc *c, uint64_t now_us)
{
	const struct cc_packet *p = &c->newest;
	uint64_t sent_us = p->sent_us - p->first_sent_us;
	uint64_t acked_us = now_us - p->delivered_us;
	uint64_t us = max64(sent_us, acked_us);
	uint64_t bytes = c->delivered - p->delivered, bw;

	c->first_sent_us = p->sent_us;
	/* Shorter than the path: what came was let go by a queue in a lump. */
	if (us == 0 || us < c->min_rtt_us || bytes > RATE_MAX)
		return;
	bw = min64(bytes * 1000000 / us, RATE_MAX);
	if (p->app_limited && bw < c->bw)
		return;
	c->round_bw = max64(c->round_bw, bw);
	c->bw = max64(c->bw, bw);
}

static void
rtt_sample(struct cc *c, uint64_t now_us, uint64_t rtt_us)
{
	/* Half a millisecond more is the machine's doing. */
	const uint64_t near = c->min_rtt_us / 16 + 500;

	rtt_us = min64(rtt_us, RTT_MAX_US);
	c->srtt_us = c->srtt_us == 0 ? rtt_us : (7 * c->srtt_us + rtt_us) / 8;
	c->low_rtt_us = min64(c->low_rtt_us, rtt_us);
	if (c->min_rtt_us == 0 || rtt_us <= c->min_rtt_us + near)
		c->seen_us = now_us;
	if (c->min_rtt_us == 0 || rtt_us < c->min_rtt_us)
		c->min_rtt_us = rtt_us;
}

/*
 * How much more than the rate explains is acknowledged at once, at most: the
 * window must cover it, or the line falls silent while the next lump gathers.
 */
static void
lump_sample(struct cc *c, uint64_t now_us)
{
	uint64_t us = min64(now_us - c->lump_us, RTT_MAX_US);
	uint64_t due = product(c->bw, us);

	if (c->lump_acked <= due) {
		c->lump_us = now_us;
		c->lump_acked = due = 0;
	}
	c->lump_acked += c->acked;
	c->lump = max64(c->lump, c->lump_acked - due);
	c->lump = min64(c->lump, product(c->bw, LUMP_US));
	if (now_us - c->lump_turn_us > LUMP_TURN_RTTS * c->srtt_us) {
		c->lump_before = c->lump;
		c->lump = 0;
		c->lump_turn_us = now_us;
	}
}

/* ---- the states ---- */

static void
enter(struct cc *c, enum cc_state state, uint64_t now_us)
{
	c->state = state;
	c->since_us = now_us;
	c->low_rtt_us = UINT64_MAX;
}

static void
enter_probe_bw(struct cc *c, uint64_t now_us)
{
	enter(c, CC_PROBE_BW, now_us);
	/* Not in step with others, and not with asking for more at once. */
	c->phases = PHASES + draw(c, PHASES_MORE);
	c->phase = 1 + draw(c, c->phases - 1);
	c->contested = 0;
}

/* What more than the model's BDP may be in flight in any state. */
static uint64_t
slack(const struct cc *c)
{
	return max64(c->lump, c->lump_before) + 2 * (uint64_t)cc_burst(c);
}

/*
 * The queue that a flow keeps at the bottleneck, in 256ths of its BDP: from a
 * half at 64 kB to an eighth at 16 MB. That it grows slower than the rate makes
 * flows equal: who shares a queue with another has the same delay, so of two
 * the slower asks for more of it than it has.
 */
static uint64_t
queue_gain(uint64_t bytes)
{
	enum { LEAST = 16, MOST = 24 };
	uint32_t log = 0;

	while (bytes >> log > 1)
		log++;
	if (log <= LEAST)
		return UNIT / 2;
	if (log >= MOST)
		return UNIT / 8;
	return UNIT / 2 - (log - LEAST) * (UNIT * 3 / 8) / (MOST - LEAST);
}

/* Longer than what all of our kind together keep in a queue. */
static bool
is_contested(const struct cc *c, uint64_t rtt_us)
{
	uint64_t own_us = 0;

	if (c->bw > 0)
		own_us = (slack(c) + window_min(c)) * 1000000 / c->bw;
	return rtt_us > c->min_rtt_us + c->min_rtt_us / 2 + own_us;
}

static void
enter_contest(struct cc *c, uint64_t now_us)
{
	enter(c, CC_CONTEST, now_us);
	c->top = c->own = max64(c->window, bdp(c));
	c->epoch_us = now_us;
	c->reached_us = 0;
}

static void
startup_round(struct cc *c, uint64_t now_us)
{
	uint64_t acked = c->delivered - c->round_start;

	if (c->round_app_limited)
		return;
	if (c->bw >= c->full_bw + c->full_bw / 4) {
		c->full_bw = c->bw;
		c->full_rounds = 0;
	} else {
		c->full_rounds++;
	}
	if (c->round_lost > (uint64_t)WINDOW_INITIAL * c->mss &&
	    c->round_lost * STARTUP_LOSS > acked + c->round_lost)
		c->full_rounds = STARTUP_ROUNDS;
	if (c->full_rounds >= STARTUP_ROUNDS)
		enter(c, CC_DRAIN, now_us);
}

static void
probe_bw_step(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	uint64_t us = now_us - c->since_us;
	bool over = us > c->min_rtt_us;

	if (c->phase == 0)
		over = over && us > c->srtt_us;
	if (c->phase == 1)
		over = in_flight <= bdp(c) || us > CALM_RTTS * c->min_rtt_us;
	if (!over)
		return;
	c->since_us = now_us;
	if (++c->phase < c->phases)
		return;
	if (is_contested(c, c->low_rtt_us))
		c->contested++;
	else
		c->contested = 0;
	c->low_rtt_us = UINT64_MAX;
	c->phase = 0;
	c->phases = PHASES + draw(c, PHASES_MORE);
	if (c->contested >= 2)
		enter_contest(c, now_us);
}

static void
probe_rtt_step(struct cc *c, uint64_t now_us)
{
	uint64_t low_us = c->low_rtt_us;

	if (now_us - c->since_us < PROBE_RTT_US + c->srtt_us)
		return;
	c->window = max64(c->window, c->kept_window);
	c->seen_us = now_us;
	if (low_us == UINT64_MAX)
		low_us = c->min_rtt_us;
	if (c->before == CC_CONTEST && is_contested(c, low_us)) {
		/* The path is hardly longer: somebody's queue is. */
		c->min_rtt_us += (low_us - c->min_rtt_us) / 4;
		enter(c, CC_CONTEST, now_us);
		return;
	}
	c->min_rtt_us = low_us;
	enter_probe_bw(c, now_us);
}

static void
round_ended(struct cc *c, uint64_t now_us)
{
	if (c->state == CC_STARTUP)
		startup_round(c, now_us);
	if (!c->round_app_limited) {
		c->bw_of[c->bw_at] = c->round_bw;
		c->bw_at = (c->bw_at + 1) % CC_BW_ROUNDS;
		c->bw = 0;
		for (int i = 0; i < CC_BW_ROUNDS; i++)
			c->bw = max64(c->bw, c->bw_of[i]);
	}
	c->round_bw = c->round_lost = 0;
	c->round_start = c->round_end = c->delivered;
	c->round_app_limited = c->app_limited != 0;
}

/* ---- beside a flow that fills the queue ---- */

/* Microseconds until CUBIC is back at what it left: RFC 9438 §4.2. */
static uint64_t
cubic_k_us(uint64_t packets)
{
	/* C = 0.4: K^3 = packets / 0.4 s^3, in ms^3. */
	const uint64_t cube = packets * 5 / 2 * 1000000000;
	uint64_t k = 0;

	for (uint64_t bit = 1 << 20; bit > 0; bit >>= 1)
		if ((k | bit) * (k | bit) * (k | bit) <= cube)
			k |= bit;
	return k * 1000;
}

/* 0.4 t^3 packets, in bytes. */
static uint64_t
cubic_bytes(const struct cc *c, uint64_t us)
{
	uint64_t ms = min64(us / 1000, 100000);

	return ms * ms * ms / 1000000 * c->mss / 2500;
}

static void
contest_grow(struct cc *c, uint64_t now_us)
{
	uint64_t us = now_us - c->epoch_us + c->srtt_us, target;

	if (us >= c->reached_us)
		target = c->top + cubic_bytes(c, us - c->reached_us);
	else
		target =
		    c->top - min64(cubic_bytes(c, c->reached_us - us), c->top);
	target = min64(target, c->own + c->acked / 2);
	c->own = max64(c->own, target);
}

/*
 * Backs off as CUBIC does, once for all that left before, but not below what
 * keeps the line busy: what is lost without a queue is nobody's signal.
 */
static void
contest_lost(struct cc *c, uint64_t now_us)
{
	uint64_t least = bdp(c) + slack(c);

	c->reduced_us = now_us;
	c->top = c->own < c->top ? c->own * 17 / 20 : c->own;
	c->own = max64(c->own * 7 / 10, min64(least, c->own));
	c->top = max64(c->top, c->own);
	c->epoch_us = now_us;
	c->reached_us = cubic_k_us((c->top - c->own) / c->mss);
}

void
cc_packet_lost(struct cc *c, const struct cc_packet *p, uint32_t bytes)
{
	c->round_lost += bytes;
	c->lost_sent_us = max64(c->lost_sent_us, p->sent_us);
}

void
cc_packet_found(struct cc *c, const struct cc_packet *p, uint32_t bytes)
{
	(void)p;
	c->round_lost -= min64(c->round_lost, bytes);
	c->delivered += bytes;
	c->acked += bytes;
}

/* ---- window and pace ---- */

static uint64_t
window_target(const struct cc *c)
{
	const uint64_t pipe = bdp(c);
	uint64_t gain = UNIT + queue_gain(pipe);

	switch (c->state) {
	case CC_STARTUP:
	case CC_DRAIN:
		gain = STARTUP_WINDOW;
		break;
	case CC_PROBE_BW:
		if (c->phase == 0)
			gain = gain * PROBE_PACE / UNIT;
		if (c->phase == 1)
			gain = UNIT;
		break;
	case CC_CONTEST:
		return c->own;
	case CC_PROBE_RTT:
		return pipe / 2;
	}
	return times(pipe, gain) + slack(c);
}

static void
set_window(struct cc *c)
{
	uint64_t target = window_target(c);

	if (c->state == CC_PROBE_RTT)
		c->window = min64(c->window, target);
	else if (c->state != CC_STARTUP)
		c->window = min64(c->window + c->acked, target);
	else if (c->window < target ||
		 c->delivered < (uint64_t)WINDOW_INITIAL * c->mss)
		c->window += c->acked;
	c->window = max64(c->window, window_min(c));
}

static uint64_t
pace(const struct cc *c)
{
	switch (c->state) {
	case CC_STARTUP:
		return STARTUP_PACE;
	case CC_DRAIN:
		return DRAIN_PACE;
	case CC_PROBE_BW:
		return c->phase == 0   ? PROBE_PACE
		       : c->phase == 1 ? CALM_PACE
				       : CRUISE_PACE;
	case CC_CONTEST:
		return PROBE_PACE;
	case CC_PROBE_RTT:
		return UNIT;
	}
	return UNIT;
}

static void
set_rate(struct cc *c)
{
	uint64_t bw = c->bw, rate;

	if (c->srtt_us > 0 && c->state == CC_STARTUP)
		bw = max64(bw, (uint64_t)WINDOW_INITIAL * c->mss * 1000000 /
				   max64(c->srtt_us, 1));
	if (c->srtt_us > 0 && c->state == CC_CONTEST)
		bw = max64(bw, c->own * 1000000 / c->srtt_us);
	rate = min64(times(bw, pace(c)), RATE_MAX);
	if (c->state != CC_STARTUP || rate > c->rate)
		c->rate = rate;
}

/* ---- what the stream calls ---- */

static void
step(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->state == CC_DRAIN && in_flight <= bdp(c))
		enter_probe_bw(c, now_us);
	if (c->state == CC_PROBE_BW)
		probe_bw_step(c, now_us, in_flight);
	if (c->state == CC_CONTEST) {
		if (c->lost_sent_us > c->reduced_us)
			contest_lost(c, now_us);
		else if (in_flight + c->acked + cc_burst(c) >= c->window)
			contest_grow(c, now_us);
	}
	if (c->state == CC_PROBE_RTT) {
		probe_rtt_step(c, now_us);
	} else if (now_us - c->seen_us > MIN_RTT_US && c->state != CC_STARTUP &&
		   c->app_limited == 0) {
		c->before = c->state;
		c->kept_window = c->window;
		enter(c, CC_PROBE_RTT, now_us);
	}
}

void
cc_update(struct cc *c, uint64_t now_us, uint64_t rtt_us, uint64_t in_flight)
{
	if (rtt_us > 0)
		rtt_sample(c, now_us, rtt_us);
	if (c->app_limited != 0 && c->delivered > c->app_limited)
		c->app_limited = 0;
	if (c->any) {
		bw_sample(c, now_us);
		if (c->newest.delivered >= c->round_end)
			round_ended(c, now_us);
	}
	if (c->acked > 0)
		lump_sample(c, now_us);
	step(c, now_us, in_flight);
	set_window(c);
	set_rate(c);
	c->acked = 0;
	c->any = false;
}

void
cc_timeout(struct cc *c, uint64_t now_us, uint64_t in_flight)
{
	if (c->state == CC_PROBE_RTT)
		enter_probe_bw(c, now_us);
	c->window = max64(in_flight + c->mss, c->mss);
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
	uint64_t bytes = product(c->rate, BURST_US);

	if (c->rate == 0)
		return WINDOW_INITIAL * c->mss;
	return (uint32_t)max64(min64(bytes, BURST_MAX), 2 * (uint64_t)c->mss);
}
