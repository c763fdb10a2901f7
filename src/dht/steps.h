/* SPDX-License-Identifier: ISC */
/*
 * steps.h - the nodes that one query knows of, nearest to its target first.
 *
 * Bounded in all, and per address and /24, so that made-up neighbours cannot
 * lead a query astray for long. A step stays where it is in memory. Asks
 * nobody; query.c does.
 */
#ifndef DHT_STEPS_H
#define DHT_STEPS_H

#include "base/limits.h"
#include "dht/dht.h"

enum step_state {
	STEP_NEW,
	STEP_ASKED,
	STEP_DONE,
	STEP_FAILED, /* did not answer */
};

enum { STEP_REFERRERS_MAX = 3 };

struct step {
	struct query *query;
	struct request *request; /* while ASKED */
	struct addr addr;
	uint8_t id[ID_LEN];
	uint8_t state;
	uint8_t missed; /* sends that went unanswered */
	uint8_t referrers_len;
	struct step
	    *referrers[STEP_REFERRERS_MAX]; /* who listed it, first few */
};

enum { STEPS_MEMO = 256 };

struct steps {
	const uint8_t *target; /* borrowed */
	struct step **at;
	uint32_t len, cap;
	struct step
	    *memo[STEPS_MEMO]; /* by address, the latest at each place */
};

void steps_fini(struct steps *s);

/*
 * The step of this address if it is remembered; NULL says nothing. Most of what
 * a walk is told it knows already, and this spares hashing it again.
 */
struct step *steps_recall(const struct steps *s, const struct addr *a);

/*
 * The step of this address, whether new or known; NULL if the query knows as
 * many as it may (l->query_candidates; shares per address if `shares`).
 */
struct step *steps_add(struct steps *s, const uint8_t id[ID_LEN],
    const struct addr *a, const struct limits *l, bool shares);

/* The nearest that was not asked, or NULL. */
struct step *steps_next(const struct steps *s);

/* True if every step that was asked and is silent missed this many sends. */
bool steps_all_missed(const struct steps *s, unsigned sends);

#endif
