/* SPDX-License-Identifier: ISC */
/*
 * hostaddr.h - the host's own IPv4 addresses, loopback left out.
 */
#ifndef DAEMON_HOSTADDR_H
#define DAEMON_HOSTADDR_H

#include <stdbool.h>

#include "base/addr.h"

enum { HOSTADDR_MAX = 64 };

struct hostaddr {
	struct addr addr[HOSTADDR_MAX];
	unsigned len;
};

/* More than HOSTADDR_MAX are not looked at. */
void hostaddr_read(struct hostaddr *h);

bool hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b);

#endif
