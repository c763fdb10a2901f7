/* SPDX-License-Identifier: ISC */
/*
 * check.h - what must hold at every step, whatever the scenario does.
 *
 * After each step what it touched, every virtual minute everything: an
 * operation ends once and in time; no table holds whom it never heard answer;
 * an address that has proved nothing gets its budget and no more; no deadline
 * lies in the past; no state is above its limit. Uses: node, host, net.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "world/net.h"

struct sim;
struct host;

/* What a host has sent to an address that proved nothing to it. */
struct debt {
	uint64_t key;          /* host and address; 0: free */
	uint64_t level, at_us; /* leaky: millionths of a byte above the rate */
	uint64_t bytes;
};

struct check {
	struct debt *debts;
	uint32_t debts_len, debts_cap;
	uint64_t *answers; /* set of (host, spot) for whoever is no host */
	uint32_t answers_len, answers_cap;
	uint64_t debt_bytes_max; /* largest total to one address by one host */
	uint64_t debt_level_max;
	uint64_t entries; /* looked at */
};

void check_init(struct check *c);
void check_fini(struct check *c);

/* A host sends. */
void check_sent(struct host *h, struct spot to, size_t len);

/* A reply reaches h from whom it names: it has answered. */
void check_answered(struct host *h, const struct net_packet *p);

/* Whoever is at the spot has answered h: actors say so themselves. */
void check_vouch(struct host *h, struct spot at);

/* After a step of this host. */
void check_step(struct host *h);

/* Everything. */
void check_all(struct sim *s);

#endif
