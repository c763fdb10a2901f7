/* SPDX-License-Identifier: ISC */
/* Decodes both messages of a blind relay; the first byte selects one. */
#include "fuzz.h"
#include "relay/relay_message.h"

static void
decode_pair(const uint8_t *data, size_t size)
{
	struct relay_pair m, again;
	uint8_t buf[RELAY_MESSAGE_MAX];
	size_t len;

	if (relay_pair_decode(&m, data, size) != 0)
		return;
	len = relay_pair_encode(&m, buf, sizeof buf);
	MUST(len > 0);
	MUST(relay_pair_decode(&again, buf, len) == 0);
	MUST(again.initiator == m.initiator && again.seq == m.seq);
	MUST(again.stream_id == m.stream_id);
	MUST(memcmp(again.token, m.token, sizeof m.token) == 0);
	MUST(relay_pair_decode(&again, buf, len - 1) != 0);
}

static void
decode_unpair(const uint8_t *data, size_t size)
{
	struct relay_unpair m, again;
	uint8_t buf[RELAY_MESSAGE_MAX];
	size_t len;

	if (relay_unpair_decode(&m, data, size) != 0)
		return;
	len = relay_unpair_encode(&m, buf, sizeof buf);
	MUST(len > 0);
	MUST(relay_unpair_decode(&again, buf, len) == 0);
	MUST(memcmp(again.token, m.token, sizeof m.token) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == RELAY_UNPAIR)
		decode_unpair(data + 1, size - 1);
	else
		decode_pair(data + 1, size - 1);
	return 0;
}
