/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "stream/frame_budget.h"

struct frame_share {
	TAILQ_ENTRY(frame_share) link;
	struct addr prefix; /* any address in it */
	uint64_t held;      /* bytes, the sum over its accounts */
	struct frame_account_list accounts;
};

size_t
frame_share_bytes(void)
{
	return heap_bytes(sizeof(struct frame_share));
}

void
frame_budget_init(struct frame_budget *b, uint64_t max)
{
	*b = (struct frame_budget){.max = max, .prefix_max = max};
	TAILQ_INIT(&b->shares);
}

/* Returns the share of the peer's prefix, a new one if need be, or NULL. */
static struct frame_share *
get_share(struct frame_budget *b, const struct addr *peer)
{
	struct frame_share *s;

	TAILQ_FOREACH (s, &b->shares, link)
		if (addr_same_prefix(&s->prefix, peer))
			return s;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->prefix = *peer;
	TAILQ_INIT(&s->accounts);
	TAILQ_INSERT_TAIL(&b->shares, s, link);
	return s;
}

static int
join_share(struct frame_account *a, const struct addr *peer)
{
	if (a->share != NULL)
		return 0;
	a->share = get_share(a->budget, peer);
	if (a->share == NULL)
		return ERR_MEMORY;
	TAILQ_INSERT_TAIL(&a->share->accounts, a, link);
	return 0;
}

static void
leave_share(struct frame_account *a)
{
	struct frame_share *s = a->share;

	TAILQ_REMOVE(&s->accounts, a, link);
	a->share = NULL;
	if (!TAILQ_EMPTY(&s->accounts))
		return;
	TAILQ_REMOVE(&a->budget->shares, s, link);
	free(s);
}

/* Returns the share that holds the most if `a` gets n more bytes. */
static struct frame_share *
largest_share(const struct frame_account *a, uint64_t n)
{
	struct frame_share *s, *most = a->share;
	uint64_t held = most->held + n;

	TAILQ_FOREACH (s, &a->budget->shares, link)
		if (s->held > held) {
			most = s;
			held = s->held;
		}
	return most;
}

/* Returns the account of a share that holds the most if `a`, which may be one
 * of them, gets n more bytes. */
static struct frame_account *
largest_account(struct frame_share *s, struct frame_account *a, uint64_t n)
{
	struct frame_account *other, *largest;
	uint64_t held;

	largest = s == a->share ? a : TAILQ_FIRST(&s->accounts);
	held = largest->held + (largest == a ? n : 0);
	TAILQ_FOREACH (other, &s->accounts, link)
		if (other->held > held) {
			largest = other;
			held = other->held;
		}
	return largest;
}

/* Returns the account to evict so that `a` gets n more bytes, which may be `a`;
 * NULL: none. */
static struct frame_account *
choose_victim(struct frame_account *a, uint64_t n)
{
	const struct frame_budget *b = a->budget;

	if (a->share->held + n > b->prefix_max)
		return largest_account(a->share, a, n);
	if (b->used + n > b->max)
		return largest_account(largest_share(a, n), a, n);
	return NULL;
}

int
frame_account_take(struct frame_account *a, const struct addr *peer, uint64_t n)
{
	struct frame_budget *b = a->budget;
	struct frame_account *victim;
	int err;

	if (b == NULL)
		return 0;
	err = join_share(a, peer);
	if (err != 0)
		return err;
	while ((victim = choose_victim(a, n)) != NULL) {
		if (victim == a)
			return ERR_LIMIT;
		victim->evict(victim);
	}
	a->held += n;
	a->share->held += n;
	b->used += n;
	return 0;
}

void
frame_account_return(struct frame_account *a, uint64_t n)
{
	if (a->share == NULL)
		return;
	a->held -= n;
	a->share->held -= n;
	a->budget->used -= n;
	if (a->held == 0)
		leave_share(a);
}
