/* SPDX-License-Identifier: ISC */
/*
 * platform.h - helpers of the programs that check assumptions about the kernel.
 *
 * Each program exits with 0 if its assumption holds, with 1 after a failed
 * REQUIRE(), and with 77 after skip(), which the test driver counts as skipped.
 * Programs use the loopback device, or a network namespace that they create.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Prints the failed condition with errno, and exits. */
#define REQUIRE(condition)                                                     \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("%s:%d: not true: %s (errno: %m)\n", __FILE__,  \
			    __LINE__, #condition);                             \
			exit(1);                                               \
		}                                                              \
	} while (0)

union any_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Prints why this machine cannot show the assumption, and exits. */
static inline _Noreturn void __attribute__((format(printf, 1, 2)))
skip(const char *fmt, ...)
{
	va_list ap;

	printf("skipped: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(77);
}

static inline void
set_option(int fd, int level, int name, int value)
{
	REQUIRE(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static inline int
get_option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	REQUIRE(getsockopt(fd, level, name, &value, &len) == 0);
	return value;
}

static inline socklen_t
address_len(const union any_address *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

/* Returns the loopback address of the family, with port 0. */
static inline union any_address
loopback(int family)
{
	union any_address a = {.sa.sa_family = (sa_family_t)family};

	if (family == AF_INET6)
		a.in6.sin6_addr = in6addr_loopback;
	else
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

/* Opens a non-blocking UDP socket at *at and stores the port it was given. */
static inline int
bind_udp(union any_address *at)
{
	int fd = socket(at->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof *at;

	if (fd < 0 || bind(fd, &at->sa, address_len(at)) != 0) {
		if (at->sa.sa_family == AF_INET6)
			skip("no IPv6: %m");
		printf("no UDP socket: %m\n");
		exit(1);
	}
	REQUIRE(getsockname(fd, &at->sa, &len) == 0);
	return fd;
}

/* Appends a control message to those of h, which has space for it. */
static inline void
put_control(struct msghdr *h, int level, int type, const void *p, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)h->msg_control +
						       h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), p, len);
	h->msg_controllen += CMSG_SPACE(len);
}

/* Copies the data of a control message. Returns false if there is none. */
static inline bool
get_control(struct msghdr *h, int level, int type, void *out, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			REQUIRE(c->cmsg_len == CMSG_LEN(len));
			memcpy(out, CMSG_DATA(c), len);
			return true;
		}
	return false;
}

/* Sets the device up, or down, with this MTU; 0 keeps the MTU. */
static inline void
set_device(const char *name, bool up, int mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (mtu != 0) {
		r.ifr_mtu = mtu;
		REQUIRE(ioctl(fd, SIOCSIFMTU, &r) == 0);
	}
	REQUIRE(ioctl(fd, SIOCGIFFLAGS, &r) == 0);
	r.ifr_flags =
	    (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	REQUIRE(ioctl(fd, SIOCSIFFLAGS, &r) == 0);
	close(fd);
}

/* Sets the IPv4 address of a device, /24. */
static inline void
set_address(const char *device, uint32_t address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	union any_address a = {
	    .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)}};
	struct ifreq r = {.ifr_addr = a.sa};

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
	REQUIRE(ioctl(fd, SIOCSIFADDR, &r) == 0);
	if (address != 0) {
		a.in.sin_addr.s_addr = htonl(0xffffff00);
		r.ifr_netmask = a.sa;
		REQUIRE(ioctl(fd, SIOCSIFNETMASK, &r) == 0);
	}
	close(fd);
}

/* Moves the process to a new network namespace with its loopback device up. */
static inline void
enter_new_network(void)
{
	if (unshare(CLONE_NEWNET) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		skip("no network namespace can be created: %m");
	set_device("lo", true, 0);
}

#endif
