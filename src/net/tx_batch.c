/* SPDX-License-Identifier: ISC */
#include <netinet/udp.h>
#include <string.h>

#include "base/err.h"
#include "net/tx_batch.h"

void
tx_batch_init(struct tx_batch *b)
{
	for (unsigned i = 0; i < TX_BATCH_MAX; i++)
		b->msg[i].msg_hdr = (struct msghdr){
		    .msg_name = &b->to[i],
		    .msg_iov = &b->iov[i],
		    .msg_iovlen = 1,
		};
}

static void
put_control(
    struct msghdr *h, int level, int type, const void *value, size_t len)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)(void *)((uint8_t *)h->msg_control +
				       h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	h->msg_controllen += CMSG_SPACE(len);
}

static void
put_number(struct msghdr *h, int level, int type, int value)
{
	put_control(h, level, type, &value, sizeof value);
}

static void
put_ipv4(struct msghdr *h, const struct dgram_meta *meta)
{
	struct in_pktinfo info = {.ipi_spec_dst = addr_to_in(&meta->local)};

	if (meta->local.family == ADDR_V4)
		put_control(h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	if (meta->ttl != 0)
		put_number(h, IPPROTO_IP, IP_TTL, meta->ttl);
	if (meta->ecn != 0)
		put_number(h, IPPROTO_IP, IP_TOS, meta->ecn & 3);
}

static void
put_ipv6(struct msghdr *h, const struct dgram_meta *meta)
{
	struct in6_pktinfo info = {.ipi6_addr = addr_to_in6(&meta->local)};

	if (meta->local.family == ADDR_V6)
		put_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	if (meta->ttl != 0)
		put_number(h, IPPROTO_IPV6, IPV6_HOPLIMIT, meta->ttl);
	if (meta->ecn != 0)
		put_number(h, IPPROTO_IPV6, IPV6_TCLASS, meta->ecn & 3);
}

/*
 * Passes what differs from the socket's defaults as control messages. The
 * segment is the last, so that drop_segment() only has to reduce the length.
 */
static void
set_control(struct msghdr *h, union tx_batch_control *space,
    const struct dgram_meta *meta)
{
	h->msg_control = space;
	h->msg_controllen = 0;
	if (meta->to.family == ADDR_V6)
		put_ipv6(h, meta);
	else
		put_ipv4(h, meta);
	if (meta->segment != 0)
		put_control(h, SOL_UDP, UDP_SEGMENT, &meta->segment,
		    sizeof meta->segment);
	if (h->msg_controllen == 0)
		h->msg_control = NULL;
}

static void
drop_segment(struct msghdr *h)
{
	h->msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	if (h->msg_controllen == 0)
		h->msg_control = NULL;
}

bool
tx_batch_fits(const struct dgram_meta *meta, size_t cap)
{
	if (meta->segment == 0)
		return cap <= DGRAM_MAX;
	return meta->segment <= DGRAM_MAX && cap <= WORLD_BURST_MAX &&
	       cap <= (size_t)meta->segment * WORLD_BURST_SEGMENTS;
}

uint8_t *
tx_batch_reserve(struct tx_batch *b, const struct dgram_meta *meta, size_t cap)
{
	unsigned i = b->len;

	if (i == TX_BATCH_MAX || cap > sizeof b->bytes - b->used)
		return NULL;
	b->sock[i] = meta->sock;
	b->segment[i] = meta->segment;
	b->fragment[i] = meta->fragment;
	b->msg[i].msg_hdr.msg_namelen = addr_to_sockaddr(&meta->to, &b->to[i]);
	set_control(&b->msg[i].msg_hdr, &b->control[i], meta);
	b->reserved = cap;
	return b->bytes + b->used;
}

int
tx_batch_commit(struct tx_batch *b, size_t len)
{
	size_t cap = b->reserved;
	unsigned i = b->len;

	b->reserved = 0;
	if (len > cap)
		return ERR_TOO_BIG;
	if (b->segment[i] != 0 && len <= b->segment[i]) {
		drop_segment(&b->msg[i].msg_hdr);
		b->segment[i] = 0;
	}
	b->iov[i] =
	    (struct iovec){.iov_base = b->bytes + b->used, .iov_len = len};
	b->used += len;
	b->len++;
	return 0;
}

void
tx_batch_copy(struct tx_batch *b, const struct tx_batch *from, unsigned i)
{
	const struct msghdr *h = &from->msg[i].msg_hdr;
	unsigned k = b->len++;

	b->sock[k] = from->sock[i];
	b->segment[k] = from->segment[i];
	b->fragment[k] = from->fragment[i];
	b->to[k] = from->to[i];
	b->msg[k].msg_hdr.msg_namelen = h->msg_namelen;
	b->control[k] = from->control[i];
	b->msg[k].msg_hdr.msg_controllen = h->msg_controllen;
	b->msg[k].msg_hdr.msg_control =
	    h->msg_control != NULL ? &b->control[k] : NULL;
	b->iov[k] = (struct iovec){
	    .iov_base = b->bytes + b->used, .iov_len = from->iov[i].iov_len};
	memcpy(b->iov[k].iov_base, from->iov[i].iov_base, b->iov[k].iov_len);
	b->used += b->iov[k].iov_len;
}

unsigned
tx_batch_datagrams(const struct tx_batch *b, unsigned i)
{
	size_t len = b->iov[i].iov_len, segment = b->segment[i];

	return segment == 0 ? 1 : (unsigned)((len + segment - 1) / segment);
}

void
tx_batch_split(struct tx_batch *b, unsigned i, struct tx_batch_split *out)
{
	uint8_t *p = b->iov[i].iov_base;
	size_t left = b->iov[i].iov_len, segment = b->segment[i];

	for (out->len = 0; left > 0; out->len++) {
		size_t n = left < segment ? left : segment;
		struct mmsghdr *m = &out->msg[out->len];

		*m = b->msg[i];
		drop_segment(&m->msg_hdr);
		m->msg_hdr.msg_iov = &out->iov[out->len];
		out->iov[out->len] =
		    (struct iovec){.iov_base = p, .iov_len = n};
		p += n;
		left -= n;
	}
}

void
tx_batch_skip(struct tx_batch *b, unsigned i, unsigned n)
{
	struct iovec *iov = &b->iov[i];
	size_t len = (size_t)n * b->segment[i];

	iov->iov_base = (uint8_t *)iov->iov_base + len;
	iov->iov_len -= len;
}

void
tx_batch_clear(struct tx_batch *b)
{
	b->len = 0;
	b->used = 0;
}
