/* SPDX-License-Identifier: ISC */
/*
 * random.h - unpredictable bytes, fetched from the system in bulk.
 *
 * A token or a transaction id wants a few bytes at a time, and a system call
 * for each would cost more than the rest of the request. Bytes handed out are
 * wiped here.
 */
#ifndef NET_RANDOM_H
#define NET_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_POOL_LEN = 512 };

struct random_pool {
	uint8_t bytes[RANDOM_POOL_LEN];
	size_t left; /* unused ones, at the front */
};

void random_get(struct random_pool *p, void *out, size_t len);

#endif
