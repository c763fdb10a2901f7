/* SPDX-License-Identifier: ISC */
/* Verifies that a decoded UDX packet is the same once encoded and decoded. */
#include "fuzz.h"
#include "udx/packet.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p;
	struct packet_range range;
	struct rd r;
	uint8_t head[PACKET_HEADER];
	uint32_t id;
	size_t ranges = 0;

	if (!packet_is(data, size, &id) || packet_decode(&p, data, size) != 0)
		return 0;
	MUST(p.id == id);
	MUST(PACKET_HEADER + p.offset + p.payload.len == size);
	MUST(p.type & PACKET_SACK || p.sacks.len == 0);
	MUST(p.sacks.len <= size - PACKET_HEADER);
	r = rd_init(p.sacks.p, p.sacks.len);
	while (packet_next_range(&r, &range))
		ranges++;
	MUST(ranges == p.sacks.len / PACKET_RANGE);
	packet_encode(head, &p);
	MUST(memcmp(head, data, PACKET_HEADER) == 0);
	return 0;
}
