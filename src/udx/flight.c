/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

enum { FLIGHT_FIRST = 16 };

int
flight_reserve(struct flight *f)
{
	uint32_t cap = f->cap == 0 ? FLIGHT_FIRST : f->cap * 2;
	struct sent *ring;

	if (flight_len(f) < f->cap)
		return 0;
	if (cap > FLIGHT_MAX)
		return ERR_LIMIT;
	ring = malloc(cap * sizeof *ring);
	if (ring == NULL)
		return ERR_MEMORY;
	for (uint32_t seq = f->una; seq != f->nxt; seq++)
		ring[seq & (cap - 1)] = *flight_at(f, seq);
	free(f->ring);
	f->ring = ring;
	f->cap = cap;
	return 0;
}

static void
append(struct flight *f, struct sent_list *l, uint32_t seq)
{
	struct sent *p = flight_at(f, seq);

	if (l->len++ == 0)
		l->first = seq;
	else
		flight_at(f, l->last)->next = seq;
	p->prev = l->last;
	l->last = seq;
}

/* The first of the list that comes after seq; there is one. */
static uint32_t
place_of(const struct flight *f, const struct sent_list *l, uint32_t seq)
{
	uint32_t at = l->first;

	if (seq - l->first < l->last - seq) {
		while (seq_diff(at, seq) < 0)
			at = flight_at(f, at)->next;
		return at;
	}
	at = l->last;
	while (at != l->first && seq_diff(flight_at(f, at)->prev, seq) > 0)
		at = flight_at(f, at)->prev;
	return at;
}

/*
 * By number, from the end that is nearer: the peer tells of the 50 lowest
 * ranges alone (protocol 05 §4), so what is sent beyond them goes unheard until
 * the lowest gaps are closed.
 */
static void
insert(struct flight *f, struct sent_list *l, uint32_t seq)
{
	struct sent *p = flight_at(f, seq);
	uint32_t at;

	if (l->len == 0 || seq_diff(seq, l->last) > 0) {
		append(f, l, seq);
		return;
	}
	at = place_of(f, l, seq);
	p->next = at;
	p->prev = flight_at(f, at)->prev;
	if (at == l->first)
		l->first = seq;
	else
		flight_at(f, p->prev)->next = seq;
	flight_at(f, at)->prev = seq;
	l->len++;
}

static void
take_out(struct flight *f, struct sent_list *l, uint32_t seq)
{
	const struct sent *p = flight_at(f, seq);

	l->len--;
	if (l->first == seq)
		l->first = p->next;
	else
		flight_at(f, p->prev)->next = p->next;
	if (l->last == seq)
		l->last = p->prev;
	else
		flight_at(f, p->next)->prev = p->prev;
}

struct sent *
flight_push(struct flight *f, uint16_t len, uint8_t pad)
{
	struct sent *p = flight_at(f, f->nxt);

	*p = (struct sent){.len = len, .pad = pad, .state = SENT_OUT};
	append(f, &f->out, f->nxt++);
	f->bytes += sent_bytes(p);
	f->unacked += len;
	return p;
}

void
flight_move(struct flight *f, uint32_t seq, enum sent_state to)
{
	struct sent *p = flight_at(f, seq);

	if (p->state == SENT_OUT) {
		take_out(f, &f->out, seq);
		f->bytes -= sent_bytes(p);
	} else if (p->state == SENT_LOST) {
		take_out(f, &f->lost, seq);
	}
	p->state = (uint8_t)to;
	if (to == SENT_OUT) {
		append(f, &f->out, seq);
		f->bytes += sent_bytes(p);
	} else if (to == SENT_LOST) {
		insert(f, &f->lost, seq);
	} else {
		p->next = seq + 1;
		f->sacked++;
		f->unacked -= p->len;
	}
}

void
flight_pop(struct flight *f)
{
	f->una++;
	f->sacked--;
}

void
flight_fini(struct flight *f)
{
	free(f->ring);
	*f = (struct flight){.una = f->nxt, .nxt = f->nxt};
}
