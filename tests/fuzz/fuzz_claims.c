/* SPDX-License-Identifier: ISC */
/* What two sides of a hole punch tell each other, and the box around it. */
#include "fuzz.h"
#include "punch/claims.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[CLAIMS_SECRET_LEN] = {1};
	static const uint8_t nonce[CLAIMS_NONCE_LEN] = {2};
	uint8_t buf[CLAIMS_MAX], again_buf[CLAIMS_MAX], box[CLAIMS_BOX_MAX];
	struct claims c, again;
	size_t len, box_len;

	MUST(claims_open(&c, secret, (struct bytes){data, size}) != 0);
	if (claims_decode(&c, data, size) != 0)
		return 0;
	/* Of what decodes, ours to say are numbers of one byte each. */
	if (c.error > CLAIMS_ROUND_MAX || c.firewall > CLAIMS_ROUND_MAX ||
	    c.round > CLAIMS_ROUND_MAX)
		return 0;
	MUST(c.addrs_len <= CLAIMS_ADDRS_MAX);
	len = claims_encode(&c, buf, sizeof buf);
	MUST(len > 0);
	box_len = claims_seal(&c, secret, nonce, box);
	MUST(box_len == len + CLAIMS_BOX_OVERHEAD);
	MUST(claims_open(&again, secret, (struct bytes){box, box_len}) == 0);
	MUST(claims_encode(&again, again_buf, sizeof again_buf) == len);
	MUST(memcmp(buf, again_buf, len) == 0);
	box[data[0] % box_len] ^= 1;
	MUST(claims_open(&again, secret, (struct bytes){box, box_len}) != 0);
	return 0;
}
