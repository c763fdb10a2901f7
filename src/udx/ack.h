/* SPDX-License-Identifier: ISC */
/*
 * ack.h - applies the acknowledgements of one packet to loss recovery,
 * protocol 05 §4. Knows no stream.
 */
#ifndef UDX_ACK_H
#define UDX_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/loss.h"
#include "udx/packet.h"

struct ack_result {
	bool advanced;           /* the cumulative acknowledgement has */
	bool end;                /* a packet with PACKET_END is among it */
	size_t bytes;            /* payload bytes acknowledged with it */
	uint32_t ranges_refused; /* of packets that were never sent */
};

/*
 * Applies p->ack, which must not be older than the last one, and p->sacks.
 * Returns false, and does nothing, if p->ack acknowledges what was never sent.
 */
bool ack_process(struct loss *l, const struct packet *p, uint64_t now_us,
    struct ack_result *out);

#endif
