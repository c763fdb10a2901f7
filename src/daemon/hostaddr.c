/* SPDX-License-Identifier: ISC */
#include <ifaddrs.h>
#include <string.h>

#include "daemon/hostaddr.h"
#include "daemon/sockaddr.h"

static void
add(struct hostaddr *h, const struct addr *a)
{
	if (h->len < HOSTADDR_MAX)
		h->addr[h->len++] = *a;
}

static void
add_v4(struct hostaddr *h, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct addr a;

	memcpy(&in, sa, sizeof in);
	a = addr_from_in(in.sin_addr, 0);
	if (addr_scope(&a) != ADDR_LOOPBACK)
		add(h, &a);
}

static void
add_v6(struct hostaddr *h, const struct sockaddr *sa)
{
	struct addr a = {.family = ADDR_V6};
	struct sockaddr_in6 in;

	memcpy(&in, sa, sizeof in);
	memcpy(a.ip, &in.sin6_addr, sizeof a.ip);
	if (addr_scope(&a) == ADDR_PUBLIC)
		add(h, &a);
}

static void
add_family(struct hostaddr *h, const struct ifaddrs *all, int family,
    void (*add_one)(struct hostaddr *h, const struct sockaddr *sa))
{
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family)
			add_one(h, i->ifa_addr);
}

void
hostaddr_read(struct hostaddr *h)
{
	struct ifaddrs *all;

	h->len = h->v4_len = 0;
	if (getifaddrs(&all) != 0)
		return;
	add_family(h, all, AF_INET, add_v4);
	h->v4_len = h->len;
	add_family(h, all, AF_INET6, add_v6);
	freeifaddrs(all);
}

bool
hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b)
{
	return a->len == b->len && hostaddr_equal_v4(a, b) &&
	       memcmp(a->addr, b->addr, a->len * sizeof *a->addr) == 0;
}

bool
hostaddr_equal_v4(const struct hostaddr *a, const struct hostaddr *b)
{
	return a->v4_len == b->v4_len &&
	       memcmp(a->addr, b->addr, a->v4_len * sizeof *a->addr) == 0;
}
