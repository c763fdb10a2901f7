/* SPDX-License-Identifier: ISC */
/*
 * hops.h - finds the private addresses of the nearest routers.
 *
 * Sends one datagram with a TTL of 1, 2 and 3 each, which the routers answer
 * with ICMP errors. Two routers in a row with private addresses, the outer one
 * not in the network of the inner one, are two NATs in a row, unless a larger
 * private network is routed. Uses: base.
 */
#ifndef NET_HOPS_H
#define NET_HOPS_H

#include <stdbool.h>

#include "base/addr.h"

enum { HOPS_MAX = 3 };

struct hops {
	int fd;                       /* -1: not sent */
	struct addr router[HOPS_MAX]; /* family ADDR_NONE: did not answer */
};

void hops_init(struct hops *h);
void hops_fini(struct hops *h);

/* Sends the datagrams towards a public address that their TTL cannot reach. */
void hops_send(struct hops *h);

/* Reads the answers so far. */
void hops_read(struct hops *h);

/* Returns how many of the nearest routers have a private address; -1 if the
 * nearest one did not answer. */
int hops_private(const struct hops *h);

#endif
