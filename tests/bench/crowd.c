/* SPDX-License-Identifier: ISC */
/*
 * crowd PORT NET: runs sixty nodes at 127.NET.x.1 that do just enough to stay
 * in the routing table of the node at 127.0.0.1:PORT. They answer every
 * request, and each looks up the nodes closest to itself, until it is one of
 * them. Prints "ready" when all are, and continues until it is killed.
 */
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum {
	CROWD = 60,
	ROW_MAX =
	    20, /* nodes of one row of a routing table, protocol 01 §8.1 */
	ROWS = 256,
	FIND_NODE = 2,
	EVERY_MS = 100,
	GIVE_UP = 300, /* rounds without being ready */
};

struct member {
	struct sockaddr_in at;
	uint8_t id[KEY_LEN];
	int fd;
	int named; /* the node has it in its table */
};

static struct member crowd[CROWD];
static struct sockaddr_in node;
static struct batch batch;

/* Returns the number of leading bits that two ids share. */
static int
row_of(const uint8_t *a, const uint8_t *b)
{
	int row = 0;

	while (
	    row < ROWS - 1 && !((a[row / 8] ^ b[row / 8]) >> (7 - row % 8) & 1))
		row++;
	return row;
}

/* Chooses addresses whose ids all fit into the node's table. */
static void
gather(int net)
{
	uint8_t own[KEY_LEN];
	int row_len[ROWS] = {0}, len = 0;
	char host[32];

	node_id(own, &node);
	for (int x = 1; x < 255 && len < CROWD; x++) {
		struct member *m = &crowd[len];
		int row;

		snprintf(host, sizeof host, "127.%d.%d.1", net, x);
		m->at = loopback(host, 49737);
		node_id(m->id, &m->at);
		row = row_of(own, m->id);
		if (row_len[row] == ROW_MAX)
			continue;
		row_len[row]++;
		m->fd = udp_bind(&m->at);
		len++;
	}
	if (len < CROWD)
		die("not enough addresses");
}

/* Sends FIND_NODE for the own id; its id introduces the member. */
static void
ask(const struct member *m)
{
	static const uint8_t tid[2] = {1, 0};
	uint8_t buf[HEAD_LEN + KEY_LEN + 1 + KEY_LEN];

	put_head(buf, REQUEST, IS_INTERNAL | HAS_ID | HAS_TARGET, tid, &node);
	memcpy(buf + HEAD_LEN, m->id, KEY_LEN);
	buf[HEAD_LEN + KEY_LEN] = FIND_NODE;
	memcpy(buf + HEAD_LEN + KEY_LEN + 1, m->id, KEY_LEN);
	if (sendto(m->fd, buf, sizeof buf, 0, (const struct sockaddr *)&node,
		sizeof node) < 0)
		die("sendto");
}

/* Checks whether the sender is among the closer nodes of a reply. */
static void
look(struct member *m, const uint8_t *buf, size_t len)
{
	uint8_t own[6];
	size_t at = HEAD_LEN + KEY_LEN;

	put_addr(own, &m->at);
	if (buf[1] != (HAS_ID | HAS_CLOSER) || at >= len)
		return;
	for (unsigned n = buf[at++]; n > 0 && at + 6 <= len; n--, at += 6)
		if (memcmp(buf + at, own, 6) == 0)
			m->named = 1;
}

static void
hear(struct member *m)
{
	int n = batch_recv(&batch, m->fd, MSG_DONTWAIT);

	for (int i = 0; i < n; i++) {
		uint8_t *buf = batch.buf[i];

		if (buf[0] == REPLY) {
			look(m, buf, batch.msg[i].msg_len);
			continue;
		}
		put_head(buf, REPLY, HAS_ID, buf + 2, &batch.peer[i]);
		memcpy(buf + HEAD_LEN, m->id, KEY_LEN);
		if (sendto(m->fd, buf, HEAD_LEN + KEY_LEN, 0,
			(struct sockaddr *)&batch.peer[i],
			sizeof batch.peer[i]) < 0)
			die("sendto");
	}
}

static int
all_named(void)
{
	for (int i = 0; i < CROWD; i++)
		if (!crowd[i].named)
			return 0;
	return 1;
}

int
main(int argc, char **argv)
{
	struct pollfd pfd[CROWD];
	int ready = 0;

	if (argc != 3 || sodium_init() < 0) {
		fprintf(stderr, "Use: crowd PORT NET\n");
		return 2;
	}
	node = loopback("127.0.0.1", (int)number(argv[1], 1, 65535));
	gather((int)number(argv[2], 1, 255));
	batch_init(&batch, 1);
	for (int i = 0; i < CROWD; i++)
		pfd[i] = (struct pollfd){.fd = crowd[i].fd, .events = POLLIN};
	for (int round = 0;; round++) {
		for (int i = 0; i < CROWD && !ready; i++)
			if (!crowd[i].named)
				ask(&crowd[i]);
		while (poll(pfd, CROWD, EVERY_MS) > 0)
			for (int i = 0; i < CROWD; i++)
				if (pfd[i].revents)
					hear(&crowd[i]);
		if (!ready && all_named()) {
			ready = 1;
			puts("ready");
			fflush(stdout);
		}
		if (!ready && round == GIVE_UP)
			return 1;
	}
}
