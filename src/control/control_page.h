/* SPDX-License-Identifier: ISC */
/*
 * control_page.h - results that contain one page of a list.
 */
#ifndef CONTROL_CONTROL_PAGE_H
#define CONTROL_CONTROL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct api_writer;
struct control_call;

struct control_page {
	struct control_call *call;
	const char *name; /* of the list in the result */
	unsigned len, max;
	uint32_t cursor; /* of the next element */
	bool more;       /* false once the list has ended */
};

/* Starts the page at the call's cursor. It holds up to max elements. */
void control_page_begin(struct control_page *p, struct control_call *k,
    const char *name, unsigned max);

bool control_page_has_space(const struct control_page *p);

/* Appends an element that api_item_init() has started for the list. */
void control_page_append(struct control_page *p, struct api_writer *item);

/* Writes `next`: the cursor, or null if the list has ended. */
void control_page_end(struct control_page *p);

#endif
