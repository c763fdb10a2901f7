/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "udx/in_flight.h"

int
in_flight_reserve(struct in_flight *f)
{
	uint32_t cap = f->cap == 0 ? IN_FLIGHT_PACKETS_MIN : f->cap * 2;
	struct sent_packet *ring;

	if (in_flight_len(f) < f->cap)
		return 0;
	if (cap > UDX_IN_FLIGHT_PACKETS_MAX)
		return ERR_LIMIT;
	ring = malloc(cap * sizeof *ring);
	if (ring == NULL)
		return ERR_MEMORY;
	for (uint32_t seq = f->una; seq != f->nxt; seq++)
		ring[seq & (cap - 1)] = *in_flight_at(f, seq);
	free(f->ring);
	f->ring = ring;
	f->cap = cap;
	return 0;
}

static void
append_to_list(struct in_flight *f, struct sent_list *l, uint32_t seq)
{
	struct sent_packet *p = in_flight_at(f, seq);

	if (l->len++ == 0)
		l->first = seq;
	else
		in_flight_at(f, l->last)->next = seq;
	p->prev = l->last;
	l->last = seq;
}

/* Returns the first packet of the list that comes after seq; there is one. */
static uint32_t
find_successor(
    const struct in_flight *f, const struct sent_list *l, uint32_t seq)
{
	uint32_t at = l->first;

	if (seq - l->first < l->last - seq) {
		while (seq_diff(at, seq) < 0)
			at = in_flight_at(f, at)->next;
		return at;
	}
	at = l->last;
	while (at != l->first && seq_diff(in_flight_at(f, at)->prev, seq) > 0)
		at = in_flight_at(f, at)->prev;
	return at;
}

/*
 * Inserts a packet in the order of numbers, searching from the end that is
 * nearer. The peer reports its 50 lowest ranges (protocol 05 §4): packets
 * beyond them go unreported until the lowest gaps are closed, so losses belong
 * at either end.
 */
static void
insert_by_number(struct in_flight *f, struct sent_list *l, uint32_t seq)
{
	struct sent_packet *p = in_flight_at(f, seq);
	uint32_t at;

	if (l->len == 0 || seq_diff(seq, l->last) > 0) {
		append_to_list(f, l, seq);
		return;
	}
	at = find_successor(f, l, seq);
	p->next = at;
	p->prev = in_flight_at(f, at)->prev;
	if (at == l->first)
		l->first = seq;
	else
		in_flight_at(f, p->prev)->next = seq;
	in_flight_at(f, at)->prev = seq;
	l->len++;
}

static void
remove_from_list(struct in_flight *f, struct sent_list *l, uint32_t seq)
{
	const struct sent_packet *p = in_flight_at(f, seq);

	l->len--;
	if (l->first == seq)
		l->first = p->next;
	else
		in_flight_at(f, p->prev)->next = p->next;
	if (l->last == seq)
		l->last = p->prev;
	else
		in_flight_at(f, p->next)->prev = p->prev;
}

struct sent_packet *
in_flight_push(struct in_flight *f, uint16_t len, uint8_t pad)
{
	struct sent_packet *p = in_flight_at(f, f->nxt);

	*p = (struct sent_packet){
	    .len = len, .pad = pad, .state = SENT_IN_FLIGHT};
	append_to_list(f, &f->out, f->nxt++);
	f->bytes += sent_packet_size(p);
	f->unacked += len;
	return p;
}

void
in_flight_set_state(struct in_flight *f, uint32_t seq, enum sent_state to)
{
	struct sent_packet *p = in_flight_at(f, seq);

	if (p->state == SENT_IN_FLIGHT) {
		remove_from_list(f, &f->out, seq);
		f->bytes -= sent_packet_size(p);
	} else if (p->state == SENT_LOST) {
		remove_from_list(f, &f->lost, seq);
	}
	p->state = (uint8_t)to;
	if (to == SENT_IN_FLIGHT) {
		append_to_list(f, &f->out, seq);
		f->bytes += sent_packet_size(p);
	} else if (to == SENT_LOST) {
		insert_by_number(f, &f->lost, seq);
	} else {
		p->next = seq + 1;
		f->sacked++;
		f->unacked -= p->len;
	}
}

void
in_flight_pop(struct in_flight *f)
{
	f->una++;
	f->sacked--;
}

void
in_flight_fini(struct in_flight *f)
{
	free(f->ring);
	*f = (struct in_flight){.una = f->nxt, .nxt = f->nxt};
}
