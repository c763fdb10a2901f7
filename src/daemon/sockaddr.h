/* SPDX-License-Identifier: ISC */
/*
 * sockaddr.h - between struct addr and what the kernel takes; IPv4 alone, as
 * the network is (spec 01 §1).
 */
#ifndef DAEMON_SOCKADDR_H
#define DAEMON_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"

static inline struct addr
addr_from_in(struct in_addr in, uint16_t port)
{
	struct addr a = {.port = port, .family = ADDR_V4};

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

static inline struct sockaddr_in
addr_to_sockaddr(const struct addr *a)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(a->port),
	    .sin_addr = addr_to_in(a)};
}

#endif
