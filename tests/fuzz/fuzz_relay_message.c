/* SPDX-License-Identifier: ISC */
/* Decodes the messages of a blind relay; the first byte selects one. */
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

static void
decode_refusal(const uint8_t *data, size_t size)
{
	struct relay_refusal m, again;
	uint8_t buf[RELAY_MESSAGE_MAX];
	size_t len;

	if (relay_refusal_decode(&m, data, size) != 0)
		return;
	len = relay_refusal_encode(&m, buf, sizeof buf);
	MUST(len > 0);
	MUST(relay_refusal_decode(&again, buf, len) == 0);
	MUST(again.reason == m.reason && again.retry_s == m.retry_s);
	MUST(relay_refusal_decode(&again, buf, len - 1) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == RELAY_UNPAIR)
		decode_unpair(data + 1, size - 1);
	else if (data[0] == RELAY_REFUSED)
		decode_refusal(data + 1, size - 1);
	else
		decode_pair(data + 1, size - 1);
	return 0;
}
