/* SPDX-License-Identifier: ISC */
/*
 * hostaddr.h - the host's own addresses: IPv4 without loopback, global IPv6.
 */
#ifndef NET_HOSTADDR_H
#define NET_HOSTADDR_H

#include <stdbool.h>

#include "base/addr.h"

enum { HOSTADDR_MAX = 64 };

struct hostaddr {
	/* IPv4 first; of IPv6 first that which the kernel sends from. */
	struct addr addr[HOSTADDR_MAX];
	unsigned len, v4_len;
};

/* More than HOSTADDR_MAX are not looked at. */
void hostaddr_read(struct hostaddr *h);

bool hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b);

/* The same of the IPv4 addresses alone. */
bool hostaddr_equal_v4(const struct hostaddr *a, const struct hostaddr *b);

#endif
