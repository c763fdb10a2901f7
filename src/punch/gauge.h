/* SPDX-License-Identifier: ISC */
/*
 * gauge.h - what the NAT in front of one socket does, protocol 04 §2 and §17.7.
 *
 * A sample is our address as another node saw it. Enough of them give the
 * verdict that peers exchange (how ports are mapped) and, if ports are handed
 * out one after the other, which come next. Who may answer through a mapping
 * is another question, asked in filter.h. Knows no socket and no clock.
 */
#ifndef PUNCH_GAUGE_H
#define PUNCH_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Numbers of the wire; whatever is above the last counts as random. */
enum verdict {
	VERDICT_UNKNOWN,
	VERDICT_OPEN,
	VERDICT_CONSISTENT, /* the same port for every destination */
	VERDICT_RANDOM,     /* another port for each */
};

enum {
	GAUGE_SAMPLES_MAX = 16, /* the oldest gives way */
	GAUGE_SAMPLES_MIN = 3,  /* for a verdict, protocol 04 §15 */
	GAUGE_SAMPLES_WANTED = 4,
	/* Predicted ports told to a peer, protocol 04 §17.7: 8 to 16. */
	GAUGE_PREDICTED = 12,
};

struct gauge_sample {
	struct addr saw, by; /* our address, and who saw it */
	uint32_t order;      /* when `by` was first sent to, counted in nodes */
	uint64_t at_us;
};

struct gauge {
	enum verdict verdict;
	bool firewalled;
	bool frozen;   /* told to the peer: must not change any more */
	bool finished; /* no more samples will be asked for */
	bool reopened; /* the latest sample disagrees with all before it */
	uint8_t len, addrs_len;
	struct gauge_sample samples[GAUGE_SAMPLES_MAX]; /* oldest first */
	struct addr addrs[GAUGE_SAMPLES_MAX];           /* to report, by hits */
};

/* A number of the wire as a verdict. */
enum verdict verdict_of(uint64_t number);

void gauge_init(struct gauge *n, bool firewalled);

/*
 * Takes a sample. A node counts once, by host and port; if it sees another
 * address than before, all older samples tell of a mapping that is gone.
 */
void gauge_add(struct gauge *n, const struct gauge_sample *s);

/* Forgets samples from before then_us. */
void gauge_expire(struct gauge *n, uint64_t then_us);

/* Sampling has come to its end, with however many samples. */
void gauge_finish(struct gauge *n);

/* Keeps verdict and addresses as they are; samples are still counted. */
void gauge_freeze(struct gauge *n);
void gauge_unfreeze(struct gauge *n);

/* Nothing is gained by waiting for more samples. */
bool gauge_decided(const struct gauge *n);

/*
 * The constant step between the ports of one destination and the next, or 0
 * if none shows: at least four samples of one host, in the order in which the
 * nodes were first sent to.
 */
int gauge_step(const struct gauge *n);

/*
 * Addresses that a destination will see which is the order-th to be sent to,
 * likeliest first. Returns how many were written; 0 without a step.
 */
size_t gauge_predict(
    const struct gauge *n, uint32_t order, struct addr *out, size_t max);

#endif
