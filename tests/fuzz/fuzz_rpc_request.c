/* SPDX-License-Identifier: ISC */
/* Decodes requests; checks that encoding and decoding them changes nothing. */
#include "base/world.h"
#include "dht/rpc.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct rpc_request m, again;
	size_t len;

	if (size > DGRAM_MAX || rpc_request_decode(&m, data, size) != 0)
		return 0;
	/* Varints are written in their shortest form. */
	len = rpc_request_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(rpc_request_decode(&again, buf, len) == 0);
	MUST(m.tid == again.tid && m.internal == again.internal);
	MUST(m.command == again.command && addr_equal(&m.to, &again.to));
	MUST(fuzz_same(m.id, again.id, ID_LEN));
	MUST(fuzz_same(m.token, again.token, RPC_TOKEN_LEN));
	MUST(fuzz_same(m.target, again.target, RPC_TARGET_LEN));
	MUST(m.value.len == again.value.len);
	MUST(fuzz_same(m.value.p, again.value.p, m.value.len));
	return 0;
}
