/* SPDX-License-Identifier: ISC */
/*
 * Assumption: SO_RCVBUF and SO_SNDBUF above what the host allows do not fail:
 * the kernel applies its maximum, and reports twice the value. A full receive
 * buffer drops the newest datagrams, which the sender does not notice, and
 * keeps the oldest in order.
 *
 * Relied on by: sockets.c (set_options).
 */
#include "platform.h"

enum { WANTED = 1 << 30, SMALL = 8192, SENT = 500 };

/*
 * Returns the maximum that the host configures, or 0 if that is not readable.
 */
static int
host_max(const char *path)
{
	FILE *f = fopen(path, "r");
	int value = 0;

	if (f == NULL || fscanf(f, "%d", &value) != 1)
		value = 0;
	if (f != NULL)
		fclose(f);
	return value;
}

static void
check_limit(int fd, int name, const char *path)
{
	int max = host_max(path), got;

	set_option(fd, SOL_SOCKET, name, WANTED);
	got = get_option(fd, SOL_SOCKET, name);
	printf("%s: %d, given %d\n", path, max, got);
	REQUIRE(got > 0);
	REQUIRE(max == 0 || max >= WANTED || got == 2 * max);
	set_option(fd, SOL_SOCKET, name, SMALL);
	REQUIRE(get_option(fd, SOL_SOCKET, name) == 2 * SMALL);
}

int
main(void)
{
	union any_address to = loopback(AF_INET), from = to;
	int in = bind_udp(&to), out = bind_udp(&from);
	unsigned i, got = 0;

	check_limit(out, SO_SNDBUF, "/proc/sys/net/core/wmem_max");
	check_limit(in, SO_RCVBUF, "/proc/sys/net/core/rmem_max");
	for (i = 0; i < SENT; i++)
		REQUIRE(sendto(out, &i, sizeof i, 0, &to.sa,
			    address_len(&to)) == sizeof i);
	while (recv(in, &i, sizeof i, 0) == sizeof i)
		REQUIRE(i == got++);
	REQUIRE(errno == EAGAIN);
	printf("%u of %d datagrams kept\n", got, SENT);
	REQUIRE(got > 0 && got < SENT);

	/* There is space again. */
	REQUIRE(sendto(out, &i, sizeof i, 0, &to.sa, address_len(&to)) > 0);
	REQUIRE(recv(in, &i, sizeof i, 0) == sizeof i);
	return 0;
}
