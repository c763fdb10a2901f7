/* SPDX-License-Identifier: ISC */
/*
 * dials.h - listeners, callers, and the success of their calls.
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

/* Starts n public listeners and waits until nodes forward to all of them. */
void dials_init(struct dials *d, struct sim *s, uint32_t n);

/* Waits for the calls in progress and frees the record. */
void dials_fini(struct dials *d);

/* Starts to listen on a host that the scenario has chosen. */
void dials_listen(struct dials *d, struct host *h);

/* Waits at most that long until nodes forward to all, else fails the run. */
void dials_wait(struct dials *d, uint64_t us);

/* Returns a random listener that is up and is not `other`, or NULL. */
struct host *dials_any(struct dials *d, const struct host *other);

/* Starts one call. */
void dials_call(
    struct dials *d, struct host *from, const struct host *to, uint32_t bytes);

/* Starts calls between random hosts over the time and waits for all. */
void dials_calls(
    struct dials *d, uint32_t count, uint32_t bytes, uint64_t over_us);

/* Adds counts and times to the report. */
void dials_report(struct dials *d);

/* Fails the run unless that share of all calls, in thousandths, succeeded. */
void dials_expect(struct dials *d, uint32_t permille);

/* Reports both, and fails the run unless all calls succeeded and 95 % of those
 * in the flood opened within twice the time of those before it. */
void dials_expect_undelayed(struct dials *quiet, struct dials *flooded);

/* Fails the run if a copy of a handshake was answered. */
void dials_expect_once(struct dials *d);

/* Checks that after so long without a call no host holds a connection. */
void dials_expect_none_left(struct sim *s, uint64_t after_us);

#endif
