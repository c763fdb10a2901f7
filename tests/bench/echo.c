/* SPDX-License-Identifier: ISC */
/*
 * echo PORT SIZE: answers each datagram with SIZE bytes that look like a reply.
 * Measures the cost of the kernel for a request and a reply, which is the upper
 * bound for any node.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

static struct batch in, out;

static void
answer(int i, size_t size)
{
	uint8_t *reply = out.buf[i];

	memset(reply, 0, size);
	put_head(reply, REPLY, 0, in.buf[i] + 2, &in.peer[i]);
	out.peer[i] = in.peer[i];
	out.msg[i].msg_hdr.msg_namelen = sizeof out.peer[i];
	out.iov[i].iov_len = size;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at;
	size_t size;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "Use: echo PORT SIZE\n");
		return 2;
	}
	at = loopback("127.0.0.1", (int)number(argv[1], 1, 65535));
	size = (size_t)number(argv[2], HEAD_LEN, DGRAM_MAX);
	fd = udp_bind(&at);
	batch_init(&in, 1);
	batch_init(&out, 1);
	for (;;) {
		int n = batch_recv(&in, fd, MSG_WAITFORONE);

		for (int i = 0; i < n; i++)
			answer(i, size);
		batch_send(&out, fd, n);
	}
}
