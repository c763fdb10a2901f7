/* SPDX-License-Identifier: ISC */
/*
 * Assumption: IP_TTL and IP_TOS (IPV6_HOPLIMIT and IPV6_TCLASS) as control
 * messages, each an int, hold for one datagram. The next one of the same
 * socket, even of the same sendmmsg(), has the defaults again.
 *
 * Relied on by: tx_batch.c (put_ipv4, put_ipv6); punching sends probes that
 * must not reach the peer's network.
 */
#include "platform.h"

enum { LOW = 3, ECN = 2 };

struct names {
	int family, level, ttl, ecn, receive_ttl, receive_ecn;
};

static int
default_ttl(int fd, const struct names *n)
{
	return n->family == AF_INET6
		   ? get_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS)
		   : get_option(fd, IPPROTO_IP, IP_TTL);
}

/* Sends three datagrams by one call, of which the second has its own TTL. */
static void
send_three(int fd, const struct names *n, union any_address *to)
{
	char control[2 * CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m[3];
	int ttl = LOW, ecn = ECN;

	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){.msg_name = to,
		    .msg_namelen = address_len(to),
		    .msg_iov = &iov,
		    .msg_iovlen = 1};
	m[1].msg_hdr.msg_control = control;
	put_control(&m[1].msg_hdr, n->level, n->ttl, &ttl, sizeof ttl);
	put_control(&m[1].msg_hdr, n->level, n->ecn, &ecn, sizeof ecn);
	REQUIRE(sendmmsg(fd, m, 3, 0) == 3);
}

static void
require_next(int fd, const struct names *n, int ttl, int ecn)
{
	char control[2 * CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	int got_ttl = -1, got_ecn = 0;

	REQUIRE(recvmsg(fd, &h, 0) == 1);
	REQUIRE(get_control(&h, n->level, n->ttl, &got_ttl, sizeof(int)));
	/* Received as one byte by IPv4, as an int by IPv6. */
	REQUIRE(get_control(&h, n->level, n->ecn, &got_ecn,
	    n->family == AF_INET6 ? sizeof(int) : 1));
	REQUIRE(got_ttl == ttl);
	REQUIRE(got_ecn == ecn);
}

static void
check_family(const struct names *n)
{
	union any_address to = loopback(n->family), from = to;
	int in = bind_udp(&to), out = bind_udp(&from);
	int normal = default_ttl(out, n);

	REQUIRE(normal > LOW);
	set_option(in, n->level, n->receive_ttl, 1);
	set_option(in, n->level, n->receive_ecn, 1);
	send_three(out, n, &to);
	require_next(in, n, normal, 0);
	require_next(in, n, LOW, ECN);
	require_next(in, n, normal, 0);
	REQUIRE(default_ttl(out, n) == normal);
}

int
main(void)
{
	check_family(&(struct names){
	    AF_INET, IPPROTO_IP, IP_TTL, IP_TOS, IP_RECVTTL, IP_RECVTOS});
	check_family(&(struct names){AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT,
	    IPV6_TCLASS, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS});
	return 0;
}
