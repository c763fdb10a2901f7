/* SPDX-License-Identifier: ISC */
#include <assert.h>

#include "udx/send_part.h"

enum {
	/* The peer's window before its first packet, protocol 05 §7. */
	PEER_WINDOW_FIRST = 4 << 20,
};

void
send_part_init(struct send_part *p)
{
	*p = (struct send_part){.peer_window = PEER_WINDOW_FIRST};
}

void
send_part_set_state(struct send_part *p, enum send_state state)
{
	assert(state > p->state);
	p->state = state;
}

uint64_t
send_part_space(const struct send_part *p, uint64_t max, uint64_t ahead)
{
	if (p->buffer.len >= max || p->buffer.unsent >= ahead)
		return 0;
	max -= p->buffer.len;
	ahead -= p->buffer.unsent;
	return max < ahead ? max : ahead;
}

bool
send_part_peer_accepts(const struct send_part *p, uint64_t unacked, size_t len)
{
	return len == 0 || unacked + len <= p->peer_window ||
	       (unacked == 0 && p->peer_window > 0);
}

bool
send_part_update_window(struct send_part *p, const struct packet *packet)
{
	int32_t seq = seq_diff(packet->seq, p->window_seq);
	bool opened = p->peer_window == 0 && packet->rwnd > 0;

	/* As in TCP (RFC 9293 §3.10.7.4, SND.WL1 and SND.WL2). */
	if (seq < 0 || (seq == 0 && seq_diff(packet->ack, p->window_ack) < 0))
		return false;
	p->window_seq = packet->seq;
	p->window_ack = packet->ack;
	p->peer_window = packet->rwnd;
	return opened;
}
