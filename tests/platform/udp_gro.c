/* SPDX-License-Identifier: ISC */
/*
 * Assumption: with UDP_GRO a message may be several datagrams of one sender.
 * A control message then carries their length as an int, only the last
 * datagram may be shorter, and no message exceeds 65535 bytes. Datagrams of
 * different senders are never joined.
 *
 * Relied on by: rx_batch.c (rx_batch_next), sockets.c (set_options).
 */
#include <netinet/udp.h>

#include "platform.h"

enum { SEGMENT = 1000, LAST = 300, SEGMENTS = 6, READ_MAX = 65535 };

static char bytes[READ_MAX];

static void
send_burst(int fd, const union any_address *to, size_t len)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct iovec iov = {.iov_base = bytes, .iov_len = len};
	struct msghdr h = {.msg_name = (void *)to,
	    .msg_namelen = address_len(to),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control};
	uint16_t segment = SEGMENT;

	put_control(&h, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
	REQUIRE(sendmsg(fd, &h, 0) == (ssize_t)len);
}

/* Returns the length of the next message; *segment is 0 if it is not joined. */
static ssize_t
receive(int fd, int *segment, union any_address *from)
{
	char control[CMSG_SPACE(sizeof(int)) * 2];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
	struct msghdr h = {.msg_name = from,
	    .msg_namelen = sizeof *from,
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &h, 0);

	*segment = 0;
	if (n >= 0)
		(void)get_control(
		    &h, SOL_UDP, UDP_GRO, segment, sizeof *segment);
	REQUIRE(n < 0 || (h.msg_flags & MSG_TRUNC) == 0);
	return n;
}

static void
check_family(int family)
{
	union any_address to = loopback(family), a = to, b = to, from;
	const size_t len = (SEGMENTS - 1) * SEGMENT + LAST;
	int in = bind_udp(&to), one = bind_udp(&a), two = bind_udp(&b);
	int segment, joined = 0;
	size_t got = 0;
	ssize_t n;

	set_option(in, SOL_UDP, UDP_GRO, 1);
	send_burst(one, &to, len);
	send_burst(two, &to, len);
	while ((n = receive(in, &segment, &from)) > 0) {
		REQUIRE(segment == 0 ? n <= SEGMENT : segment == SEGMENT);
		joined += segment != 0;
		got += (size_t)n;
		/* A message ends where the sender's burst does. */
		REQUIRE((size_t)n <= len);
		REQUIRE(
		    (got <= len) == (memcmp(&from, &a, address_len(&a)) == 0));
	}
	REQUIRE(got == 2 * len && errno == EAGAIN);
	if (joined == 0)
		skip("the loopback device joins nothing");

	REQUIRE(sendto(one, bytes, 7, 0, &to.sa, address_len(&to)) == 7);
	REQUIRE(receive(in, &segment, &from) == 7 && segment == 0);
}

int
main(void)
{
	union any_address a = loopback(AF_INET);
	int on = 1;

	if (setsockopt(bind_udp(&a), SOL_UDP, UDP_GRO, &on, sizeof on) != 0)
		skip("no UDP_GRO: %m");
	check_family(AF_INET);
	check_family(AF_INET6);
	return 0;
}
