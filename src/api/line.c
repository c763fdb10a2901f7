/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api/line.h"

static const char *
find_newline(const char *buf, size_t len)
{
	return len > 0 ? memchr(buf, '\n', len) : NULL;
}

struct line
line_next(struct line_cutter *c, const char *buf, size_t len, size_t max)
{
	const char *nl = find_newline(buf, len);
	size_t start = 0, line_len;

	if (c->skipping) {
		if (nl == NULL)
			return (struct line){.what = LINE_MORE, .used = len};
		c->skipping = false;
		start = (size_t)(nl - buf) + 1;
		nl = find_newline(buf + start, len - start);
	}
	if (nl == NULL) {
		if (len - start < max)
			return (struct line){.what = LINE_MORE, .used = start};
		c->skipping = true;
		return (struct line){.what = LINE_LONG, .used = len};
	}
	line_len = (size_t)(nl - buf) - start;
	return (struct line){
	    .what = line_len < max ? LINE_WHOLE : LINE_LONG,
	    .start = start,
	    .len = line_len,
	    .used = start + line_len + 1,
	};
}
