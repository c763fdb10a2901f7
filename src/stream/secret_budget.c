/* SPDX-License-Identifier: ISC */
/*
 * Whose frames may take what of the memory that all share. While there is
 * enough, everybody's. When there is not, the network that holds the most has
 * to do with less: its largest frame is dropped and that stream broken. So
 * whoever leaves large frames half sent breaks his own, and an honest peer that
 * wants less than an equal share always gets it.
 */
#include <stdlib.h>

#include "base/err.h"
#include "stream/inside.h"

/* The /24 (or /56) of a peer, while it holds something. */
struct secret_payer {
	TAILQ_ENTRY(secret_payer) link;
	struct addr of;
	uint64_t held;
	struct secret_list streams;
};

void
secret_budget_init(struct secret_budget *b, uint64_t max)
{
	*b = (struct secret_budget){.max = max};
	TAILQ_INIT(&b->payers);
}

static struct secret_payer *
payer_of(struct secret_budget *b, const struct addr *a)
{
	struct secret_payer *p;

	TAILQ_FOREACH (p, &b->payers, link)
		if (addr_same_prefix(&p->of, a))
			return p;
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->of = *a;
	TAILQ_INIT(&p->streams);
	TAILQ_INSERT_TAIL(&b->payers, p, link);
	return p;
}

/* Where the peer is as its frame begins; it pays as that until its end. */
static bool
enter(struct secret *s)
{
	struct udx_status st;

	if (s->payer != NULL)
		return true;
	udx_status(s->udx, &st);
	s->payer = payer_of(s->budget, &st.path.to);
	if (s->payer == NULL)
		return false;
	TAILQ_INSERT_TAIL(&s->payer->streams, s, pays);
	return true;
}

static void
leave(struct secret *s)
{
	struct secret_payer *p = s->payer;

	TAILQ_REMOVE(&p->streams, s, pays);
	s->payer = NULL;
	if (!TAILQ_EMPTY(&p->streams))
		return;
	TAILQ_REMOVE(&s->budget->payers, p, link);
	free(p);
}

/* Whose frame has to go for s to get n more; s itself, if it is its own. */
static struct secret *
victim(struct secret *s, uint64_t n)
{
	struct secret_payer *p, *most = s->payer;
	uint64_t held = most->held + n;
	struct secret *t, *largest;

	TAILQ_FOREACH (p, &s->budget->payers, link)
		if (p->held > held) {
			most = p;
			held = p->held;
		}
	largest = most == s->payer ? s : TAILQ_FIRST(&most->streams);
	held = largest->paid + (largest == s ? n : 0);
	TAILQ_FOREACH (t, &most->streams, pays)
		if (t->paid > held) {
			largest = t;
			held = t->paid;
		}
	return largest;
}

int
secret_budget_take(struct secret *s, uint64_t n)
{
	struct secret_budget *b = s->budget;

	if (b == NULL)
		return 0;
	if (!enter(s))
		return ERR_MEMORY;
	while (b->used + n > b->max) {
		struct secret *v = victim(s, n);

		if (v == s)
			return ERR_LIMIT;
		secret_break(v, ERR_LIMIT);
	}
	s->paid += n;
	s->payer->held += n;
	b->used += n;
	return 0;
}

void
secret_budget_give(struct secret *s, uint64_t n)
{
	if (s->payer == NULL)
		return;
	s->paid -= n;
	s->payer->held -= n;
	s->budget->used -= n;
	if (s->paid == 0)
		leave(s);
}
