/* SPDX-License-Identifier: ISC */
/*
 * Splits the stream of a control client into lines and parses each as a
 * request.
 */
#include "api/api.h"
#include "api/api_request.h"
#include "api/line.h"
#include "fuzz.h"

enum { MAX = 1024 /* small, so that inputs exceed it */ };

/*
 * Checks that a valid request has what its method needs, and that an invalid
 * one has an error text.
 */
static void
try_request(const char *text, size_t len)
{
	struct api_request rq;
	struct api_error f = {0};
	char *exact = malloc(len > 0 ? len : 1);

	MUST(exact != NULL);
	memcpy(exact, text, len);
	if (api_request_parse(&rq, &f, exact, len) == 0)
		MUST(rq.method != NULL);
	else
		MUST(f.code != 0);
	api_request_fini(&rq);
	json_decref(f.data);
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct line_cutter cutter = {0};
	struct line line;
	size_t pieces = size > 0 ? data[0] + 1u : 1, have = 0, at = 0;

	/* It arrives in pieces, with the length in the first byte of each. */
	while (at < size) {
		have = have + pieces < size - at ? have + pieces : size - at;
		do {
			line = line_next(&cutter, text + at, have, MAX);
			MUST(line.used <= have);
			MUST(line.what != LINE_WHOLE ||
			     line.start + line.len < line.used);
			if (line.what == LINE_WHOLE)
				try_request(text + at + line.start, line.len);
			at += line.used;
			have -= line.used;
			MUST(have <= MAX + pieces);
		} while (line.what != LINE_MORE && at < size);
		if (have == size - at)
			break;
	}
	return 0;
}
