/* SPDX-License-Identifier: ISC */
#include <ifaddrs.h>
#include <string.h>

#include "daemon/hostaddr.h"
#include "daemon/sockaddr.h"

static void
add(struct hostaddr *h, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct addr a;

	if (sa == NULL || sa->sa_family != AF_INET || h->len == HOSTADDR_MAX)
		return;
	memcpy(&in, sa, sizeof in);
	a = addr_from_in(in.sin_addr, 0);
	if (addr_scope(&a) != ADDR_LOOPBACK)
		h->addr[h->len++] = a;
}

void
hostaddr_read(struct hostaddr *h)
{
	struct ifaddrs *all;

	h->len = 0;
	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		add(h, i->ifa_addr);
	freeifaddrs(all);
}

bool
hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b)
{
	return a->len == b->len &&
	       memcmp(a->addr, b->addr, a->len * sizeof *a->addr) == 0;
}
