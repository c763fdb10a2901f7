/* SPDX-License-Identifier: ISC */
/*
 * nat_classifier.h - classifies the NAT in front of one socket, protocol 04 §2
 * and §17.7.
 *
 * A sample is our address as another node sees it. Enough samples give the NAT
 * type that peers exchange (the mapping behaviour of RFC 4787) and, if the NAT
 * allocates ports sequentially, predict the next ones. The filtering behaviour
 * is a different question, see netcheck.h. Knows no socket and no clock.
 */
#ifndef PUNCH_NAT_CLASSIFIER_H
#define PUNCH_NAT_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"

/* As encoded in messages; a larger number counts as random. */
enum nat_type {
	NAT_TYPE_UNKNOWN,
	NAT_TYPE_OPEN,
	NAT_TYPE_CONSISTENT, /* the same port for every destination */
	NAT_TYPE_RANDOM,     /* a different port for each destination */
};

enum {
	NAT_SAMPLES_MIN = 3,    /* for a type, protocol 04 §15 */
	NAT_SAMPLES_WANTED = 4, /* for a final one */
	NAT_PREDICTED_MAX = 12, /* ports sent, protocol 04 §17.7: 8 to 16 */
};

struct nat_sample {
	struct addr saw, by; /* our address, and the node that sees it */
	uint32_t order;      /* number of `by` among the destinations */
	uint64_t at_us;
};

struct nat_classifier {
	enum nat_type nat_type;
	bool firewalled;
	bool frozen;   /* sent to the peer: must not change any more */
	bool finished; /* no more samples will be requested */
	bool reopened; /* the latest sample differs from all before it */
	uint8_t len, addrs_len;
	struct nat_sample samples[PUNCH_SAMPLES_MAX]; /* oldest first */
	struct addr
	    addrs[PUNCH_SAMPLES_MAX]; /* to report, most frequent first */
};

/* Converts a number of a message to a NAT type. */
enum nat_type nat_type_decode(uint64_t number);

void nat_classifier_init(struct nat_classifier *n, bool firewalled);

/*
 * Adds a sample. A node, identified by host and port, counts once; if it sees
 * another address than before, the mapping has been replaced and all older
 * samples are dropped.
 */
void nat_classifier_add(struct nat_classifier *n, const struct nat_sample *s);

/* Drops samples from before then_us. */
void nat_classifier_expire(struct nat_classifier *n, uint64_t then_us);

/* Marks the end of sampling, whatever the number of samples. */
void nat_classifier_finish(struct nat_classifier *n);

/* Keeps type and addresses as they are; further samples are still stored. */
void nat_classifier_freeze(struct nat_classifier *n);
void nat_classifier_unfreeze(struct nat_classifier *n);

/* Returns whether more samples would not change the type. */
bool nat_classifier_decided(const struct nat_classifier *n);

/*
 * Returns the constant step between the ports of one destination and the next,
 * or 0 if there is none. Requires at least four samples of one outer host,
 * ordered by when their nodes were first sent to.
 */
int nat_classifier_step(const struct nat_classifier *n);

/*
 * Writes the addresses that the destination number `order` may see, likeliest
 * first. Returns how many were written; 0 without a step.
 */
size_t nat_classifier_predict(const struct nat_classifier *n, uint32_t order,
    struct addr *out, size_t max);

#endif
