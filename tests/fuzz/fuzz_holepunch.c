/* SPDX-License-Identifier: ISC */
/* Decodes the value of PEER_HOLEPUNCH. */
#include "base/world.h"
#include "fuzz.h"
#include "signal/signal_message.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct holepunch m, again;
	size_t len;

	if (size > DGRAM_MAX || holepunch_decode(&m, data, size) != 0)
		return 0;
	len = holepunch_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(holepunch_decode(&again, buf, len) == 0);
	MUST(m.mode == again.mode && m.id == again.id);
	MUST(m.payload.len == again.payload.len);
	MUST(m.payload.len == 0 ||
	     memcmp(m.payload.p, again.payload.p, m.payload.len) == 0);
	MUST(addr_equal(&m.peer, &again.peer));
	return 0;
}
