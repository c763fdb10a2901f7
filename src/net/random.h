/* SPDX-License-Identifier: ISC */
/*
 * random.h - unpredictable bytes, fetched from the system in bulk.
 *
 * A token or a transaction id needs a few bytes, and a system call for each
 * would cost more than the rest of the request. Bytes are wiped from the pool
 * when they are returned. Uses: libsodium.
 */
#ifndef NET_RANDOM_H
#define NET_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_POOL_LEN = 512 };

/* Zero before the first use. */
struct random_pool {
	uint8_t bytes[RANDOM_POOL_LEN];
	size_t left; /* unused bytes, at the front */
};

/* Fills out with random bytes. */
void random_get(struct random_pool *p, void *out, size_t len);

#endif
