/* SPDX-License-Identifier: ISC */
#include <netinet/udp.h>
#include <string.h>

#include "net/rx_batch.h"

/* Sets both lengths again, which the kernel overwrites in used messages. */
static void
reset_lengths(struct rx_batch *in, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		in->msg[i].msg_hdr.msg_namelen = sizeof in->from[i];
		in->msg[i].msg_hdr.msg_controllen = sizeof in->control[i];
	}
}

void
rx_batch_init(struct rx_batch *in)
{
	for (unsigned i = 0; i < RX_BATCH_MAX; i++) {
		in->iov[i] = (struct iovec){
		    .iov_base = in->buf[i], .iov_len = RX_BATCH_READ};
		in->msg[i].msg_hdr = (struct msghdr){
		    .msg_name = &in->from[i],
		    .msg_iov = &in->iov[i],
		    .msg_iovlen = 1,
		    .msg_control = &in->control[i],
		};
	}
	reset_lengths(in, RX_BATCH_MAX);
}

bool
rx_batch_read(struct rx_batch *in, int fd)
{
	unsigned want = in->joined ? RX_BATCH_FEW : RX_BATCH_MAX;
	int n;

	reset_lengths(in, in->len);
	n = recvmmsg(fd, in->msg, want, MSG_DONTWAIT, NULL);
	in->len = n > 0 ? (unsigned)n : 0;
	in->at = 0;
	in->done = 0;
	in->joined = false;
	return in->len == want;
}

static void
read_control(struct rx_batch *in, struct cmsghdr *c, uint16_t local_port)
{
	struct in6_pktinfo info6;
	struct in_pktinfo info;
	int segment;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof info);
		in->local = addr_from_in(info.ipi_addr, local_port);
	} else if (c->cmsg_level == IPPROTO_IPV6 &&
		   c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(c), sizeof info6);
		in->local = addr_from_in6(info6.ipi6_addr, local_port);
	} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
		memcpy(&segment, CMSG_DATA(c), sizeof segment);
		in->segment = segment > 0 ? (size_t)segment : RX_BATCH_READ;
		in->joined = true;
	}
}

/* Reads what all datagrams of the current message have in common. */
static void
open_message(struct rx_batch *in, uint16_t local_port)
{
	struct msghdr *h = &in->msg[in->at].msg_hdr;
	struct cmsghdr *c;

	in->peer = addr_from_sockaddr(&in->from[in->at]);
	in->local = (struct addr){.family = ADDR_NONE};
	in->segment = RX_BATCH_READ;
	for (c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c))
		read_control(in, c, local_port);
}

bool
rx_batch_next(struct rx_batch *in, uint16_t local_port, struct dgram *dg)
{
	size_t left;

	if (in->at == in->len)
		return false;
	if (in->done == 0)
		open_message(in, local_port);
	left = in->msg[in->at].msg_len - in->done;
	dg->buf = in->buf[in->at] + in->done;
	dg->len = left < in->segment ? left : in->segment;
	dg->from = in->peer;
	dg->local = in->local;
	in->done += dg->len;
	if (dg->len == left) {
		in->at++;
		in->done = 0;
	}
	/* A length above DGRAM_MAX marks a datagram that is too long. */
	if (dg->len > DGRAM_MAX)
		dg->len = DGRAM_MAX + 1;
	return true;
}
