/* SPDX-License-Identifier: ISC */
/*
 * Assumption: sendmmsg() returns how many datagrams it sent before the first
 * that failed, and reports the error only when that one is the first. So a
 * caller that skips it loses no other datagram. An ICMP error of an earlier
 * datagram is not reported by a socket that is not connected. recvmmsg() with
 * MSG_DONTWAIT returns what there is, in order, and overwrites the name length.
 *
 * Relied on by: tx_queue.c (send_some, send_split), rx_batch.c (rx_batch_read,
 * reset_lengths).
 */
#include "platform.h"

enum { MESSAGES = 3, TOO_LONG = 65536 };

static char bytes[TOO_LONG];

static void
fill(struct mmsghdr *m, struct iovec *iov, union any_address *names, size_t len)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec){bytes + i, len};
		m[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
		    .msg_namelen = sizeof names[i],
		    .msg_iov = &iov[i],
		    .msg_iovlen = 1};
	}
}

static void
check_send(int fd, const union any_address *to)
{
	union any_address names[MESSAGES] = {*to, *to, *to};
	struct iovec iov[MESSAGES];
	struct mmsghdr m[MESSAGES];

	fill(m, iov, names, 1);
	for (size_t i = 0; i < MESSAGES; i++)
		m[i].msg_hdr.msg_namelen = address_len(to);
	bytes[0] = 'a';
	bytes[2] = 'c';
	iov[1] = (struct iovec){bytes, TOO_LONG};
	REQUIRE(sendmmsg(fd, m, 3, 0) == 1);
	REQUIRE(sendmmsg(fd, m + 1, 2, 0) == -1 && errno == EMSGSIZE);
	REQUIRE(sendmmsg(fd, m + 2, 1, 0) == 1);
}

static void
check_receive(int fd, const union any_address *from)
{
	union any_address names[MESSAGES];
	struct iovec iov[MESSAGES];
	struct mmsghdr m[MESSAGES];

	fill(m, iov, names, 1);
	REQUIRE(recvmmsg(fd, m, MESSAGES, MSG_DONTWAIT, NULL) == 2);
	REQUIRE(bytes[0] == 'a' && bytes[1] == 'c');
	REQUIRE(m[0].msg_len == 1 && m[1].msg_len == 1);
	REQUIRE(m[0].msg_hdr.msg_namelen == address_len(from));
	REQUIRE(memcmp(&names[0], from, address_len(from)) == 0);
	REQUIRE(recvmmsg(fd, m, MESSAGES, MSG_DONTWAIT, NULL) == -1);
	REQUIRE(errno == EAGAIN);
}

/* The first datagram to a closed port is answered by ICMP before the second. */
static void
check_refusal(int fd, int closed, const union any_address *to)
{
	close(closed);
	for (int i = 0; i < 3; i++)
		REQUIRE(sendto(fd, "x", 1, 0, &to->sa, address_len(to)) == 1);
	REQUIRE(recv(fd, bytes, 1, 0) == -1 && errno == EAGAIN);
}

static void
check_family(int family)
{
	union any_address to = loopback(family), from = to;
	int in = bind_udp(&to), out = bind_udp(&from);

	check_send(out, &to);
	check_receive(in, &from);
	check_refusal(out, in, &to);
}

int
main(void)
{
	check_family(AF_INET);
	check_family(AF_INET6);
	return 0;
}
