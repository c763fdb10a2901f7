/* SPDX-License-Identifier: ISC */
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/hostaddr.h"
#include "net/sockaddr.h"

/* Returns the prefix length of a network mask of `octets` bytes. */
static uint8_t
mask_len(const uint8_t *mask, size_t octets)
{
	uint8_t len = 0;

	while (len < octets * 8 && (mask[len / 8] & (0x80 >> len % 8)) != 0)
		len++;
	return len;
}

static void
add_addr(struct hostaddr *h, const struct addr *a, uint8_t prefix_len)
{
	if (h->len == HOSTADDR_MAX)
		return;
	h->addr[h->len] = *a;
	h->prefix_len[h->len++] = prefix_len;
}

static void
add_v4(struct hostaddr *h, const struct ifaddrs *i)
{
	struct sockaddr_in in, mask = {.sin_addr.s_addr = UINT32_MAX};
	struct addr a;

	memcpy(&in, i->ifa_addr, sizeof in);
	if (i->ifa_netmask != NULL)
		memcpy(&mask, i->ifa_netmask, sizeof mask);
	a = addr_from_in(in.sin_addr, 0);
	if (addr_scope(&a) != ADDR_LOOPBACK)
		add_addr(h, &a, mask_len((const uint8_t *)&mask.sin_addr, 4));
}

static void
add_v6(struct hostaddr *h, const struct ifaddrs *i)
{
	struct sockaddr_in6 in, mask = {0};
	struct addr a;

	memcpy(&in, i->ifa_addr, sizeof in);
	memset(&mask.sin6_addr, 0xff, sizeof mask.sin6_addr);
	if (i->ifa_netmask != NULL)
		memcpy(&mask, i->ifa_netmask, sizeof mask);
	a = addr_from_in6(in.sin6_addr, 0);
	if (addr_scope(&a) == ADDR_PUBLIC)
		add_addr(h, &a, mask_len(mask.sin6_addr.s6_addr, 16));
}

static void
add_family(struct hostaddr *h, const struct ifaddrs *all, int family,
    void (*add_one)(struct hostaddr *h, const struct ifaddrs *i))
{
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		/* A bridge without a carrier leads nowhere. */
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family &&
		    (i->ifa_flags & IFF_RUNNING) != 0)
			add_one(h, i);
}

/* Returns the address that the kernel sends from over the default route of a
 * family. Nothing is sent. */
static bool
read_source(const struct addr *far, struct addr *out)
{
	union sockaddr_any to, from;
	socklen_t len = addr_to_sockaddr(far, &to), from_len = sizeof from;
	int fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known = fd >= 0 && connect(fd, &to.sa, len) == 0 &&
		     getsockname(fd, &from.sa, &from_len) == 0;

	if (fd >= 0)
		close(fd);
	if (known)
		*out = addr_from_sockaddr(&from);
	return known;
}

/* Moves that address to the front of a family: peers receive the first few. */
static void
move_source_first(
    struct hostaddr *h, unsigned first, unsigned len, const struct addr *far)
{
	struct addr *list = h->addr + first, source;
	uint8_t *prefix_len = h->prefix_len + first, own;

	if (len < 2 || !read_source(far, &source))
		return;
	for (unsigned i = 0; i < len; i++)
		if (addr_same_host(&list[i], &source)) {
			own = prefix_len[i];
			memmove(list + 1, list, i * sizeof *list);
			memmove(prefix_len + 1, prefix_len, i);
			prefix_len[0] = own;
			list[0] = source;
			list[0].port = 0;
			return;
		}
}

void
hostaddr_read(struct hostaddr *h)
{
	/* Any public address has the default route. */
	const struct addr far4 = addr_v4(198, 51, 100, 1, 1);
	const struct addr far6 = {.ip = {0x20}, .port = 1, .family = ADDR_V6};
	struct ifaddrs *all;

	h->len = h->v4_len = 0;
	if (getifaddrs(&all) != 0)
		return;
	add_family(h, all, AF_INET, add_v4);
	h->v4_len = h->len;
	add_family(h, all, AF_INET6, add_v6);
	freeifaddrs(all);
	move_source_first(h, 0, h->v4_len, &far4);
	move_source_first(h, h->v4_len, h->len - h->v4_len, &far6);
}

bool
hostaddr_equal(const struct hostaddr *a, const struct hostaddr *b)
{
	return a->len == b->len && hostaddr_equal_v4(a, b) &&
	       memcmp(a->addr, b->addr, a->len * sizeof *a->addr) == 0 &&
	       memcmp(a->prefix_len, b->prefix_len, a->len) == 0;
}

bool
hostaddr_equal_v4(const struct hostaddr *a, const struct hostaddr *b)
{
	return a->v4_len == b->v4_len &&
	       memcmp(a->addr, b->addr, a->v4_len * sizeof *a->addr) == 0 &&
	       memcmp(a->prefix_len, b->prefix_len, a->v4_len) == 0;
}
