/* SPDX-License-Identifier: ISC */
/*
 * hostaddr.h - the addresses of this host: IPv4 without loopback, global IPv6.
 * Uses: base.
 */
#ifndef NET_HOSTADDR_H
#define NET_HOSTADDR_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/limits.h"

/* An address list in the order in which peers are to try it. */
struct hostaddr {
	/* IPv4 first; of each family first the one that the kernel sends from
	 * over the default route. */
	struct addr addr[HOSTADDR_MAX];
	uint8_t prefix_len[HOSTADDR_MAX]; /* of each address, in bits */
	unsigned len, v4_len;
};

/* Reads the addresses of all interfaces and ignores those after
 * HOSTADDR_MAX. */
void hostaddr_read(struct hostaddr *h);

/* Return true if all addresses, or all of IPv4, are equal. */
bool hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b);

bool hostaddr_equal_v4(const struct hostaddr *a, const struct hostaddr *b);

#endif
