/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "daemon/inbox.h"
#include "daemon/sockaddr.h"

void
inbox_init(struct inbox *in)
{
	for (unsigned i = 0; i < INBOX_MAX; i++) {
		in->iov[i] = (struct iovec){
		    .iov_base = in->buf[i], .iov_len = INBOX_READ};
		in->msg[i].msg_hdr = (struct msghdr){
		    .msg_name = &in->from[i],
		    .msg_namelen = sizeof in->from[i],
		    .msg_iov = &in->iov[i],
		    .msg_iovlen = 1,
		};
	}
}

/* The kernel overwrites the lengths with what it used. */
static void
lend_control(struct inbox *in, bool want_local)
{
	for (unsigned i = 0; i < INBOX_MAX; i++) {
		struct msghdr *h = &in->msg[i].msg_hdr;

		h->msg_control = want_local ? &in->control[i] : NULL;
		h->msg_controllen = want_local ? sizeof in->control[i] : 0;
	}
}

unsigned
inbox_read(struct inbox *in, int fd, bool want_local)
{
	int n;

	if (want_local || in->msg[0].msg_hdr.msg_control != NULL)
		lend_control(in, want_local);
	/* Every sender is IPv4, so msg_namelen comes back as it went in. */
	n = recvmmsg(fd, in->msg, INBOX_MAX, MSG_DONTWAIT, NULL);
	return n > 0 ? (unsigned)n : 0;
}

static struct addr
local_address(const struct msghdr *h, uint16_t port)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	struct in_pktinfo info;

	if (c == NULL || c->cmsg_level != IPPROTO_IP ||
	    c->cmsg_type != IP_PKTINFO)
		return (struct addr){.family = ADDR_NONE};
	memcpy(&info, CMSG_DATA(c), sizeof info);
	return addr_from_in(info.ipi_addr, port);
}

void
inbox_get(
    const struct inbox *in, unsigned i, uint16_t local_port, struct dgram *dg)
{
	const struct msghdr *h = &in->msg[i].msg_hdr;

	dg->buf = in->buf[i];
	dg->len = in->msg[i].msg_len;
	dg->from =
	    addr_from_in(in->from[i].sin_addr, ntohs(in->from[i].sin_port));
	dg->local = h->msg_controllen > 0 ? local_address(h, local_port)
					  : (struct addr){.family = ADDR_NONE};
}
