/* SPDX-License-Identifier: ISC */
/*
 * fake_udx.h - a stream without packets, in the place of src/udx.
 *
 * What is written stays in a buffer until the test takes it; what the test
 * feeds can be read, in a buffer of exactly its length that moves each time,
 * so that whoever keeps a pointer or reads beyond is seen. Only what src/stream
 * calls is there: a program that has this has no other udx.
 */
#ifndef TESTS_FAKE_UDX_H
#define TESTS_FAKE_UDX_H

#include "udx/udx.h"

struct udx_stream {
	uint8_t *out, *in; /* written, fed and not yet consumed */
	size_t out_len, in_len;
	ptrdiff_t room; /* for how much more may be written */
	size_t window;  /* that the peer has while nothing lies here */
	size_t reserved;
	uint8_t *message; /* the last one sent, or NULL */
	size_t message_len;
	struct addr to; /* where the peer is */
	bool no_memory; /* for the next reserve */
	bool ended_here, ended_there;
};

void fake_udx_init(struct udx_stream *s);
void fake_udx_fini(struct udx_stream *s);

/* Copies the bytes behind those that are there. */
void fake_udx_feed(struct udx_stream *s, const void *p, size_t len);

/* Forgets what was written, as if it was on its way. */
void fake_udx_sent(struct udx_stream *s);

/* All that one wrote arrives at the other. */
void fake_udx_carry(struct udx_stream *from, struct udx_stream *to);

#endif
