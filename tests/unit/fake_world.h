/* SPDX-License-Identifier: ISC */
/*
 * fake_world.h - a world without a network, for tests.
 *
 * Keeps what the core sends until the test has looked at it, bursts cut into
 * their datagrams as the network would carry them. Hands out socket handles,
 * and takes its random bytes from a seed. Time stands still until the test
 * moves it. Running out of memory ends the test.
 */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include "base/world.h"

enum {
	FAKE_SOCKS_MAX = 320,
	FAKE_NAMES_MAX = 64,
	FAKE_PORT_ANY = 40000, /* handle h is bound here + h if it may be any */
};

struct fake_sent {
	struct dgram_meta meta;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

struct fake_name {
	char name[256];
	uint32_t ticket;
};

struct fake_sock {
	bool open;
	struct addr bound;
};

struct fake_world {
	struct world w; /* first, so that the core's pointer leads back here */

	/* What was sent since fake_clear(), oldest first. */
	struct fake_sent *sent;
	size_t sent_len, sent_cap;
	size_t batch_max; /* datagrams until it is full; 0: never */

	struct fake_sock socks[FAKE_SOCKS_MAX];
	uint16_t taken_first, taken_last; /* ports that open() refuses */

	/* Names asked for and not yet taken with fake_name_taken(). */
	struct fake_name names[FAKE_NAMES_MAX];
	size_t names_len;

	uint64_t seed;
	size_t reserved; /* 0 unless something waits for commit */
	struct dgram_meta meta;
	uint8_t room[WORLD_BURST_MAX];
};

/* Starts at one hour of uptime on the first day of 2026. */
void fake_init(struct fake_world *fw, uint64_t seed);
void fake_fini(struct fake_world *fw);

void fake_advance_ms(struct fake_world *fw, uint64_t ms);

/* Forgets what was sent. */
void fake_clear(struct fake_world *fw);

/* The latest datagram sent, or NULL. */
const struct fake_sent *fake_last(const struct fake_world *fw);

/* Takes the oldest name asked for; false if there is none. */
bool fake_name_taken(struct fake_world *fw, struct fake_name *out);

/* The next number of the world's own stream, for choices of the test. */
uint64_t fake_random64(struct fake_world *fw);

#endif
