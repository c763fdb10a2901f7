/* SPDX-License-Identifier: ISC */
#include "daemon/crypto_speed.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "crypto/noise.h"

enum {
	MEASURE_US = 10000,
	QUARTER = 4,
	RATE_MIN = 100, /* operations per second, on the slowest machine */
	RATE_MAX = 1000000,
};

/* Processor time, so that other programs do not count. */
static uint64_t
cpu_us(void)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Reads and answers one handshake, as a listener does. */
static void
compute_handshake(const struct key_pair *server, struct bytes message)
{
	static const uint8_t seed[KEY_SEED_LEN] = {3};
	uint8_t plain[1], answer[NOISE_2_OVERHEAD];
	struct noise_secrets secrets;
	struct noise n;

	if (noise_read1(&n, server, message, plain) != 0)
		return;
	if (noise_write2(
		&n, seed, (struct bytes){plain, 0}, answer, &secrets) == 0)
		noise_secrets_wipe(&secrets);
	noise_wipe(&n);
}

/* Returns the curve operations per second of one core. */
static uint64_t
measure_operations(void)
{
	static const uint8_t seeds[2][KEY_SEED_LEN] = {{1}, {2}};
	struct key_pair client, server;
	uint8_t message[NOISE_1_OVERHEAD], empty = 0;
	uint64_t begin_us, us = 0, handshakes = 0;
	struct noise n;

	key_pair_from_seed(&client, seeds[0]);
	key_pair_from_seed(&server, seeds[1]);
	if (noise_write1(&n, &client, server.public_key, seeds[0],
		(struct bytes){&empty, 0}, message) != 0)
		return 0;
	noise_wipe(&n);
	begin_us = cpu_us();
	while (us < MEASURE_US) {
		compute_handshake(
		    &server, (struct bytes){message, sizeof message});
		handshakes++;
		us = cpu_us() - begin_us;
	}
	return handshakes * NOISE_OPERATIONS * 1000000 / us;
}

void
crypto_speed_set(struct limits *l)
{
	static uint64_t rate;

	if (l->handshake_operations != 0)
		return;
	if (rate == 0)
		rate = measure_operations() / QUARTER;
	if (rate < RATE_MIN)
		rate = RATE_MIN;
	l->handshake_operations = (uint32_t)(rate < RATE_MAX ? rate : RATE_MAX);
}
