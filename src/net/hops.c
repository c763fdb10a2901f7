/* SPDX-License-Identifier: ISC */
#include "net/hops.h"

#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"

enum {
	/* Traceroute's ports, on which no service listens. The port of an error
	 * identifies the TTL that its datagram had. */
	PORT_FIRST = 33434,
	CONTROL_LEN = 512,
};

void
hops_init(struct hops *h)
{
	*h = (struct hops){.fd = -1};
}

void
hops_fini(struct hops *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

/* Sends one byte. Retries once: the first call may return the pending error of
 * an earlier datagram, which clears it. */
static void
send_byte(int fd, const struct sockaddr *to, socklen_t len)
{
	if (sendto(fd, "", 1, 0, to, len) < 0)
		(void)sendto(fd, "", 1, 0, to, len);
}

void
hops_send(struct hops *h)
{
	struct addr far = addr_v4(198, 51, 100, 1, 0);
	union sockaddr_any to;
	socklen_t len;
	int on = 1;

	hops_fini(h);
	memset(h->router, 0, sizeof h->router);
	h->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->fd < 0 ||
	    setsockopt(h->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0)
		return;
	for (int ttl = 1; ttl <= HOPS_MAX; ttl++) {
		far.port = (uint16_t)(PORT_FIRST + ttl - 1);
		len = addr_to_sockaddr(&far, &to);
		if (setsockopt(h->fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl) ==
		    0)
			send_byte(h->fd, &to.sa, len);
	}
}

/* Returns the error that the kernel has queued, or NULL. */
static const struct sock_extended_err *
find_error(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	for (; c != NULL; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
			return (const struct sock_extended_err *)(const void *)
			    CMSG_DATA(c);
	return NULL;
}

static void
note_error(struct hops *h, const struct sock_extended_err *e, uint16_t port)
{
	struct sockaddr_in in;
	uint32_t hop = (uint32_t)port - PORT_FIRST;

	if (e == NULL || e->ee_origin != SO_EE_ORIGIN_ICMP ||
	    e->ee_type != ICMP_TIME_EXCEEDED || hop >= HOPS_MAX)
		return;
	memcpy(&in, SO_EE_OFFENDER(e), sizeof in);
	if (in.sin_family == AF_INET)
		h->router[hop] = addr_from_in(in.sin_addr, 0);
}

void
hops_read(struct hops *h)
{
	/* Each datagram causes one error; a few may be of other datagrams. */
	for (int i = 0; h->fd >= 0 && i < 2 * HOPS_MAX; i++) {
		_Alignas(struct cmsghdr) char control[CONTROL_LEN];
		struct sockaddr_in to = {.sin_port = 0};
		char byte;
		struct iovec v = {&byte, 1};
		struct msghdr m = {.msg_name = &to,
		    .msg_namelen = sizeof to,
		    .msg_iov = &v,
		    .msg_iovlen = 1,
		    .msg_control = control,
		    .msg_controllen = sizeof control};

		if (recvmsg(h->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		note_error(h, find_error(&m), ntohs(to.sin_port));
	}
}

/* Returns true for a private or shared (RFC 6598) address. */
static bool
is_private(const struct addr *a)
{
	return a->family == ADDR_V4 &&
	       (addr_scope(a) == ADDR_PRIVATE ||
		   (a->ip[0] == 100 && (a->ip[1] & 0xc0) == 64));
}

int
hops_private(const struct hops *h)
{
	int n = 0;

	if (h->router[0].family == ADDR_NONE)
		return -1;
	while (n < HOPS_MAX && is_private(&h->router[n]))
		n++;
	return n;
}
