/* SPDX-License-Identifier: ISC */
/*
 * lab.h - a few ends and the network between them, in virtual time.
 *
 * Each end is a world with a struct udx of its own, or without one: then what
 * reaches it is kept for the test, which may answer with lab_inject(). The
 * link delays, loses, doubles and overtakes, all from a seed. What happens to
 * a stream is or'ed into the struct lab_stream that owns it. Needs no Check,
 * so that fuzzers drive it as well; what cannot happen aborts.
 */
#ifndef TESTS_LAB_H
#define TESTS_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/stats.h"
#include "base/timer.h"
#include "base/world.h"
#include "udx/udx.h"

enum { LAB_ENDS = 3, LAB_SOCKS = 4 };

#define LAB_MS UINT64_C(1000)
#define LAB_S UINT64_C(1000000)

struct lab_packet {
	struct lab_packet *next;
	uint64_t at_us, order;
	struct addr from, to;
	size_t len;
	uint8_t buf[];
};

struct lab_link {
	uint32_t delay_us;  /* one way */
	uint32_t jitter_us; /* at most; packets overtake each other */
	uint32_t loss_ppm, double_ppm;
	uint32_t mtu;         /* of the IP packet; 0: any */
	bool no_fragments;    /* not even if they are allowed to be cut */
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t queue_bytes; /* with it: more than this waiting is lost */
};

struct lab;

struct lab_end {
	struct world w; /* first, so that the core's pointer leads back here */
	struct lab *lab;
	struct timers timers;
	struct stats stats;
	struct limits limits;
	struct core core;
	struct udx *udx; /* or NULL */
	struct dgram_meta meta;
	uint8_t room[WORLD_BURST_MAX];
	size_t reserved;
	bool full;      /* takes nothing, until lab_drain() */
	uint32_t takes; /* bursts until it is full; 0: any number */
	uint64_t sent, sent_bytes, bursts;
	uint64_t free_at_us;               /* of its link */
	struct lab_packet *got, **got_end; /* without a udx */
	struct lab_packet *way, *way_last; /* what it has sent, by time */
};

struct lab {
	uint64_t now_us, order, seed;
	uint64_t tick_us; /* the ends wake up at multiples of it; 0: in time */
	struct lab_link link;
	struct lab_end end[LAB_ENDS];
	/* Sees each packet as it is sent; false: it is lost. */
	bool (*filter)(struct lab *r, const struct lab_packet *p, void *arg);
	void *filter_arg;
};

/* What owns a stream in a test. */
struct lab_stream {
	struct udx_stream *s;
	unsigned events; /* all that were told */
};

/* udx_ends: so many ends have a struct udx. */
void lab_init(struct lab *r, uint64_t seed, int udx_ends);
void lab_fini(struct lab *r);

struct addr lab_addr(int end, int sock);
uint64_t lab_random(struct lab *r);
uint32_t lab_below(struct lab *r, uint32_t n);

/* A stream at this end; aborts if there is none to be had. */
struct lab_stream *lab_stream_new(struct lab *r, int end);
/* Frees both the stream and its owner. */
void lab_stream_free(struct lab_stream *s);

/* Connects two streams of two ends, each through its socket 0. */
void lab_connect(
    struct lab_stream *a, int end_a, struct lab_stream *b, int end_b);

/* A path to a stream of another end. */
struct udx_path lab_path(
    int sock, int end, int end_sock, const struct lab_stream *to);

/* A datagram for an end, as if it had come from that address. */
int lab_inject(struct lab *r, int end, int sock, const struct addr *from,
    const void *buf, size_t len);

/* Runs what is due now at every end, and tells the streams' owners. */
void lab_settle(struct lab *r);

/* Lets time pass. */
void lab_run(struct lab *r, uint64_t us);

/* Moves on to the next event, unless it is later than that; false then. */
bool lab_step(struct lab *r, uint64_t until_us);

/* The oldest packet that reached an end without udx, or NULL; free it. */
struct lab_packet *lab_got(struct lab *r, int end);

/* A full end takes everything again. */
void lab_drain(struct lab *r, int end);

/* Writes n bytes of a pattern that begins at `at`; returns how many fit. */
size_t lab_write(struct lab_stream *s, uint64_t at, size_t n);

/* Reads what is there, up to n bytes; aborts where it is not the pattern. */
size_t lab_read(struct lab_stream *s, uint64_t at, size_t n);

/* ---- two ends that talk ---- */

struct lab_pair {
	struct lab lab;
	struct lab_stream *a, *b; /* of ends 0 and 1, connected */
	uint64_t written, read;   /* from a to b */
};

void lab_pair_init(
    struct lab_pair *p, uint64_t seed, const struct lab_link *link);

/* Frees what of it is left. */
void lab_pair_fini(struct lab_pair *p);

/*
 * Writes until so many bytes were written in all and reads them at the other
 * side; false if that takes longer.
 */
bool lab_pair_carry(struct lab_pair *p, uint64_t total, uint64_t within_us);

#endif
