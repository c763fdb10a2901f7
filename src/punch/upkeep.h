/* SPDX-License-Identifier: ISC */
/*
 * upkeep.h - when the lifetime of mappings is measured, and for whom.
 *
 * One measurement (lifetime.h) at a time: in the background while keys listen
 * or connections are open and a NAT or firewall is in front of us, a minute
 * after that has begun and every lifetime-minutes, sooner if it came to
 * nothing or a mapping was lost all the same; and at once for whoever asks.
 * What comes of it goes to dht/mapping.h. Another network or a long sleep ends
 * it.
 */
#ifndef PUNCH_UPKEEP_H
#define PUNCH_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/timer.h"
#include "punch/lifetime.h"

struct punch;

/*
 * Who waits for a measurement; embedded in him. Off the list before the end
 * (next_s is 0) is told, and not to part while anything else is.
 */
struct upkeep_watch {
	TAILQ_ENTRY(upkeep_watch) link;
	struct lifetime_sink sink;
};

TAILQ_HEAD(upkeep_watches, upkeep_watch);

struct upkeep {
	struct punch *room;
	struct timer timer; /* until the next measurement */
	struct lifetime *measuring;
	struct upkeep_watches watches;
	uint32_t paths; /* open connections */
	bool wanted;
	uint64_t began_us; /* the latest; 0: none */
};

void upkeep_init(struct upkeep *u, struct punch *p);
void upkeep_fini(struct upkeep *u);

/* Whether it is of use may have changed. */
void upkeep_check(struct upkeep *u);

/* What was measured is void. Whoever waits hears that nothing is known. */
void upkeep_void(struct upkeep *u);

/* Joins the measurement under way, or begins one. 0, or why there is none. */
int upkeep_join(struct punch *p, struct upkeep_watch *w);

/* Only while it is on the list. */
void upkeep_part(struct punch *p, struct upkeep_watch *w);

#endif
