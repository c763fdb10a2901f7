/* SPDX-License-Identifier: ISC */
/*
 * netlink.h - tells when the host's addresses have changed.
 *
 * The kernel says when to look (rtnetlink(7)); a lease that was merely renewed
 * is no change.
 */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "net/hostaddr.h"

struct event;
struct event_base;

struct netlink {
	struct hostaddr host;
	struct event *readable, *settled;
	int fd;
	/* ipv4: not only those of IPv6. */
	void (*changed)(void *owner, bool ipv4);
	void *owner;
};

/* 0, or -1 (errno): then changes go unnoticed. host is filled in any case. */
int netlink_init(struct netlink *n, struct event_base *base,
    void (*changed)(void *owner, bool ipv4), void *owner);
void netlink_fini(struct netlink *n);

#endif
