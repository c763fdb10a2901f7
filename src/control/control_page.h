/* SPDX-License-Identifier: ISC */
/*
 * control_page.h - results that contain one page of a list.
 *
 * The cursor of a page is the number of the last element before it. Numbers are
 * never reused and the lists accept any number, so that a cursor from a client
 * needs no check, and elements that end between two pages make none be skipped.
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
	uint32_t cursor; /* number of the last element; 0: none yet */
	bool more;       /* false once the list has ended */
};

/* Starts the page at the call's cursor. It holds up to max elements. */
void control_page_begin(struct control_page *p, struct control_call *k,
    const char *name, unsigned max);

bool control_page_has_space(const struct control_page *p);

/* Appends an element of that number, which api_item_init() has started. */
void control_page_append(
    struct control_page *p, struct api_writer *item, uint32_t number);

/* Writes `next`: the cursor, or null if the list has ended. */
void control_page_end(struct control_page *p);

#endif
