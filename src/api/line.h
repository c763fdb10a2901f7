/* SPDX-License-Identifier: ISC */
/*
 * line.h - splits a byte stream into lines of bounded length.
 *
 * Works on a buffer that the caller owns, and keeps one bit of state. A line
 * that is too long is reported once and skipped up to its newline, so that the
 * stream stays usable. Does not interpret the lines. Uses: base.
 */
#ifndef API_LINE_H
#define API_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum line_what {
	LINE_MORE,  /* no complete line: read more bytes, then call again */
	LINE_WHOLE, /* a line, without its newline */
	LINE_LONG,  /* a line exceeds the limit; the rest of it is skipped */
};

/* All zero at the start of a stream. */
struct line_cutter {
	bool skipping; /* inside a line that was too long */
};

struct line {
	enum line_what what;
	size_t start, len; /* of the line, in the buffer */
	size_t used;       /* bytes of the buffer that the caller must drop */
};

/*
 * Returns the first line of the buffer. max counts the newline. The caller
 * processes the line, drops `used` bytes, and calls again until the result is
 * LINE_MORE.
 */
struct line line_next(
    struct line_cutter *c, const char *buf, size_t len, size_t max);

#endif
