/* SPDX-License-Identifier: ISC */
/*
 * cc_rig.h - simulates a bottleneck and the flows that share it, in virtual
 * time.
 *
 * Flows send packets of one size into one drop-tail queue before one line.
 * What the line does not lose at random is acknowledged a round-trip time
 * later. A gap of three packets is a loss, silence of a second a timeout. A
 * flow is controlled by udx/cc.h, or by CUBIC (RFC 8312 with slow start, as in
 * TCP) for comparison. All random numbers come from one seed.
 */
#ifndef TEST_CC_RIG_H
#define TEST_CC_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/cc.h"

enum { RIG_FLOWS = 20, RIG_PACKET = 1472 };

struct rig_line {
	uint64_t rate;     /* bytes a second */
	uint64_t rtt_us;   /* of an empty line */
	uint64_t queue;    /* bytes */
	uint32_t loss_ppm; /* after the queue */
};

enum rig_kind { RIG_CC, RIG_TCP };

struct cc_rig;

struct cc_rig *cc_rig_new(struct rig_line line, uint64_t seed);
void cc_rig_free(struct cc_rig *r);

/* Adds a flow that always has data to send, after so many seconds. */
int cc_rig_flow(struct cc_rig *r, enum rig_kind kind, double start);

/* Limits the data of a flow to so many bytes a second; 0: no limit. */
void cc_rig_supply(struct cc_rig *r, int flow, uint64_t rate);

/* Delays timers and acknowledgements of flows to multiples of a tick. */
void cc_rig_tick(struct cc_rig *r, uint64_t us);

/* Changes the line for packets sent from now on. */
void cc_rig_line(struct cc_rig *r, struct rig_line line);

void cc_rig_run(struct cc_rig *r, double seconds);

uint64_t cc_rig_delivered(const struct cc_rig *r, int flow);
uint64_t cc_rig_lost(const struct cc_rig *r, int flow);
uint64_t cc_rig_rtt_us(const struct cc_rig *r, int flow); /* the last one */
const struct cc *cc_rig_cc(const struct cc_rig *r, int flow);

/* Returns the share of the line's rate since the last call, in hundredths of a
 * per cent. */
uint64_t cc_rig_use(struct cc_rig *r, int flow);

#endif
