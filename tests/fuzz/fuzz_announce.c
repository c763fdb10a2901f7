/* SPDX-License-Identifier: ISC */
/* Decodes announces and unannounces; the signature is verified as well. */
#include "base/world.h"
#include "fuzz.h"
#include "records/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t zero[HASH_LEN];
	struct announce_scope scope = {zero, zero, zero};
	uint8_t buf[DGRAM_MAX];
	struct announce m, again;
	size_t len;

	if (size > DGRAM_MAX || announce_decode(&m, data, size) != 0)
		return 0;
	len = announce_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(announce_decode(&again, buf, len) == 0);
	MUST((m.peer.key == NULL) == (again.peer.key == NULL));
	MUST((m.refresh == NULL) == (again.refresh == NULL));
	MUST((m.signature == NULL) == (again.signature == NULL));
	MUST(m.bump == again.bump);
	/*
	 * Both are signed over the same bytes, so both must give the same
	 * result.
	 */
	if (m.peer.key != NULL && m.signature != NULL)
		MUST(announce_verify(&m, NS_ANNOUNCE, &scope) ==
		     announce_verify(&again, NS_ANNOUNCE, &scope));
	return 0;
}
