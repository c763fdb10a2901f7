/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "daemon/batch.h"
#include "daemon/sockaddr.h"

void
batch_init(struct batch *b)
{
	for (unsigned i = 0; i < BATCH_MAX; i++)
		b->msg[i].msg_hdr = (struct msghdr){
		    .msg_name = &b->to[i],
		    .msg_namelen = sizeof b->to[i],
		    .msg_iov = &b->iov[i],
		    .msg_iovlen = 1,
		};
}

static void
put_control(struct msghdr *h, int type, const void *value, size_t len)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)(void *)((uint8_t *)h->msg_control +
				       h->msg_controllen);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	h->msg_controllen += CMSG_SPACE(len);
}

/* What differs from the socket's defaults travels beside the datagram. */
static void
set_control(
    struct msghdr *h, union batch_control *room, const struct dgram_meta *meta)
{
	h->msg_control = room;
	h->msg_controllen = 0;
	if (meta->local.family == ADDR_V4) {
		struct in_pktinfo info = {
		    .ipi_spec_dst = addr_to_in(&meta->local)};

		put_control(h, IP_PKTINFO, &info, sizeof info);
	}
	if (meta->ttl != 0) {
		int ttl = meta->ttl;

		put_control(h, IP_TTL, &ttl, sizeof ttl);
	}
	if (meta->ecn != 0) {
		int tos = meta->ecn & 3;

		put_control(h, IP_TOS, &tos, sizeof tos);
	}
	if (h->msg_controllen == 0)
		h->msg_control = NULL;
}

uint8_t *
batch_reserve(
    struct batch *b, int fd, const struct dgram_meta *meta, size_t cap)
{
	unsigned i;

	/* Segments come with the streams that need them. */
	assert(meta->segment == 0);
	if (cap > DGRAM_MAX)
		return NULL;
	if (b->len == BATCH_MAX || cap > sizeof b->bytes - b->used)
		batch_flush(b);
	i = b->len;
	b->fd[i] = fd;
	b->to[i] = addr_to_sockaddr(&meta->to);
	set_control(&b->msg[i].msg_hdr, &b->control[i], meta);
	b->reserved = cap;
	return b->bytes + b->used;
}

int
batch_commit(struct batch *b, size_t len)
{
	size_t room = b->reserved;

	b->reserved = 0;
	if (len > room)
		return ERR_TOO_BIG;
	b->iov[b->len++] =
	    (struct iovec){.iov_base = b->bytes + b->used, .iov_len = len};
	b->used += len;
	return 0;
}

/* The whole socket is clogged, not one datagram wrong. */
static bool
clogged(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
}

/* Sends b->msg[at] to b->msg[end - 1], which are all for one socket. */
static void
send_run(struct batch *b, unsigned at, unsigned end)
{
	while (at < end) {
		int n = sendmmsg(b->fd[at], b->msg + at, end - at, 0);

		if (n > 0) {
			at += (unsigned)n;
		} else if (n < 0 && clogged(errno)) {
			b->lost += end - at;
			return;
		} else if (n == 0 || errno != EINTR) {
			b->lost++; /* too big, no route, filtered */
			at++;
		}
	}
}

void
batch_flush(struct batch *b)
{
	unsigned at = 0, end;

	while (at < b->len) {
		for (end = at + 1; end < b->len && b->fd[end] == b->fd[at];)
			end++;
		send_run(b, at, end);
		at = end;
	}
	b->len = 0;
	b->used = 0;
}
