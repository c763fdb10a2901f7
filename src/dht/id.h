/* SPDX-License-Identifier: ISC */
/*
 * id.h - node ids and their XOR metric (Kademlia; protocol 01 §5).
 *
 * An id is the BLAKE2b-256 hash of the six wire bytes of an IPv4 address, so it
 * can be verified by the address of its sender. Uses: base, libsodium.
 */
#ifndef DHT_ID_H
#define DHT_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"

enum { ID_LEN = 32, ID_BITS = 256 };

/* Computes the id of the node at *a, which must be IPv4. */
void id_of_addr(uint8_t id[ID_LEN], const struct addr *a);

static inline bool
id_equal(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN])
{
	return memcmp(a, b, ID_LEN) == 0;
}

/* Returns the number of leading bits that a and b share, 0 to 256. */
unsigned id_shared_bits(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN]);

/* Returns a value below 0 if a is nearer to the target than b, 0 if they are
 * equal, else above 0. */
int id_compare(const uint8_t target[ID_LEN], const uint8_t a[ID_LEN],
    const uint8_t b[ID_LEN]);

/* Returns the first 64 bits of an id as a number, in network byte order. */
static inline uint64_t
id_head(const uint8_t id[ID_LEN])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | id[i];
	return v;
}

#endif
