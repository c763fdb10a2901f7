/* SPDX-License-Identifier: ISC */
#include "udx/ack.h"

/*
 * Peers repeat their ranges with every packet, and on a long path with losses
 * these hold thousands of packets: runs that are known to be acknowledged are
 * skipped at once, also where a range begins within one.
 */
static void
ack_range(struct loss *l, struct packet_range range, uint64_t now_us)
{
	const struct in_flight *f = &l->in_flight;
	uint32_t seq = range.start, end, next;

	while (seq_diff(seq, range.end) < 0) {
		if (in_flight_at(f, seq)->state != SENT_SACKED)
			loss_packet_acked(l, seq, now_us);
		seq = in_flight_at(f, seq)->next;
	}
	end = seq;
	for (seq = range.start; seq != end; seq = next) {
		next = in_flight_at(f, seq)->next;
		in_flight_at(f, seq)->next = end;
	}
}

static void
ack_ranges(struct loss *l, const struct bytes *sacks, uint64_t now_us,
    struct ack_result *out)
{
	struct rd r = rd_init(sacks->p, sacks->len);
	const struct in_flight *f = &l->in_flight;
	struct packet_range range;

	while (packet_next_range(&r, &range)) {
		/* Within [una, nxt). The sign of differences alone would
		 * accept half of the number space. */
		uint32_t start = range.start - f->una;
		uint32_t end = range.end - f->una;

		if (start < end && end <= in_flight_len(f))
			ack_range(l, range, now_us);
		else
			out->ranges_refused++;
	}
}

static void
ack_oldest(struct loss *l, uint64_t now_us, struct ack_result *out)
{
	struct in_flight *f = &l->in_flight;
	const struct sent_packet *p = in_flight_at(f, f->una);

	if (p->state != SENT_SACKED)
		loss_packet_acked(l, f->una, now_us);
	out->bytes += p->len;
	if (p->type & PACKET_END)
		out->end = true;
	in_flight_pop(f);
}

bool
ack_process(struct loss *l, const struct packet *p, uint64_t now_us,
    struct ack_result *out)
{
	struct in_flight *f = &l->in_flight;

	*out = (struct ack_result){.advanced = p->ack != f->una};
	if (seq_diff(p->ack, f->nxt) > 0)
		return false;
	while (f->una != p->ack)
		ack_oldest(l, now_us, out);
	if (out->advanced)
		l->batch.advanced = true;
	if (p->sacks.len > 0)
		ack_ranges(l, &p->sacks, now_us, out);
	return true;
}
