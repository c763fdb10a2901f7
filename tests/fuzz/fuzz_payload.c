/* SPDX-License-Identifier: ISC */
/* Decodes the payload of the Noise messages. */
#include "fuzz.h"
#include "signal/payload.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[PAYLOAD_LEN_MAX];
	struct payload p, again;
	size_t len;

	if (payload_decode(&p, data, size) != 0 || p.version != PAYLOAD_VERSION)
		return 0;
	len = payload_encode(&p, buf, sizeof buf);
	MUST(len > 0);
	MUST(payload_decode(&again, buf, len) == 0);
	MUST(memcmp(&p, &again, sizeof p) == 0);
	return 0;
}
