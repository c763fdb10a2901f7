/* SPDX-License-Identifier: ISC */
/*
 * frame_budget.h - the memory that unfinished frames of all streams share.
 *
 * While the budget lasts, every stream takes what it needs. When the share of a
 * network prefix (/24, /56) is used up, the prefix loses its largest frame;
 * when the budget is, the prefix that holds the most does, so a peer that
 * leaves large frames unfinished breaks its own streams, and an honest peer
 * that needs less than an equal share always gets it. Waiting instead could
 * deadlock: the others may be waiting too. Uses: base.
 */
#ifndef STREAM_FRAME_BUDGET_H
#define STREAM_FRAME_BUDGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"

struct frame_share; /* what the peers of one prefix hold */
struct frame_account;

struct frame_budget {
	/* Bytes in all; both limits may change at any time. */
	uint64_t used, max;
	uint64_t prefix_max; /* of the peers of one prefix */
	TAILQ_HEAD(, frame_share) shares;
};

TAILQ_HEAD(frame_account_list, frame_account);

/* What one stream holds of the budget. */
struct frame_account {
	struct frame_budget *budget; /* borrowed; NULL: no limit */
	struct frame_share *share;   /* NULL while nothing is held */
	uint64_t held;               /* bytes */
	TAILQ_ENTRY(frame_account) link;
	/* Breaks the stream; must return all that the account holds. */
	void (*evict)(struct frame_account *a);
};

/* Returns what the accounting for one prefix takes. */
size_t frame_share_bytes(void);

/* Sets no limit for a prefix other than that for all. */
void frame_budget_init(struct frame_budget *b, uint64_t max);

/*
 * Takes n more bytes, charged to the prefix of `peer` as it was when the
 * account took its first byte. May evict other accounts. Returns 0, ERR_MEMORY,
 * or ERR_LIMIT if the caller's own frame is the one that has to go.
 */
int frame_account_take(struct frame_account *a, const struct addr *peer,
    uint64_t n) __attribute__((warn_unused_result));

/* Returns n of the bytes held. Does nothing for an account without a share. */
void frame_account_return(struct frame_account *a, uint64_t n);

#endif
