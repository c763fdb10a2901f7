/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/wire.h"

/* First byte of the longer varint forms, protocol 01 §2. */
enum { UINT_16 = 0xfd, UINT_32 = 0xfe, UINT_64 = 0xff };

const uint8_t *
rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > rd_left(r)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

/* Reads a little-endian integer of n bytes, n <= 8. */
static uint64_t
take_le(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)take_le(r, 1);
}

uint16_t
rd_le16(struct rd *r)
{
	return (uint16_t)take_le(r, 2);
}

uint32_t
rd_le32(struct rd *r)
{
	return (uint32_t)take_le(r, 4);
}

uint64_t
rd_uint(struct rd *r)
{
	uint8_t first = rd_u8(r);
	uint64_t v;

	if (first < UINT_16)
		return first;
	v = take_le(r, first == UINT_16 ? 2 : first == UINT_32 ? 4 : 8);
	if (v > WIRE_UINT_MAX) {
		r->bad = true;
		return 0;
	}
	return v;
}

struct addr
rd_addr4(struct rd *r)
{
	const uint8_t *p = rd_take(r, ADDR_WIRE4_LEN);

	if (p == NULL)
		return (struct addr){0};
	return addr_v4(p[0], p[1], p[2], p[3], (uint16_t)(p[4] | p[5] << 8));
}

struct addr
rd_addr6(struct rd *r)
{
	const uint8_t *p = rd_take(r, ADDR_WIRE6_LEN);
	struct addr a = {.family = ADDR_V6};

	if (p == NULL)
		return (struct addr){0};
	memcpy(a.ip, p, sizeof a.ip);
	a.port = (uint16_t)(p[16] | p[17] << 8);
	return a;
}

struct bytes
rd_buffer(struct rd *r, size_t max)
{
	uint64_t len = rd_uint(r);

	if (len > max || len > rd_left(r)) {
		r->bad = true;
		return (struct bytes){0};
	}
	/* Not in the initialiser: the length must be read first. */
	const uint8_t *p = rd_take(r, (size_t)len);
	return (struct bytes){.p = p, .len = p != NULL ? (size_t)len : 0};
}

size_t
rd_count(struct rd *r, size_t elem_min)
{
	uint64_t n = rd_uint(r);

	if (n > rd_left(r) / elem_min) {
		r->bad = true;
		return 0;
	}
	return (size_t)n;
}

uint8_t *
wr_space(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || n > wr_left(w)) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return p;
}

void
wr_raw(struct wr *w, const void *p, size_t n)
{
	uint8_t *space = wr_space(w, n);

	if (space != NULL && n > 0)
		memcpy(space, p, n);
}

static void
put_le(struct wr *w, uint64_t v, size_t n)
{
	uint8_t *p = wr_space(w, n);

	for (size_t i = 0; p != NULL && i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

void
wr_u8(struct wr *w, uint8_t v)
{
	put_le(w, v, 1);
}

void
wr_le16(struct wr *w, uint16_t v)
{
	put_le(w, v, 2);
}

void
wr_le32(struct wr *w, uint32_t v)
{
	put_le(w, v, 4);
}

void
wr_uint(struct wr *w, uint64_t v)
{
	if (v < UINT_16) {
		put_le(w, v, 1);
	} else if (v <= UINT16_MAX) {
		put_le(w, UINT_16, 1);
		put_le(w, v, 2);
	} else if (v <= UINT32_MAX) {
		put_le(w, UINT_32, 1);
		put_le(w, v, 4);
	} else if (v <= WIRE_UINT_MAX) {
		put_le(w, UINT_64, 1);
		put_le(w, v, 8);
	} else {
		w->bad = true;
	}
}

void
wr_addr4(struct wr *w, const struct addr *a)
{
	uint8_t *p = a->family == ADDR_V4 ? wr_space(w, ADDR_WIRE4_LEN) : NULL;

	if (p == NULL) {
		w->bad = true;
		return;
	}
	memcpy(p, a->ip, 4);
	p[4] = (uint8_t)a->port;
	p[5] = (uint8_t)(a->port >> 8);
}

void
wr_addr6(struct wr *w, const struct addr *a)
{
	uint8_t *p = a->family == ADDR_V6 ? wr_space(w, ADDR_WIRE6_LEN) : NULL;

	if (p == NULL) {
		w->bad = true;
		return;
	}
	memcpy(p, a->ip, sizeof a->ip);
	p[16] = (uint8_t)a->port;
	p[17] = (uint8_t)(a->port >> 8);
}

void
wr_buffer(struct wr *w, const void *p, size_t n)
{
	wr_uint(w, n);
	wr_raw(w, p, n);
}
