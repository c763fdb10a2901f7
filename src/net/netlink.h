/* SPDX-License-Identifier: ISC */
/*
 * netlink.h - notifies the owner when the host's addresses change.
 *
 * rtnetlink(7) signals when to read them; a renewed lease is not a change.
 * Uses: base, libevent.
 */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "net/hostaddr.h"

struct event;
struct event_base;

/* The rtnetlink socket and the addresses read last. */
struct netlink {
	struct hostaddr host;
	struct event *readable, *settled;
	int fd;
	/* ipv4 is false if only IPv6 addresses have changed. */
	void (*changed)(void *owner, bool ipv4);
	void *owner;
};

/* Reads the addresses and watches them. Returns 0, or ERR_SOCKET or ERR_MEMORY:
 * then host is valid, but changes are not detected. */
int netlink_init(struct netlink *n, struct event_base *base,
    void (*changed)(void *owner, bool ipv4), void *owner);
/* Stops watching; also valid after a failed netlink_init(). */
void netlink_fini(struct netlink *n);

#endif
