/* SPDX-License-Identifier: ISC */
/*
 * sendbuf.h - what was written and is not yet acknowledged.
 *
 * A list of chunks. A writer fills room at the end in place; packets are cut
 * off behind the cut and read again from where they were cut for as long as
 * they may be lost. Chunks of the standard size are kept for the next stream
 * in the stock, which all streams of a node share. Knows no packet.
 */
#ifndef UDX_SENDBUF_H
#define UDX_SENDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
	struct chunk *next;
	uint32_t len, cap;
	uint8_t bytes[];
};

/* Spare memory of all streams, and what they hold in all. */
struct stock {
	struct chunk *chunks;
	uint32_t chunks_len;
	uint64_t held; /* bytes in use, chunks and otherwise */
};

void stock_fini(struct stock *st);

/* A place in the buffer. */
struct cut {
	struct chunk *chunk;
	uint32_t at;
};

struct sendbuf {
	struct chunk *first, *last;
	struct cut cut;  /* what lies behind it was in no packet yet */
	uint64_t unsent; /* bytes behind the cut */
	uint64_t len;    /* bytes in all */
};

/* Room for n bytes in one piece, or NULL: memory. The first len are added. */
uint8_t *sendbuf_reserve(struct sendbuf *b, struct stock *st, size_t n);
void sendbuf_commit(struct sendbuf *b, size_t len);

/* Where the next n bytes (n <= unsent) lie; moves the cut behind them. */
struct cut sendbuf_cut(struct sendbuf *b, size_t n);

/* Copies n bytes from there on. */
void sendbuf_read(struct cut from, uint8_t *out, size_t n);

/* The oldest n bytes are acknowledged; oldest: where the rest begins. */
void sendbuf_release(
    struct sendbuf *b, struct stock *st, size_t n, const struct chunk *oldest);
void sendbuf_fini(struct sendbuf *b, struct stock *st);

#endif
