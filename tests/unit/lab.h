/* SPDX-License-Identifier: ISC */
/*
 * lab.h - a few ends of UDX streams and the network between them, in virtual
 * time.
 *
 * Each end is a host with a struct udx, or without one: the datagrams it then
 * receives are kept for the test, which may answer with lab_inject(). The link
 * delays, drops, duplicates and reorders datagrams, all from a seed. Events of
 * a stream are or'ed into the struct lab_stream that owns it. Needs no Check,
 * so that fuzzers use it as well; aborts on what cannot happen.
 */
#ifndef TESTS_LAB_H
#define TESTS_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/udx.h"
#include "world/core_host.h"

enum { LAB_ENDS = 3, LAB_SOCKS = 4 };

#define LAB_MS UINT64_C(1000)
#define LAB_S UINT64_C(1000000)

struct lab_packet {
	struct lab_packet *next;
	struct addr from, to;
	size_t len;
	const uint8_t *buf;
	uint8_t copy[];
};

struct lab_link {
	uint32_t delay_us;  /* one way */
	uint32_t jitter_us; /* at most; packets overtake each other */
	uint32_t loss_ppm, double_ppm;
	uint32_t mtu;         /* of the IP packet; 0: any */
	bool no_fragments;    /* not even if fragmentation is permitted */
	uint32_t bytes_per_s; /* 0: no limit */
	uint32_t queue_bytes; /* drop-tail queue of that line; 0: no limit */
};

struct lab_end {
	struct core_host host;
	struct udx *udx; /* or NULL */
	bool full;       /* accepts no packets until lab_drain() */
	uint32_t takes;  /* bursts until it is full; 0: any number */
	uint64_t sent, bursts;
	struct lab_packet *got, **got_end; /* without a udx */
};

struct lab {
	struct lan lan;
	struct prng rand; /* for choices of the test */
	struct lab_link link;
	struct lab_end end[LAB_ENDS];
	/* Called for each packet when it is sent; false drops it. */
	bool (*filter)(struct lab *r, const struct lab_packet *p, void *arg);
	void *filter_arg;
};

/* The owner of a stream in a test. */
struct lab_stream {
	struct udx_stream *s;
	unsigned events; /* all so far */
};

/* Creates the network; the first udx_ends ends get a struct udx. */
void lab_init(struct lab *r, uint64_t seed, int udx_ends);
void lab_fini(struct lab *r);

struct addr lab_addr(int end, int sock);

/* Returns a new stream at this end; aborts if that fails. */
struct lab_stream *lab_stream_new(struct lab *r, int end);
/* Frees both the stream and its owner. */
void lab_stream_free(struct lab_stream *s);

/* Connects two streams of two ends, each through its socket 0. */
void lab_connect(
    struct lab_stream *a, int end_a, struct lab_stream *b, int end_b);

/* Returns the path to a stream of another end. */
struct udx_path lab_path(
    int sock, int end, int end_sock, const struct lab_stream *to);

/* Delivers a datagram to an end, as if it had come from that address. */
int lab_inject(struct lab *r, int end, int sock, const struct addr *from,
    const void *buf, size_t len);

/* Runs what is due now at every end, and collects the streams' events. */
void lab_settle(struct lab *r);

/* Advances the time. */
void lab_run(struct lab *r, uint64_t us);

/* Advances to the next event, unless it is later than that; false then. */
bool lab_step(struct lab *r, uint64_t until_us);

/* Returns the oldest packet that an end without udx received, or NULL. The
 * caller frees it. */
struct lab_packet *lab_got(struct lab *r, int end);

/* Ends the state of being full. */
void lab_drain(struct lab *r, int end);

/* Drops all packets of an end that are in flight. */
void lab_drop_in_flight(struct lab *r, int end);

/* Writes n bytes of a pattern that begins at `at`; returns how many fit. */
size_t lab_write(struct lab_stream *s, uint64_t at, size_t n);

/* Reads up to n bytes and returns their number; aborts if one differs from the
 * pattern. */
size_t lab_read(struct lab_stream *s, uint64_t at, size_t n);

/* ---- two connected ends ---- */

struct lab_pair {
	struct lab lab;
	struct lab_stream *a, *b; /* of ends 0 and 1, connected */
	uint64_t written, read;   /* from a to b */
};

void lab_pair_init(
    struct lab_pair *p, uint64_t seed, const struct lab_link *link);

/* Frees what the test has not freed. */
void lab_pair_fini(struct lab_pair *p);

/*
 * Writes until total bytes have been written and reads them at the other side.
 * Returns false if that takes longer than within_us.
 */
bool lab_pair_carry(struct lab_pair *p, uint64_t total, uint64_t within_us);

#endif
