/* SPDX-License-Identifier: ISC */
/*
 * bench.h - shared by the tools of the benchmark: sockets on loopback, the two
 * system calls for many datagrams, and the header of a message.
 *
 * Not for the daemon: a failed call ends the program.
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

/*
 * Initialises a batch; named: datagrams carry addresses, as the socket is not
 * connected.
 */
void batch_init(struct batch *b, int named);

/* Receives up to BATCH_MAX datagrams. Returns 0 if there are none now. */
int batch_recv(struct batch *b, int fd, int flags);

/* Sends the first n datagrams, each iov[i].iov_len long. */
void batch_send(struct batch *b, int fd, int n);

/* Parses an address of 127.0.0.0/8; exits on any other. */
struct sockaddr_in loopback(const char *host, int port);

/* Opens a socket bound there, with the daemon's buffers and options. */
int udp_bind(const struct sockaddr_in *at);

/* Writes the HEAD_LEN bytes of the header of every message. */
void put_head(uint8_t *buf, uint8_t type, uint8_t flags, const uint8_t tid[2],
    const struct sockaddr_in *to);

/* Write the six bytes of an address, and the node id that they hash to. */
void put_addr(uint8_t out[6], const struct sockaddr_in *a);
void node_id(uint8_t id[KEY_LEN], const struct sockaddr_in *a);

#endif
