/* SPDX-License-Identifier: ISC */
/*
 * print.h - prints results to standard output, as text or JSON.
 *
 * Text is an aligned table with a heading on a terminal, and elsewhere lines
 * with tabs between the columns. JSON is one object, or one object per line
 * (NDJSON). Control characters are replaced, so that data from the network
 * cannot change the state of a terminal.
 */
#ifndef DHTCTL_PRINT_H
#define DHTCTL_PRINT_H

#include <jansson.h>
#include <stdbool.h>

enum print_format { PRINT_TEXT, PRINT_JSON, PRINT_NDJSON };

enum print_unit { UNIT_NONE, UNIT_SECONDS, UNIT_MS, UNIT_US, UNIT_BYTES };

/* A column of a table, or a line of a single object. */
struct column {
	const char *key, *title; /* key NULL terminates a list */
	enum print_unit unit;    /* printed on a terminal only */
};

struct printer {
	enum print_format format;
	bool terminal, colour; /* properties of standard output */
	/* The list that is being printed. */
	const char *name; /* its member in JSON */
	const struct column *columns;
	json_t *items; /* not printed yet */
};

void print_init(struct printer *p, enum print_format format);
void print_fini(struct printer *p);

/* Prints one object, as text a line for each column. */
void print_object(
    struct printer *p, const json_t *object, const struct column *lines);

/* Prints one object, as text only one value of it, for scripts. */
void print_one(struct printer *p, const json_t *object, const char *key);

/* Prints one object, as text on one line without the values that are null. */
void print_line(
    struct printer *p, const json_t *object, const struct column *columns);

/* Prints one object as JSON, which is indented in the text format. */
void print_whole(struct printer *p, const json_t *object);

/* Begins a list, adds an item (borrowed), and ends the list with further
 * members of the JSON object (borrowed, or NULL). */
void print_begin(
    struct printer *p, const char *name, const struct column *columns);
void print_item(struct printer *p, json_t *item);
void print_end(struct printer *p, const json_t *summary);

/* Flushes standard output. Returns false if output was lost. */
bool print_flush(void);

#endif
