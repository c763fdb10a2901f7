/* SPDX-License-Identifier: ISC */
/*
 * cc_rig.h - a bottleneck and the flows that share it, in virtual time.
 *
 * Flows send packets of one size into one drop-tail queue before one line;
 * what the line does not lose by chance is acknowledged a round-trip time
 * later. A gap of three packets is a loss, silence of a second a timeout. A
 * flow is steered by udx/cc.h, or it is a CUBIC (RFC 8312 with slow start, as
 * TCP uses it, the yardstick). Every number is drawn from one seed.
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

struct rig;

struct rig *rig_new(struct rig_line line, uint64_t seed);
void rig_free(struct rig *r);

/* A flow that always has something to send, from so many seconds on. */
int rig_flow(struct rig *r, enum rig_kind kind, double start);

/* It has no more than this a second to send; 0: as much as can be sent. */
void rig_supply(struct rig *r, int flow, uint64_t rate);

/* Timers and acknowledgements of flows come on full ticks only. */
void rig_tick(struct rig *r, uint64_t us);

/* The line changes, for what is sent from now on. */
void rig_line(struct rig *r, struct rig_line line);

void rig_run(struct rig *r, double seconds);

uint64_t rig_delivered(const struct rig *r, int flow);
uint64_t rig_lost(const struct rig *r, int flow);
uint64_t rig_rtt_us(const struct rig *r, int flow); /* the last one */
const struct cc *rig_cc(const struct rig *r, int flow);

/* Of the line's rate since the last call of this; per cent times 100. */
uint64_t rig_use(struct rig *r, int flow);

#endif
