/* SPDX-License-Identifier: ISC */
/* Decodes replies; checks that encoding and decoding gives the same again. */
#include "base/world.h"
#include "dht/rpc.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct rpc_reply m, again;
	struct addr closer;
	size_t len;

	if (size > DGRAM_MAX || rpc_reply_decode(&m, data, size) != 0)
		return 0;
	MUST(m.closer.len % ADDR_WIRE4_LEN == 0 && m.closer.len <= size);
	for (size_t i = 0; i < m.closer.len / ADDR_WIRE4_LEN; i++) {
		closer = rpc_closer(&m, i);
		MUST(closer.family == ADDR_V4);
	}
	len = rpc_reply_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(rpc_reply_decode(&again, buf, len) == 0);
	MUST(m.tid == again.tid && m.error == again.error);
	MUST(addr_equal(&m.to, &again.to));
	MUST(fuzz_same(m.id, again.id, ID_LEN));
	MUST(fuzz_same(m.token, again.token, RPC_TOKEN_LEN));
	MUST(m.closer.len == again.closer.len);
	MUST(m.closer.len == 0 ||
	     memcmp(m.closer.p, again.closer.p, m.closer.len) == 0);
	MUST(m.value.len == again.value.len);
	MUST(fuzz_same(m.value.p, again.value.p, m.value.len));
	return 0;
}
