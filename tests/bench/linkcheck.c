/* SPDX-License-Identifier: ISC */
/*
 * linkcheck A B RATE: measures what a link between the network namespaces A and
 * B, as link names them, does to datagrams from A to B: the delay of single
 * ones, the share of losses among many, and the rate at which half as much
 * again as RATE (bit/s) arrives. Opens a socket in each namespace and uses one
 * clock. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum {
	NS = 1000000000,
	IP_UDP = 28,
	FULL = 1500 - IP_UDP,
	SINGLE = 100, /* bytes, of those that are timed and counted */
	SINGLES = 40,
	COUNTED = 40000,
	COUNTED_GAP_NS = 25000, /* between two of them, at least */
	BURST = 16,             /* of full size that leave in one call */
	READ_MAX = 64,
	FLOOD_NS = NS,
	QUIET_MS = 500, /* longer than anything is under way */
	PORT = 7,
};

static int out, in;

static int
open_in(const char *namespace, const char *address, int bound)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(PORT)};
	int size = 1 << 22, segment = FULL, ns, fd;

	ns = open(namespace, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
		die(namespace);
	close(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	inet_pton(AF_INET, address, &at.sin_addr);
	if ((bound ? bind : connect)(fd, (void *)&at, sizeof at) != 0)
		die(address);
	return fd;
}

/* Sends datagrams of at most FULL bytes. */
static void
put(size_t len)
{
	static uint8_t bytes[FULL * BURST];

	if (send(out, bytes, len, 0) < 0 && errno != EAGAIN &&
	    errno != ENOBUFS && errno != ECONNREFUSED)
		die("send");
}

/* Receives some of them. Returns their size as IP packets. */
static uint64_t
take(uint64_t *count)
{
	static uint8_t bytes[1]; /* the contents do not matter */
	struct iovec iov = {bytes, sizeof bytes};
	struct mmsghdr msg[READ_MAX];
	uint64_t sum = 0;
	int n;

	for (int i = 0; i < READ_MAX; i++)
		msg[i].msg_hdr =
		    (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	n = recvmmsg(in, msg, READ_MAX, MSG_TRUNC, NULL);
	for (int i = 0; i < n; i++)
		sum += msg[i].msg_len + IP_UDP;
	*count = n > 0 ? (uint64_t)n : 0;
	return sum;
}

static int
wait_in(int ms)
{
	struct pollfd p = {.fd = in, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Returns the median delay of those that arrive. */
static uint64_t
measure_delay(void)
{
	uint64_t took[SINGLES], start, count;
	size_t n = 0;

	for (int i = 0; i < SINGLES; i++) {
		start = now_ns();
		put(SINGLE);
		if (!wait_in(QUIET_MS))
			continue;
		took[n++] = now_ns() - start;
		(void)take(&count);
	}
	if (n == 0)
		return 0;
	qsort(took, n, sizeof took[0], by_size);
	return took[n / 2];
}

/* Returns losses per million, at half the rate. */
static uint64_t
measure_loss(uint64_t rate)
{
	uint64_t gap = (uint64_t)(SINGLE + IP_UDP) * 16 * NS / rate;
	uint64_t arrived = 0, count, next = now_ns();

	if (gap < COUNTED_GAP_NS)
		gap = COUNTED_GAP_NS;
	for (int i = 0; i < COUNTED; i++, next += gap) {
		put(SINGLE);
		do {
			(void)take(&count);
			arrived += count;
		} while (now_ns() < next);
	}
	while (wait_in(QUIET_MS)) {
		(void)take(&count);
		arrived += count;
	}
	return (COUNTED - arrived) * 1000000 / COUNTED;
}

/* Returns the bit/s between the first and the last that arrives. */
static uint64_t
measure_rate(uint64_t rate)
{
	uint64_t burst = (uint64_t)BURST * (FULL + IP_UDP);
	uint64_t gap = burst * 8 * NS * 2 / 3 / rate;
	uint64_t begin = now_ns(), next = begin, now, count;
	uint64_t first = 0, last = 0, bytes = 0;

	for (now = begin; now - begin < FLOOD_NS; now = now_ns()) {
		for (; next <= now; next += gap)
			put((size_t)BURST * FULL);
		bytes += take(&count);
		if (count == 0)
			continue;
		last = now_ns();
		if (first == 0) {
			first = last;
			bytes = 0;
		}
	}
	return last <= first ? 0 : bytes * 8 * NS / (last - first);
}

int
main(int argc, char **argv)
{
	uint64_t rate, delay, loss, got;

	if (argc != 4) {
		fprintf(stderr, "linkcheck: see the head of linkcheck.c\n");
		return 2;
	}
	in = open_in(argv[2], "11.1.2.1", 1);
	out = open_in(argv[1], "11.1.2.1", 0);
	rate = (uint64_t)number(argv[3], 1000, 10L * NS);
	delay = measure_delay();
	loss = measure_loss(rate);
	got = measure_rate(rate);
	printf("{\"delay_us\":%llu,\"loss_ppm\":%llu,\"rate\":%llu}\n",
	    (unsigned long long)delay / 1000, (unsigned long long)loss,
	    (unsigned long long)got);
	return 0;
}
