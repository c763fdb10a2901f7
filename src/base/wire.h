/* SPDX-License-Identifier: ISC */
/*
 * wire.h - bounded cursors over datagrams.
 *
 * Reads and writes the compact encoding (protocol 01 §2; little-endian
 * throughout); knows no message and no socket. A cursor borrows its buffer and
 * never allocates. The first access past the end sets `bad`, which sticks:
 * reads then return zero, writes do nothing. So a codec runs straight through
 * and checks rd_ok() or wr_ok() once, at the end. Uses: base.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The largest integer that a JavaScript peer can hold exactly, 2^53 - 1. */
#define WIRE_UINT_MAX UINT64_C(0x1fffffffffffff)

/* Borrowed bytes. p is NULL if they are absent, not if they are empty. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

/* A read cursor. */
struct rd {
	const uint8_t *p, *end;
	bool bad;
};

/* A write cursor. */
struct wr {
	uint8_t *start, *p, *end;
	bool bad;
};

static inline struct rd
rd_init(const uint8_t *buf, size_t len)
{
	/* An absent value is NULL, and NULL + 0 is undefined. */
	return (struct rd){.p = buf, .end = len > 0 ? buf + len : buf};
}

__attribute__((warn_unused_result)) static inline bool
rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline size_t
rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* Returns the next n bytes, or NULL (and latches `bad`) if fewer are left. */
const uint8_t *rd_take(struct rd *r, size_t n);

/* Read an integer, or return 0 and latch. */
uint8_t rd_u8(struct rd *r);
uint16_t rd_le16(struct rd *r);
uint32_t rd_le32(struct rd *r);

/* Reads a varint. Accepts non-minimal forms, latches above WIRE_UINT_MAX. */
uint64_t rd_uint(struct rd *r);

/* Reads six bytes; the port may be 0. */
struct addr rd_addr4(struct rd *r);

/* Reads 18 bytes; the port may be 0. */
struct addr rd_addr6(struct rd *r);

/* Reads a length and that many bytes, borrowed. Latches beyond max. */
struct bytes rd_buffer(struct rd *r, size_t max);

/*
 * Reads the count of an array with elements of at least elem_min bytes. Latches
 * if the bytes left cannot hold so many, so the caller may allocate them.
 */
size_t rd_count(struct rd *r, size_t elem_min);

static inline struct wr
wr_init(uint8_t *buf, size_t cap)
{
	return (struct wr){.start = buf, .p = buf, .end = buf + cap};
}

__attribute__((warn_unused_result)) static inline bool
wr_ok(const struct wr *w)
{
	return !w->bad;
}

static inline size_t
wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

static inline size_t
wr_left(const struct wr *w)
{
	return (size_t)(w->end - w->p);
}

/* Returns space for n bytes to fill in, or NULL (and latches `bad`). */
uint8_t *wr_space(struct wr *w, size_t n);

/* Write bytes without a length, or an integer of that size. */
void wr_raw(struct wr *w, const void *p, size_t n);
void wr_u8(struct wr *w, uint8_t v);
void wr_le16(struct wr *w, uint16_t v);
void wr_le32(struct wr *w, uint32_t v);

/* Writes the shortest form. Latches above WIRE_UINT_MAX. */
void wr_uint(struct wr *w, uint64_t v);

/* Write an address of that family; any other family latches. */
void wr_addr4(struct wr *w, const struct addr *a);
void wr_addr6(struct wr *w, const struct addr *a);

/* Writes the length as a varint, then the bytes. */
void wr_buffer(struct wr *w, const void *p, size_t n);

#endif
