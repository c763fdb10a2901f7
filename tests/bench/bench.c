/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { RECEIVE_BUFFER = 1 << 20, SEND_BUFFER = 212992 };

void
batch_init(struct batch *b, int named)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		struct msghdr *h = &b->msg[i].msg_hdr;

		*h = (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
		if (named)
			h->msg_name = &b->peer[i];
		b->iov[i].iov_base = b->buf[i];
	}
}

int
batch_recv(struct batch *b, int fd, int flags)
{
	int n;

	for (int i = 0; i < BATCH_MAX; i++) {
		b->iov[i].iov_len = DGRAM_MAX;
		b->msg[i].msg_hdr.msg_namelen = sizeof b->peer[i];
	}
	n = recvmmsg(fd, b->msg, BATCH_MAX, flags, NULL);
	/* Refused: an earlier datagram reached no socket. */
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
		die("recvmmsg");
	return n < 0 ? 0 : n;
}

void
batch_send(struct batch *b, int fd, int n)
{
	for (int i = 0; i < n; i++)
		if (b->msg[i].msg_hdr.msg_name == NULL)
			b->msg[i].msg_hdr.msg_namelen = 0;
	for (int at = 0; at < n;) {
		int sent = sendmmsg(fd, b->msg + at, (unsigned)(n - at), 0);

		if (sent > 0) {
			at += sent;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			return; /* lost, as on any network */
		} else if (errno != EINTR && errno != ECONNREFUSED) {
			die("sendmmsg");
		}
	}
}

struct sockaddr_in
loopback(const char *host, int port)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
	    ntohl(a.sin_addr.s_addr) >> 24 != 127) {
		fprintf(stderr, "%s is no loopback address\n", host);
		exit(2);
	}
	return a;
}

int
udp_bind(const struct sockaddr_in *at)
{
	int receive = RECEIVE_BUFFER, send = SEND_BUFFER;
	int discover = IP_PMTUDISC_PROBE;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover);
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) != 0)
		die("bind");
	return fd;
}

void
put_addr(uint8_t out[6], const struct sockaddr_in *a)
{
	uint16_t port = ntohs(a->sin_port);

	memcpy(out, &a->sin_addr, 4);
	out[4] = port & 255;
	out[5] = (uint8_t)(port >> 8);
}

void
node_id(uint8_t id[KEY_LEN], const struct sockaddr_in *a)
{
	uint8_t wire[6];

	put_addr(wire, a);
	crypto_generichash(id, KEY_LEN, wire, sizeof wire, NULL, 0);
}

void
put_head(uint8_t *buf, uint8_t type, uint8_t flags, const uint8_t tid[2],
    const struct sockaddr_in *to)
{
	buf[0] = type;
	buf[1] = flags;
	buf[2] = tid[0];
	buf[3] = tid[1];
	put_addr(buf + 4, to);
}
