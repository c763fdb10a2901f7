/* SPDX-License-Identifier: ISC */
/*
 * work.h - the ordinary life of a network: topics, lookups, comings and
 * goings, and how well it went.
 *
 * Uses: sim.
 */
#ifndef SIM_WORK_H
#define SIM_WORK_H

#include "sim/sim.h"

/* Numbers of which the middle or the tail is wanted. */
struct samples {
	uint32_t *v;
	uint32_t len, cap;
	bool sorted;
};

void samples_add(struct samples *x, uint32_t v);
/* The value that `permille` of all do not exceed; 0 if there are none. */
uint32_t samples_at(struct samples *x, uint32_t permille);
void samples_fini(struct samples *x);

/* How a series of lookups went. */
struct tally {
	uint32_t asked, found, closed; /* closed: the asker went away */
	struct samples time_ms, hops, messages, end_ms;
};

void tally_fini(struct tally *t);

/* Adds success, hops, messages and times to the report. */
void tally_report(struct sim *s, struct tally *t);

/* Found, of all that were not cut short; in thousandths of a per cent. */
uint32_t tally_success(const struct tally *t);

/* A topic that one host announces. */
struct topic {
	uint8_t topic[32];
	struct host *host;
	uint64_t born_us; /* of the host's node then */
	bool announced;
};

struct work {
	struct sim *sim;
	struct topic *topics;
	uint32_t topics_len;
	uint32_t churned;
	uint32_t churn_task;
};

/* Announces n topics, each from a host of its own; waits for it. */
void work_topics(struct work *w, struct sim *s, uint32_t n);
/* Waits for what is under way. */
void work_fini(struct work *w);

/*
 * Looks up a topic with a living announcer from a random host, `count` times,
 * spread over the time, which passes, and until the last has ended.
 */
void work_lookups(
    struct work *w, struct tally *t, uint32_t count, uint64_t over_us);

/*
 * From now on the permille of all nodes that an hour replaces: one crashes, a
 * new one joins. A topic whose announcer went is announced by somebody else.
 */
void work_churn(struct work *w, uint32_t permille);

/*
 * How many of the 20 live nodes closest to the target are in the list; both
 * are the result of looking at everything.
 */
uint32_t work_recall(struct sim *s, const uint8_t target[32],
    const struct spot *list, uint32_t len, uint32_t *of);

/* The live nodes nearest to the target, nearest first; up to RPC_K of them. */
uint32_t work_nearest(
    struct sim *s, const uint8_t target[32], struct spot near[RPC_K]);

/* The topic of a number. */
void work_topic(uint8_t topic[32], uint64_t number);

#endif
