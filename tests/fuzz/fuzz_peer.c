/* SPDX-License-Identifier: ISC */
/* Decodes peer records, as stored and served. */
#include "base/world.h"
#include "fuzz.h"
#include "records/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct peer_record m, again;
	struct addr relay;
	size_t len;

	if (size > DGRAM_MAX || peer_decode(&m, data, size) != 0)
		return 0;
	for (size_t i = 0; i < peer_relays_len(&m); i++) {
		relay = peer_relay(&m, i);
		MUST(relay.family == ADDR_V4);
	}
	len = peer_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(peer_decode(&again, buf, len) == 0);
	MUST(memcmp(m.key, again.key, KEY_LEN) == 0);
	MUST(m.relays.len == again.relays.len);
	MUST(m.relays.len == 0 ||
	     memcmp(m.relays.p, again.relays.p, m.relays.len) == 0);
	return 0;
}
