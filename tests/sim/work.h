/* SPDX-License-Identifier: ISC */
/*
 * work.h - the ordinary activity of a network: topics, lookups, churn, and its
 * success.
 *
 * Uses: sim.
 */
#ifndef SIM_WORK_H
#define SIM_WORK_H

#include "sim/sim.h"

/* Numbers whose median or tail is reported. */
struct samples {
	uint32_t *v;
	uint32_t len, cap;
	bool sorted;
};

void samples_add(struct samples *x, uint32_t v);
/*
 * Returns the value that `permille` of all do not exceed; 0 if there are none.
 */
uint32_t samples_at(struct samples *x, uint32_t permille);
void samples_fini(struct samples *x);

/* The success of a series of lookups. */
struct tally {
	uint32_t asked, found, closed; /* closed: the host went down */
	struct samples time_ms, hops, messages, end_ms;
};

void tally_fini(struct tally *t);

/* Adds success, hops, messages and times to the report. */
void tally_report(struct sim *s, struct tally *t);

/*
 * Returns the share of lookups that succeeded, without those that were cut
 * short, in thousandths of a per cent.
 */
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

/* Announces n topics, each from a host of its own, and waits for them. */
void work_topics(struct work *w, struct sim *s, uint32_t n);
/* Waits for the operations in progress and frees the topics. */
void work_fini(struct work *w);

/*
 * Starts lookups of topics with a living announcer from random hosts, spread
 * over the time, and waits for all of them.
 */
void work_lookups(
    struct work *w, struct tally *t, uint32_t count, uint64_t over_us);

/*
 * Replaces that many thousandths of all nodes per hour: one crashes, a new one
 * joins. Another host takes over the topics of an announcer that crashed.
 */
void work_churn(struct work *w, uint32_t permille);

/*
 * Returns how many of the 20 live nodes closest to the target are in the list.
 * Both results come from a search through all hosts.
 */
uint32_t work_recall(struct sim *s, const uint8_t target[32],
    const struct spot *list, uint32_t len, uint32_t *of);

/* Finds the live nodes closest to the target, closest first; up to RPC_K. */
uint32_t work_nearest(
    struct sim *s, const uint8_t target[32], struct spot near[RPC_K]);

/* Computes the topic of a number. */
void work_topic(uint8_t topic[32], uint64_t number);

#endif
