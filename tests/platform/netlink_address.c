/* SPDX-License-Identifier: ISC */
/*
 * Assumption: a netlink socket in the groups RTMGRP_IPV4_IFADDR and
 * RTMGRP_IPV6_IFADDR becomes readable when an address of the host is added or
 * deleted, no privilege needed. If so many changes come that its buffer
 * overflows, recv() fails with ENOBUFS once and later messages are received:
 * a reader that reads all addresses afresh misses nothing.
 *
 * Relied on by: netlink.c (listen_for_addresses, on_readable).
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "platform.h"

enum { ADDRESS = 0x0a090901, CHANGES = 500 };

static int
listen_for_addresses(void)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);

	REQUIRE(bind(fd, (void *)&at, sizeof at) == 0);
	return fd;
}

/* Reads all that waits. Returns how many messages of the type there were. */
static int
count(int fd, int type)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	struct nlmsghdr *n;
	int found = 0;
	ssize_t len;

	while ((len = recv(fd, buf, sizeof buf, 0)) > 0) {
		n = (void *)buf;
		REQUIRE((size_t)len >= sizeof *n);
		found += n->nlmsg_type == type;
	}
	REQUIRE(errno == EAGAIN);
	return found;
}

static bool
overflows(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof buf, 0) > 0)
		;
	return errno == ENOBUFS;
}

/* Adds or deletes an IPv6 address of the loopback device. */
static void
change_ipv6(unsigned long request)
{
	struct {
		struct in6_addr address;
		uint32_t prefix;
		int device;
	} r = {.prefix = 128, .device = (int)if_nametoindex("lo")};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0)
		skip("no IPv6: %m");
	r.address.s6_addr[0] = 0xfd;
	REQUIRE(ioctl(fd, request, &r) == 0);
	close(fd);
}

int
main(void)
{
	int fd;

	enter_new_network();
	fd = listen_for_addresses();
	REQUIRE(count(fd, RTM_NEWADDR) == 0);
	set_address("lo:1", ADDRESS);
	REQUIRE(count(fd, RTM_NEWADDR) > 0);
	set_address("lo:1", 0);
	REQUIRE(count(fd, RTM_DELADDR) > 0);

	set_option(fd, SOL_SOCKET, SO_RCVBUF, 1);
	for (int i = 0; i < CHANGES; i++)
		set_address("lo:1", ADDRESS + (uint32_t)i % 2);
	REQUIRE(overflows(fd));
	count(fd, 0);
	set_address("lo:1", 0);
	REQUIRE(count(fd, RTM_DELADDR) > 0);

	change_ipv6(SIOCSIFADDR);
	REQUIRE(count(fd, RTM_NEWADDR) > 0);
	change_ipv6(SIOCDIFADDR);
	REQUIRE(count(fd, RTM_DELADDR) > 0);
	return 0;
}
