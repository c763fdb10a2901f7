/* SPDX-License-Identifier: ISC */
/*
 * fake_udx.h - a stream without packets, in place of src/udx.
 *
 * Bytes written stay in a buffer until the test takes them. Bytes fed by the
 * test can be read from a buffer of exactly their length that moves each time,
 * so that sanitizers detect a stale pointer or a read past the end. Implements
 * only what src/stream calls; a program that links it has no other udx.
 */
#ifndef TESTS_FAKE_UDX_H
#define TESTS_FAKE_UDX_H

#include "udx/udx.h"

struct udx_stream {
	uint8_t *out, *in; /* written, fed and not yet consumed */
	size_t out_len, in_len;
	ptrdiff_t space; /* bytes that may still be written */
	size_t window;   /* of the peer, while the input is empty */
	size_t reserved;
	uint8_t *message; /* the last one sent, or NULL */
	size_t message_len;
	struct addr to; /* address of the peer */
	bool no_memory; /* for the next reserve */
	size_t piece;   /* bytes in one piece of the input at most; 0: all */
	size_t detached;
	uint64_t copied; /* bytes, by udx_copy() */
	bool ended_here, ended_there;
};

void fake_udx_init(struct udx_stream *s);
void fake_udx_fini(struct udx_stream *s);

/* Appends a copy of the bytes to the input. */
void fake_udx_feed(struct udx_stream *s, const void *p, size_t len);

/* Discards what was written, as if it had been sent. */
void fake_udx_sent(struct udx_stream *s);

/* Delivers all that one stream wrote to the other. */
void fake_udx_carry(struct udx_stream *from, struct udx_stream *to);

#endif
