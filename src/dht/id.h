/* SPDX-License-Identifier: ISC */
/*
 * id.h - node ids and their XOR metric (Kademlia; protocol 01 §5).
 *
 * An id is BLAKE2b-256 of the six wire bytes of an IPv4 address, so it proves
 * as much as the address does and no more. Uses: base, libsodium.
 */
#ifndef DHT_ID_H
#define DHT_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"

enum { ID_LEN = 32, ID_BITS = 256 };

/* The id of the node at *a; a must be IPv4. */
void id_of_addr(uint8_t id[ID_LEN], const struct addr *a);

static inline bool
id_equal(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN])
{
	return memcmp(a, b, ID_LEN) == 0;
}

/* Number of leading bits that a and b share, 0 to 256. */
unsigned id_shared_bits(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN]);

/* Below 0 if a is nearer to the target than b, 0 if a equals b. */
int id_compare(const uint8_t target[ID_LEN], const uint8_t a[ID_LEN],
    const uint8_t b[ID_LEN]);

/* The first 64 bits of an id as a number, most significant byte first. */
static inline uint64_t
id_head(const uint8_t id[ID_LEN])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | id[i];
	return v;
}

#endif
