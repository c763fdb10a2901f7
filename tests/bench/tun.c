/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tun.h"

enum {
	/* Packets between the network stack and us, for a burst of all that a
	 * window holds: the link's own queue shall be the one that is full. */
	DEVICE_QUEUE = 20000,
};

#define NAME "link"

static int
set_address(
    int ctl, const char *interface, const char *address, const char *mask)
{
	struct ifreq ifr = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};

	strncpy(ifr.ifr_name, interface, sizeof ifr.ifr_name - 1);
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&ifr.ifr_addr, &in, sizeof in);
	if (ioctl(ctl, SIOCSIFADDR, &ifr) != 0)
		return -1;
	inet_pton(AF_INET, mask, &in.sin_addr);
	memcpy(&ifr.ifr_netmask, &in, sizeof in);
	return ioctl(ctl, SIOCSIFNETMASK, &ifr);
}

static int
set_up(int ctl, const char *interface)
{
	struct ifreq ifr = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strncpy(ifr.ifr_name, interface, sizeof ifr.ifr_name - 1);
	return ioctl(ctl, SIOCSIFFLAGS, &ifr);
}

/* Writes a network setting of the namespace of this process. */
static int
set_value(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -1 : 0;
}

static int
set_network(int ctl, const char *address)
{
	struct ifreq ifr = {.ifr_name = NAME, .ifr_qlen = DEVICE_QUEUE};

	/*
	 * Disables IPv6, which sends packets of its own; lets TCP fill line and
	 * queue.
	 */
	(void)set_value("/proc/sys/net/ipv6/conf/" NAME "/disable_ipv6", "1");
	if (set_value("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 67108864") !=
		0 ||
	    set_value("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 67108864") !=
		0)
		return -1;
	if (ioctl(ctl, SIOCSIFTXQLEN, &ifr) != 0 ||
	    set_address(ctl, NAME, address, "255.255.0.0") != 0)
		return -1;
	return set_up(ctl, NAME) != 0 || set_up(ctl, "lo") != 0 ? -1 : 0;
}

int
tun_open(struct tun *t, const char *address)
{
	struct ifreq ifr = {.ifr_name = NAME, .ifr_flags = IFF_TUN | IFF_NO_PI};
	int ctl, status;

	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	t->ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->ns < 0 || t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) != 0)
		return -1;
	ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ctl < 0)
		return -1;
	status = set_network(ctl, address);
	close(ctl);
	return status;
}
