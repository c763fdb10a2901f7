/* SPDX-License-Identifier: ISC */
/*
 * print.h - the one printer: results as text or JSON on standard output.
 *
 * Text is a table, aligned on a terminal, with tabs and without a head
 * elsewhere. JSON is one object, or one a line for what streams. Bytes that
 * would move a terminal's cursor do not reach it.
 */
#ifndef DHTCTL_PRINT_H
#define DHTCTL_PRINT_H

#include <jansson.h>
#include <stdbool.h>

enum print_format { PRINT_TEXT, PRINT_JSON, PRINT_NDJSON };

enum print_unit { UNIT_NONE, UNIT_SECONDS, UNIT_MS, UNIT_US, UNIT_BYTES };

/* A column of a table, or a line of a single object. */
struct column {
	const char *key, *title; /* key NULL ends a list of them */
	enum print_unit unit;    /* for people; bare numbers go elsewhere */
};

struct printer {
	enum print_format format;
	bool terminal, colour; /* what standard output is */
	/* Of the list under way. */
	const char *name; /* that it has in JSON */
	const struct column *columns;
	json_t *items; /* those not printed yet */
};

void print_init(struct printer *p, enum print_format format);
void print_fini(struct printer *p);

/* One object: a line for each column; as JSON, whole. */
void print_object(
    struct printer *p, const json_t *object, const struct column *lines);

/* The same, but as text only one value of it, for scripts. */
void print_one(struct printer *p, const json_t *object, const char *key);

/* The same, but as text on one line, with what is null left out. */
void print_line(
    struct printer *p, const json_t *object, const struct column *columns);

/* For what is JSON in text too: indented. */
void print_whole(struct printer *p, const json_t *object);

/*
 * A list: begin, add any number of items (borrowed), end with what else is to
 * be said of it in JSON (borrowed, or NULL).
 */
void print_begin(
    struct printer *p, const char *name, const struct column *columns);
void print_item(struct printer *p, json_t *item);
void print_end(struct printer *p, const json_t *summary);

/* True if what was printed has reached the system. */
bool print_flush(void);

#endif
