/* SPDX-License-Identifier: ISC */
/*
 * mux_reader.h - the position of a mux in the message that it is reading. Only
 * offsets are kept, because the message may move between two steps. Uses:
 * base.
 */
#ifndef STREAM_MUX_READER_H
#define STREAM_MUX_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

/* A batch that is being read. */
struct mux_batch {
	uint32_t pos, end; /* offsets in the message */
	uint64_t channel;
};

struct mux_reader {
	bool started; /* the message's first step was done */
	struct mux_batch batches[MUX_DEPTH_MAX];
	uint32_t depth;
};

#endif
