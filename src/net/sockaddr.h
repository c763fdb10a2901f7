/* SPDX-License-Identifier: ISC */
/*
 * sockaddr.h - conversions between struct addr and the addresses of the kernel.
 * Uses: base.
 */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Holds an address of either family. */
union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static inline struct addr
addr_from_in(struct in_addr in, uint16_t port)
{
	struct addr a = {.port = port, .family = ADDR_V4};

	memcpy(a.ip, &in, sizeof in);
	return a;
}

static inline struct addr
addr_from_in6(struct in6_addr in, uint16_t port)
{
	struct addr a = {.port = port, .family = ADDR_V6};

	memcpy(a.ip, &in, sizeof in);
	return a;
}

static inline struct in_addr
addr_to_in(const struct addr *a)
{
	struct in_addr in;

	memcpy(&in, a->ip, sizeof in);
	return in;
}

static inline struct in6_addr
addr_to_in6(const struct addr *a)
{
	struct in6_addr in;

	memcpy(&in, a->ip, sizeof in);
	return in;
}

static inline struct addr
addr_from_sockaddr(const union sockaddr_any *s)
{
	if (s->sa.sa_family == AF_INET6)
		return addr_from_in6(s->in6.sin6_addr, ntohs(s->in6.sin6_port));
	return addr_from_in(s->in.sin_addr, ntohs(s->in.sin_port));
}

/* Converts the address. Returns its length for the kernel. */
static inline socklen_t
addr_to_sockaddr(const struct addr *a, union sockaddr_any *out)
{
	if (a->family == ADDR_V6) {
		out->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
		    .sin6_port = htons(a->port),
		    .sin6_addr = addr_to_in6(a)};
		return sizeof out->in6;
	}
	out->in = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(a->port),
	    .sin_addr = addr_to_in(a)};
	return sizeof out->in;
}

#endif
