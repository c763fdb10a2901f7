/* SPDX-License-Identifier: ISC */
/*
 * Reads forged messages at both ends of a Noise handshake. The keys are fixed,
 * so that genuine messages among the seeds complete it.
 */
#include "crypto/noise.h"
#include "fuzz.h"

static void
read1(const struct key_pair *own, struct bytes m)
{
	static const uint8_t seed[KEY_SEED_LEN] = {4};
	uint8_t out[NOISE_MESSAGE_MAX];
	struct noise n;
	struct noise_secrets s;

	if (noise_read1(&n, own, m, out) != 0) {
		static const struct noise none;

		MUST(memcmp(&n, &none, sizeof n) == 0);
		return;
	}
	MUST(noise_write2(&n, seed, (struct bytes){0}, out, &s) == 0);
}

static void
read2(const struct key_pair *own, const uint8_t *remote, struct bytes m)
{
	uint8_t seed[KEY_SEED_LEN], out[NOISE_MESSAGE_MAX];
	struct noise n, before;
	struct noise_secrets s;

	memset(seed, 3, sizeof seed);
	MUST(noise_write1(&n, own, remote, seed, (struct bytes){0}, out) == 0);
	before = n;
	noise_read2(&n, m, out, &s);
	MUST(memcmp(&n, &before, sizeof n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes m = {.p = data, .len = size};
	struct key_pair client, server;
	uint8_t seed[KEY_SEED_LEN];

	if (size > NOISE_MESSAGE_MAX)
		return 0;
	memset(seed, 1, sizeof seed);
	key_pair_from_seed(&client, seed);
	memset(seed, 2, sizeof seed);
	key_pair_from_seed(&server, seed);
	read1(&server, m);
	read2(&client, server.public_key, m);
	return 0;
}
