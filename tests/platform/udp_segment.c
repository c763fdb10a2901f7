/* SPDX-License-Identifier: ISC */
/*
 * Assumption: a kernel that knows UDP_SEGMENT cuts a message of up to 64
 * segments and 64000 bytes, by a control message that holds for this message
 * alone. What it cannot cut it refuses as a whole, with EINVAL or EMSGSIZE,
 * and sends nothing of it.
 *
 * Relied on by: tx_queue.c (cannot_split, send_some), tx_batch.c
 * (tx_batch_fits), base/world.h (WORLD_BURST_MAX, WORLD_BURST_SEGMENTS).
 */
#include <netinet/udp.h>

#include "platform.h"

enum { BURST_MAX = 64000, BURST_SEGMENTS = 64, KERNEL_MAX = 128 };

static char bytes[70000];
static union any_address to;
static int in, out;

/* Returns 0, or the error. */
static int
send_burst(size_t len, uint16_t segment)
{
	char control[CMSG_SPACE(sizeof segment)] = {0};
	struct iovec iov = {.iov_base = bytes, .iov_len = len};
	struct msghdr h = {.msg_name = &to,
	    .msg_namelen = address_len(&to),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control};
	ssize_t n;

	put_control(&h, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
	n = sendmsg(out, &h, 0);
	REQUIRE(n < 0 || n == (ssize_t)len);
	return n < 0 ? errno : 0;
}

/*
 * The next datagrams are full segments, and perhaps a shorter one; no others.
 */
static void
require_datagrams(size_t len, size_t segment)
{
	for (; len > 0; len -= len < segment ? len : segment)
		REQUIRE(recv(in, bytes, sizeof bytes, 0) ==
			(ssize_t)(len < segment ? len : segment));
	REQUIRE(recv(in, bytes, sizeof bytes, 0) < 0 && errno == EAGAIN);
}

static void
require_sent(size_t len, uint16_t segment)
{
	REQUIRE(send_burst(len, segment) == 0);
	require_datagrams(len, segment);
}

static void
require_refused(size_t len, uint16_t segment)
{
	int error = send_burst(len, segment);

	printf(
	    "%zu bytes in segments of %d: %s\n", len, segment, strerror(error));
	REQUIRE(error == EINVAL || error == EMSGSIZE);
	require_datagrams(0, segment);
}

static void
check_family(int family)
{
	union any_address from = to = loopback(family);

	in = bind_udp(&to);
	out = bind_udp(&from);
	require_sent(BURST_MAX, BURST_MAX / BURST_SEGMENTS);
	require_sent(63 * 900 + 10, 900);
	require_sent(2, 1);
	require_sent(BURST_SEGMENTS, 1);
	require_refused((KERNEL_MAX + 1) * 100, 100);
	require_refused(66000, 1100);

	/* The option has not changed: the next message is one datagram. */
	REQUIRE(get_option(out, SOL_UDP, UDP_SEGMENT) == 0);
	REQUIRE(sendto(out, bytes, 5000, 0, &to.sa, address_len(&to)) == 5000);
	require_datagrams(5000, 5000);
}

int
main(void)
{
	union any_address a = loopback(AF_INET);
	int value;
	socklen_t len = sizeof value;

	if (getsockopt(bind_udp(&a), SOL_UDP, UDP_SEGMENT, &value, &len) != 0)
		skip("no UDP_SEGMENT: %m");
	check_family(AF_INET);
	check_family(AF_INET6);
	return 0;
}
