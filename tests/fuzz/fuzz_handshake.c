/* SPDX-License-Identifier: ISC */
/* Decodes the value of PEER_HANDSHAKE. */
#include "base/world.h"
#include "fuzz.h"
#include "signal/signal_message.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct handshake m, again;
	size_t len;

	if (size > DGRAM_MAX || handshake_decode(&m, data, size) != 0)
		return 0;
	len = handshake_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(handshake_decode(&again, buf, len) == 0);
	MUST(m.mode == again.mode && m.noise.len == again.noise.len);
	MUST(m.noise.len == 0 ||
	     memcmp(m.noise.p, again.noise.p, m.noise.len) == 0);
	MUST(addr_equal(&m.peer, &again.peer));
	MUST(addr_equal(&m.relay, &again.relay));
	return 0;
}
