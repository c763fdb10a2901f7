/* SPDX-License-Identifier: ISC */
/*
 * dials.h - listeners, callers, and how well it went.
 *
 * Uses: sim, work (samples).
 */
#ifndef SIM_DIALS_H
#define SIM_DIALS_H

#include "sim/work.h"

struct dials {
	struct sim *sim;
	struct host **listeners;
	uint32_t listeners_len;
	uint32_t asked, answered, failed, closed; /* closed: a host went down */
	uint32_t errs[ERR_INDEX_MAX];             /* of those that failed */
	uint64_t last_opened_us;                  /* when the last one opened */
	struct samples open_ms, answer_ms;
};

/* n public hosts listen; waits until nodes forward to all of them. */
void dials_init(struct dials *d, struct sim *s, uint32_t n);

/* Waits for what is under way. */
void dials_fini(struct dials *d);

/* Makes a host listen that the scenario has chosen. */
void dials_listen(struct dials *d, struct host *h);

/* Waits, up to that long, until nodes forward to all; else fails the run. */
void dials_wait(struct dials *d, uint64_t us);

/* Somebody that listens, is up and is not `other`; NULL: nobody. */
struct host *dials_any(struct dials *d, const struct host *other);

/* One call. */
void dials_call(
    struct dials *d, struct host *from, const struct host *to, uint32_t bytes);

/* Calls from anybody to anybody, spread over the time, until all are over. */
void dials_calls(
    struct dials *d, uint32_t count, uint32_t bytes, uint64_t over_us);

/* Adds counts and times to the report. */
void dials_report(struct dials *d);

/* Fails the run unless so many thousandths of all calls were answered. */
void dials_expect(struct dials *d, uint32_t permille);

/* No handshake was answered but the first copy of each call's. */
void dials_expect_once(struct dials *d);

/* After so long without a call nobody holds a connection any more. */
void dials_expect_none_left(struct sim *s, uint64_t after_us);

#endif
