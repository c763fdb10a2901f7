/* SPDX-License-Identifier: ISC */
/*
 * check.h - invariants of every step of every scenario.
 *
 * Each step checks what it changed, each virtual minute checks everything: an
 * operation ends once and in time; a table contains only nodes that have
 * answered; an unvalidated address receives no more than its budget; no
 * deadline lies in the past; no state is above its limit. Uses: node, host,
 * net.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "world/net.h"

struct sim;
struct host;

/* What a host has sent to an unvalidated address. */
struct debt {
	uint64_t key;          /* host and address; 0: free */
	uint64_t level, at_us; /* leaky: millionths of a byte above the rate */
	uint64_t bytes;
};

struct check {
	struct debt *debts;
	uint32_t debts_len, debts_cap;
	uint64_t *answers; /* set of (host, spot), for actors */
	uint32_t answers_len, answers_cap;
	uint64_t debt_bytes_max; /* largest total to one address by one host */
	uint64_t debt_level_max;
	uint64_t entries; /* checked */
};

void check_init(struct check *c);
void check_fini(struct check *c);

/* Checks a datagram against the budget of its destination. */
void check_sent(struct host *h, struct spot to, size_t len);

/* Records that the sender of a reply has answered h. */
void check_answered(struct host *h, const struct net_packet *p);

/* Records an answer to h from a spot; actors call it themselves. */
void check_vouch(struct host *h, struct spot at);

/* Checks the invariants of one host after a step. */
void check_step(struct host *h);

/* Checks all invariants of all hosts. */
void check_all(struct sim *s);

#endif
