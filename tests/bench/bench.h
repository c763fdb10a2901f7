/* SPDX-License-Identifier: ISC */
/*
 * bench.h - what the tools of the benchmark share: sockets on loopback, the
 * two system calls that carry many datagrams, and the head of a message.
 *
 * Not for the daemon: here a failed call ends the program.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tool.h"

enum {
	BATCH_MAX = 64, /* as the daemon's */
	DGRAM_MAX = 2048,
	HEAD_LEN = 10,
	KEY_LEN = 32,
	/* first byte */
	REQUEST = 0x03,
	REPLY = 0x13,
	/* flags */
	HAS_ID = 1,
	HAS_TOKEN = 2,
	IS_INTERNAL = 4, /* of a request */
	HAS_CLOSER = 4,  /* of a reply */
	HAS_TARGET = 8,  /* of a request */
	HAS_ERROR = 8,   /* of a reply */
	HAS_VALUE = 16,
};

struct batch {
	struct mmsghdr msg[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	struct sockaddr_in peer[BATCH_MAX];
	uint8_t buf[BATCH_MAX][DGRAM_MAX];
};

/* named: datagrams carry addresses, as the socket is not connected. */
void batch_init(struct batch *b, int named);

/* Up to BATCH_MAX datagrams; 0 if there are none now. */
int batch_recv(struct batch *b, int fd, int flags);

/* The first n datagrams, each iov[i].iov_len long. */
void batch_send(struct batch *b, int fd, int n);

/* 127.0.0.0/8 alone; anything else ends the program. */
struct sockaddr_in loopback(const char *host, int port);

/* Bound there, with the daemon's buffers and options. */
int udp_bind(const struct sockaddr_in *at);

/* Writes the HEAD_LEN bytes that every message begins with. */
void put_head(uint8_t *buf, uint8_t type, uint8_t flags, const uint8_t tid[2],
    const struct sockaddr_in *to);

/* The six bytes of an address, and the node id that they hash to. */
void put_addr(uint8_t out[6], const struct sockaddr_in *a);
void node_id(uint8_t id[KEY_LEN], const struct sockaddr_in *a);

#endif
