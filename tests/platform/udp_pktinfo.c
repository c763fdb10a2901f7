/* SPDX-License-Identifier: ISC */
/*
 * Assumption: a socket bound to all addresses learns by IP_PKTINFO which of
 * them a datagram was sent to, and sends from that address if ipi_spec_dst
 * names it, with no interface given; without, the kernel chooses another. The
 * option can be switched off again. An IPv6 socket with IPV6_V6ONLY shares its
 * port with one of IPv4; without it the second bind fails with EADDRINUSE.
 *
 * Relied on by: rx_batch.c (read_control), tx_batch.c (put_ipv4), sockets.c
 * (set_wants_local, bind_socket).
 */
#include "platform.h"

static const uint32_t first = INADDR_LOOPBACK, second = INADDR_LOOPBACK + 1;

/*
 * Reads a datagram. Returns the address it was sent to, or 0 if the kernel does
 * not report it.
 */
static uint32_t
receive(int fd, union any_address *from)
{
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))], byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr h = {.msg_name = from,
	    .msg_namelen = sizeof *from,
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	struct in_pktinfo info = {0};

	REQUIRE(recvmsg(fd, &h, 0) == 1);
	(void)get_control(&h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	return ntohl(info.ipi_addr.s_addr);
}

/* Sends from a local address; 0 leaves the choice to the kernel. */
static ssize_t
send_from(int fd, const union any_address *to, uint32_t local)
{
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
	struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(local)};
	struct iovec iov = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr h = {.msg_name = (void *)to,
	    .msg_namelen = address_len(to),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control};

	if (local != 0)
		put_control(&h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	else
		h.msg_control = NULL;
	return sendmsg(fd, &h, 0);
}

static void
check_families(in_port_t port)
{
	union any_address all = {
	    .in6 = {.sin6_family = AF_INET6, .sin6_port = port}};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0)
		skip("no IPv6: %m");
	REQUIRE(bind(fd, &all.sa, sizeof all.in6) < 0 && errno == EADDRINUSE);
	set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	REQUIRE(bind(fd, &all.sa, sizeof all.in6) == 0);
}

int
main(void)
{
	union any_address all = {.in.sin_family = AF_INET}, from;
	union any_address client = loopback(AF_INET), server = client;
	int in = bind_udp(&all), out = bind_udp(&client);

	server.in.sin_port = all.in.sin_port;
	server.in.sin_addr.s_addr = htonl(second);
	set_option(in, IPPROTO_IP, IP_PKTINFO, 1);
	REQUIRE(send_from(out, &server, 0) == 1);
	REQUIRE(receive(in, &from) == second);
	REQUIRE(send_from(in, &from, second) == 1);
	receive(out, &from);
	REQUIRE(ntohl(from.in.sin_addr.s_addr) == second);
	REQUIRE(send_from(in, &client, 0) == 1);
	receive(out, &from);
	REQUIRE(ntohl(from.in.sin_addr.s_addr) == first);
	/* An address that the host does not have (any more). */
	REQUIRE(send_from(in, &client, 0xc0000201) < 0);

	set_option(in, IPPROTO_IP, IP_PKTINFO, 0);
	REQUIRE(send_from(out, &server, 0) == 1);
	REQUIRE(receive(in, &from) == 0);
	check_families(all.in.sin_port);
	return 0;
}
