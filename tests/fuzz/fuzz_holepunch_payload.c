/* SPDX-License-Identifier: ISC */
/* Decodes the encrypted payload of PEER_HOLEPUNCH, and its plaintext. */
#include "fuzz.h"
#include "punch/holepunch_payload.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[HOLEPUNCH_SECRET_LEN] = {1};
	static const uint8_t nonce[HOLEPUNCH_NONCE_LEN] = {2};
	uint8_t buf[HOLEPUNCH_PLAIN_MAX], again_buf[HOLEPUNCH_PLAIN_MAX],
	    box[HOLEPUNCH_BOX_MAX];
	struct holepunch_payload c, again;
	size_t len, box_len;

	MUST(holepunch_payload_open(&c, secret, (struct bytes){data, size}) !=
	     0);
	if (holepunch_payload_decode(&c, data, size) != 0)
		return 0;
	/* A round that is encoded again must fit one byte. */
	if (c.error > HOLEPUNCH_ROUND_MAX || c.firewall > HOLEPUNCH_ROUND_MAX ||
	    c.round > HOLEPUNCH_ROUND_MAX)
		return 0;
	MUST(c.addrs_len <= HOLEPUNCH_ADDRS_MAX);
	len = holepunch_payload_encode(&c, buf, sizeof buf);
	MUST(len > 0);
	box_len = holepunch_payload_seal(&c, secret, nonce, box);
	MUST(box_len == len + HOLEPUNCH_BOX_OVERHEAD);
	MUST(holepunch_payload_open(
		 &again, secret, (struct bytes){box, box_len}) == 0);
	MUST(holepunch_payload_encode(&again, again_buf, sizeof again_buf) ==
	     len);
	MUST(memcmp(buf, again_buf, len) == 0);
	box[data[0] % box_len] ^= 1;
	MUST(holepunch_payload_open(
		 &again, secret, (struct bytes){box, box_len}) != 0);
	return 0;
}
