/* SPDX-License-Identifier: ISC */
/*
 * frame.h - layout of the frames of a secret stream, protocol 06 §A.1 and
 * §A.3:
 *
 *	length (3) | tag (1) | ciphertext | MAC (16)
 *
 * The length is little-endian and counts what follows it. The first frame of
 * each direction is a header instead: length (3) | id (32) | init (24).
 */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/secretstream.h"
#include "stream/secret_derive.h"

enum {
	FRAME_LENGTH_LEN = 3,
	FRAME_TAG_LEN = SECRETSTREAM_TAG_LEN,
	FRAME_SEAL_LEN = SECRETSTREAM_SEAL_LEN,
	FRAME_OVERHEAD = FRAME_LENGTH_LEN + FRAME_SEAL_LEN,
	FRAME_MAX = 16777215, /* the largest length that fits the wire */

	HEADER_INIT_LEN = SECRETSTREAM_HEADER_LEN,
	HEADER_LEN = SECRET_ID_LEN + HEADER_INIT_LEN,
};

static inline void
frame_put_length(uint8_t out[FRAME_LENGTH_LEN], size_t len)
{
	out[0] = (uint8_t)len;
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)(len >> 16);
}

static inline uint32_t
frame_get_length(const uint8_t p[FRAME_LENGTH_LEN])
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

#endif
