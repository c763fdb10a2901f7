/* SPDX-License-Identifier: ISC */
/*
 * sim.h - a network of real nodes in one process, under virtual time.
 *
 * The only thread takes the next event, sets the clock to it and handles it.
 * The simulator reads no clock, no environment and no order of pointers: the
 * same options give the same run, byte for byte. Scenarios call this header,
 * host.h, ops.h and actor.h. Uses: base, node, and this directory.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "dht/bootstrap.h"
#include "sim/calls.h"
#include "sim/check.h"
#include "sim/host.h"
#include "world/nat.h"
#include "world/net.h"
#include "sim/ops.h"
#include "sim/options.h"
#include "world/queue.h"
#include "sim/report.h"
#include "sim/trace.h"

#define MILLISECONDS(n) ((uint64_t)(n)*1000)
#define SECONDS(n) ((uint64_t)(n)*1000000)
#define MINUTES(n) SECONDS((uint64_t)(n)*60)
#define HOURS(n) MINUTES((uint64_t)(n)*60)

/* A function to be called at a time; see sim_at(). */
struct task {
	void (*run)(struct sim *s, void *arg);
	void *arg;
	uint64_t period_us; /* 0: once */
	bool live;
};

enum { SIM_BOOTSTRAPS = 3 };

struct sim {
	struct sim_options opt;
	uint64_t now_us;
	struct queue queue;
	struct net net;
	struct trace trace;
	struct ops ops;
	struct calls calls;
	struct dial_costs dial_costs;
	struct check check;
	struct report report;
	struct prng rand; /* of the scenario */
	struct host **hosts;
	uint32_t hosts_len, addresses;
	struct nat **nats;
	uint32_t nats_len;
	struct actor **actors;
	uint32_t actors_len;
	struct task *tasks;
	uint32_t tasks_len;
	struct bootstrap_entry bootstrap[SIM_BOOTSTRAPS];
	uint32_t bootstrap_len;
	const struct addr *preset; /* node cache of the hosts that start now */
	uint32_t preset_len;
	uint32_t failed;
	uint64_t steps;
	/* Called for each datagram that arrives at a host, or NULL. */
	void (*tap)(struct sim *s, const struct net_packet *p);
	void *tap_state;
	bool no_health; /* hosts send no PINGs that examine their health */
	struct node_event ev;         /* being drained */
	uint8_t out[WORLD_BURST_MAX]; /* being written by a host or a party */
};

void sim_init(struct sim *s, const struct sim_options *o);
void sim_fini(struct sim *s);

/* Advances the virtual time. */
void sim_run(struct sim *s, uint64_t us);

/*
 * Advances the time until every operation and every call has ended. A scenario
 * calls it before it returns if operations point to its variables.
 */
void sim_quiesce(struct sim *s);

/* Schedules a call of run after that time, once or periodically. */
uint32_t sim_at(struct sim *s, uint64_t in_us,
    void (*run)(struct sim *s, void *arg), void *arg);
uint32_t sim_every(struct sim *s, uint64_t period_us,
    void (*run)(struct sim *s, void *arg), void *arg);
void sim_stop(struct sim *s, uint32_t task);

/* Schedules a wake-up of the host at that time. */
void sim_wake_at(struct host *h, uint64_t at_us);

/* ---- the population ---- */

/*
 * Starts bootstrap nodes, then n nodes of the role, spread evenly over the
 * time, which passes.
 */
void sim_grow(struct sim *s, uint32_t n, enum dht_role role, uint64_t over_us);

/* Adds one more running node. */
struct host *sim_join(struct sim *s, enum dht_role role, struct nat *box);

/* Adds a box with a public address, or behind another. */
struct nat *sim_nat(
    struct sim *s, const struct nat_config *c, struct nat *outer);

/* Returns a random honest host that is up and bootstrapped, or NULL. */
struct host *sim_any(struct sim *s);

uint32_t sim_count_up(const struct sim *s);

/* Returns the next public address for an honest host, in a /24 of its own. */
uint32_t sim_address(struct sim *s);

/* ---- datagrams ---- */

/* Sends a datagram of an endpoint that may be behind a box. */
void sim_send(struct sim *s, struct endpoint *src, struct nat *box,
    struct spot from, struct spot to, const void *buf, size_t len);

/* ---- failures ---- */

/*
 * Fails the run unless it holds: prints the reason and the command that repeats
 * the run.
 */
#define sim_expect(s, truth, ...)                                              \
	do {                                                                   \
		if (!(truth))                                                  \
			sim_fail((s), __VA_ARGS__);                            \
	} while (0)
void sim_fail(struct sim *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails the run as sim_fail() does, and exits: an invariant is broken. */
void sim_broken(struct sim *s, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
