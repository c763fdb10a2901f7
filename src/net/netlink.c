/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "net/netlink.h"

/* Collects changes that belong together: an old address is removed, a new one
 * is added. */
static const struct timeval settle_time = {.tv_sec = 1};

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *n = arg;
	char buf[4096];

	(void)what;
	/* Drops the messages: on_settled() reads all addresses. */
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0 || errno == EINTR)
		;
	evtimer_add(n->settled, &settle_time);
}

static void
on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *n = arg;
	struct hostaddr now;
	bool ipv4;

	(void)fd;
	(void)what;
	hostaddr_read(&now);
	if (hostaddr_equal(&now, &n->host))
		return;
	ipv4 = !hostaddr_equal_v4(&now, &n->host);
	n->host = now;
	n->changed(n->owner, ipv4);
}

/* Returns a descriptor, or a negative code with the cause in errno. */
static int
listen_for_addresses(void)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	int fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return ERR_SOCKET;
	}
	return fd >= 0 ? fd : ERR_SOCKET;
}

int
netlink_init(struct netlink *n, struct event_base *base,
    void (*changed)(void *owner, bool ipv4), void *owner)
{
	*n = (struct netlink){.changed = changed, .owner = owner};
	n->fd = listen_for_addresses();
	hostaddr_read(&n->host);
	if (n->fd < 0)
		return ERR_SOCKET;
	n->settled = evtimer_new(base, on_settled, n);
	n->readable =
	    event_new(base, n->fd, EV_READ | EV_PERSIST, on_readable, n);
	if (n->settled == NULL || n->readable == NULL ||
	    event_add(n->readable, NULL) != 0)
		return ERR_MEMORY;
	return 0;
}

void
netlink_fini(struct netlink *n)
{
	if (n->readable != NULL)
		event_free(n->readable);
	if (n->settled != NULL)
		event_free(n->settled);
	if (n->fd >= 0)
		close(n->fd);
}
