/* SPDX-License-Identifier: ISC */
/*
 * Assumption: a UDP socket with a full send buffer fails with EAGAIN and is
 * not writable; it becomes writable, as epoll reports, when the device or the
 * kernel has released datagrams. Nothing of a refused datagram is sent.
 *
 * Shown by datagrams that wait for a neighbour which never answers.
 *
 * Relied on by: tx_queue.c (must_wait), sockets.c (schedule_retry,
 * on_writable).
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/epoll.h>

#include "platform.h"

enum { LEN = 1000, BUFFER = 20000, LOCAL = 0x0a090901, WAIT_MS = 10000 };

/* Creates an Ethernet device that nothing answers on. */
static void
make_device(void)
{
	struct ifreq r = {
	    .ifr_name = "quiet0", .ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0)
		skip("no TAP device can be created: %m");
	set_address(r.ifr_name, LOCAL);
	set_device(r.ifr_name, true, 0);
}

static ssize_t
send_one(int fd)
{
	union any_address to = {.in = {.sin_family = AF_INET,
				    .sin_port = htons(9),
				    .sin_addr.s_addr = htonl(LOCAL + 1)}};
	static const char bytes[LEN];

	return sendto(fd, bytes, LEN, 0, &to.sa, address_len(&to));
}

int
main(void)
{
	struct epoll_event e = {.events = EPOLLOUT};
	union any_address at = {.in.sin_family = AF_INET};
	int ep = epoll_create1(0), fd, sent = 0;

	enter_new_network();
	make_device();
	fd = bind_udp(&at);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, BUFFER);
	REQUIRE(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	REQUIRE(epoll_wait(ep, &e, 1, 0) == 1 && (e.events & EPOLLOUT));

	while (send_one(fd) == LEN)
		REQUIRE(++sent < 1000);
	REQUIRE(errno == EAGAIN);
	REQUIRE(sent > 1);
	REQUIRE(epoll_wait(ep, &e, 1, 0) == 0);

	/* The kernel drops what waits for the neighbour. */
	set_device("quiet0", false, 0);
	REQUIRE(epoll_wait(ep, &e, 1, WAIT_MS) == 1 && (e.events & EPOLLOUT));
	return 0;
}
