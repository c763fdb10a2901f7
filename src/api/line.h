/* SPDX-License-Identifier: ISC */
/*
 * line.h - cuts a stream of bytes into lines of bounded length.
 *
 * A pure function over a buffer that the caller keeps; a line that is too long
 * is reported once and passed over to its newline, so that the stream lives
 * on. Knows nothing of what is in a line. Uses: base.
 */
#ifndef API_LINE_H
#define API_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum line_what {
	LINE_MORE,  /* no whole line yet: read more, then ask again */
	LINE_WHOLE, /* one line, without its newline */
	LINE_LONG, /* a line exceeded the limit; its rest will be passed over */
};

/* Zero is the start of a stream. */
struct line_cutter {
	bool passing; /* within a line that was too long */
};

struct line {
	enum line_what what;
	size_t start, len; /* of the line, in the buffer */
	size_t used;       /* bytes of the buffer that the caller must drop */
};

/*
 * Looks at what has come in; max counts the newline. The caller acts on the
 * line, drops `used` bytes, and asks again until it hears LINE_MORE.
 */
struct line line_next(
    struct line_cutter *c, const char *buf, size_t len, size_t max);

#endif
