/* SPDX-License-Identifier: ISC */
/* Decodes lookup replies, peer by peer. */
#include "base/world.h"
#include "fuzz.h"
#include "records/record.h"

enum { PEERS_MAX = DGRAM_MAX / (KEY_LEN + 1) + 1 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX + 16];
	struct peer_record peers[PEERS_MAX];
	struct lookup_reply m, again;
	uint64_t bump, bump_again;
	size_t n = 0, len;

	if (size > DGRAM_MAX || lookup_decode(&m, &bump, data, size) != 0)
		return 0;
	while (lookup_next(&m, &peers[n])) {
		MUST(peers[n].key != NULL);
		MUST(++n < PEERS_MAX);
	}
	len = lookup_encode(peers, n, bump, buf, sizeof buf);
	MUST(len > 0 && len <= size + 1); /* the bump may have been left out */
	MUST(lookup_decode(&again, &bump_again, buf, len) == 0);
	MUST(bump == bump_again && again.left == n);
	return 0;
}
