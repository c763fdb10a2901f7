/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dhtctl/print.h"

enum { CELL_MAX = 256, COLUMNS_MAX = 8 };

void
print_init(struct printer *p, enum print_format format)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO) != 0;

	*p = (struct printer){
	    .format = format,
	    .terminal = terminal,
	    .colour = terminal && (no_colour == NULL || *no_colour == '\0') &&
		      term != NULL && strcmp(term, "dumb") != 0,
	};
}

void
print_fini(struct printer *p)
{
	json_decref(p->items);
}

static void
print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
}

/* ---- cells ---- */

static void
format_duration(char *out, uint64_t us)
{
	static const struct {
		uint64_t us;
		const char *name;
	} units[] = {{86400000000, "d"}, {3600000000, "h"}, {60000000, "min"},
	    {1000000, "s"}, {1000, "ms"}, {1, "us"}};
	size_t i = 0;

	while (i < sizeof units / sizeof *units - 1 && us < units[i].us)
		i++;
	if (i < 3 || us % units[i].us == 0 || us / units[i].us >= 10)
		snprintf(out, CELL_MAX, "%ju %s", (uintmax_t)(us / units[i].us),
		    units[i].name);
	else
		snprintf(out, CELL_MAX, "%ju.%ju %s",
		    (uintmax_t)(us / units[i].us),
		    (uintmax_t)(us % units[i].us * 10 / units[i].us),
		    units[i].name);
}

static void
format_number(char *out, uint64_t n, enum print_unit unit)
{
	switch (unit) {
	case UNIT_SECONDS:
		format_duration(out, n * 1000000);
		break;
	case UNIT_MS:
		format_duration(out, n * 1000);
		break;
	case UNIT_US:
		format_duration(out, n);
		break;
	case UNIT_BYTES:
		snprintf(out, CELL_MAX, "%ju bytes", (uintmax_t)n);
		break;
	default:
		snprintf(out, CELL_MAX, "%ju", (uintmax_t)n);
		break;
	}
}

static void
format_list(char *out, const json_t *list)
{
	size_t i, len = 0;
	json_t *j;

	out[0] = '\0';
	json_array_foreach(list, i, j)
	{
		if (json_is_string(j) && len < CELL_MAX)
			len += (size_t)snprintf(out + len, CELL_MAX - len,
			    "%s%s", i > 0 ? "," : "", json_string_value(j));
	}
	if (out[0] == '\0')
		snprintf(out, CELL_MAX, "-");
}

static void
format_cell(const struct printer *p, char out[CELL_MAX], const json_t *j,
    enum print_unit unit)
{
	if (json_is_string(j))
		snprintf(out, CELL_MAX, "%s", json_string_value(j));
	else if (json_is_integer(j))
		format_number(out, (uint64_t)json_integer_value(j),
		    p->terminal ? unit : UNIT_NONE);
	else if (json_is_boolean(j))
		snprintf(out, CELL_MAX, json_is_true(j) ? "yes" : "no");
	else if (json_is_array(j))
		format_list(out, j);
	else
		snprintf(out, CELL_MAX, "-");
	for (char *c = out; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

/* ---- one object ---- */

static void
print_title(const struct printer *p, const char *title, int width)
{
	printf("%s%-*s%s", p->colour ? "\033[1m" : "", width, title,
	    p->colour ? "\033[0m" : "");
}

static int
widest_title(const struct column *c)
{
	int width = 0;

	for (; c->key != NULL; c++) {
		if ((int)strlen(c->title) > width)
			width = (int)strlen(c->title);
	}
	return width;
}

void
print_object(
    struct printer *p, const json_t *object, const struct column *lines)
{
	int width = widest_title(lines);
	char cell[CELL_MAX];

	if (p->format != PRINT_TEXT) {
		print_json(object);
		return;
	}
	for (; lines->key != NULL; lines++) {
		format_cell(
		    p, cell, json_object_get(object, lines->key), lines->unit);
		if (p->terminal) {
			print_title(p, lines->title, width);
			printf("  %s\n", cell);
		} else {
			printf("%s\t%s\n", lines->key, cell);
		}
	}
}

void
print_one(struct printer *p, const json_t *object, const char *key)
{
	char cell[CELL_MAX];

	if (p->format != PRINT_TEXT) {
		print_json(object);
		return;
	}
	format_cell(p, cell, json_object_get(object, key), UNIT_NONE);
	puts(cell);
}

void
print_line(
    struct printer *p, const json_t *object, const struct column *columns)
{
	char cell[CELL_MAX];

	if (p->format != PRINT_TEXT) {
		print_json(object);
		return;
	}
	for (const struct column *c = columns; c->key != NULL; c++) {
		const json_t *j = json_object_get(object, c->key);

		if (j == NULL || json_is_null(j))
			continue;
		format_cell(p, cell, j, c->unit);
		if (c == columns)
			fputs(cell, stdout);
		else
			printf("  %s%s%s", c->title,
			    *c->title != '\0' ? " " : "", cell);
	}
	putchar('\n');
}

void
print_whole(struct printer *p, const json_t *object)
{
	if (p->format != PRINT_TEXT) {
		print_json(object);
		return;
	}
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* ---- lists ---- */

void
print_begin(struct printer *p, const char *name, const struct column *columns)
{
	p->name = name;
	p->columns = columns;
	json_decref(p->items);
	p->items = json_array();
}

static void
print_tabs(const struct printer *p, const json_t *item)
{
	char cell[CELL_MAX];

	for (const struct column *c = p->columns; c->key != NULL; c++) {
		format_cell(p, cell, json_object_get(item, c->key), c->unit);
		printf("%s%c", cell, c[1].key != NULL ? '\t' : '\n');
	}
	fflush(stdout);
}

void
print_item(struct printer *p, json_t *item)
{
	if (p->format == PRINT_NDJSON) {
		print_json(item);
		fflush(stdout);
	} else if (p->format == PRINT_TEXT && !p->terminal) {
		print_tabs(p, item);
	} else {
		json_array_append(p->items, item);
	}
}

static void
measure_columns(const struct printer *p, int *widths)
{
	char cell[CELL_MAX];
	size_t i;
	json_t *item;

	for (int c = 0; p->columns[c].key != NULL; c++) {
		widths[c] = (int)strlen(p->columns[c].title);
		json_array_foreach(p->items, i, item)
		{
			format_cell(p, cell,
			    json_object_get(item, p->columns[c].key),
			    p->columns[c].unit);
			if ((int)strlen(cell) > widths[c])
				widths[c] = (int)strlen(cell);
		}
	}
}

static void
print_row(const struct printer *p, const json_t *item, const int *widths)
{
	char cell[CELL_MAX];

	for (int c = 0; p->columns[c].key != NULL; c++) {
		const char *gap = p->columns[c + 1].key != NULL ? "  " : "\n";
		int width = *gap == '\n' ? 0 : widths[c];

		if (item == NULL) {
			print_title(p, p->columns[c].title, width);
			fputs(gap, stdout);
			continue;
		}
		format_cell(p, cell, json_object_get(item, p->columns[c].key),
		    p->columns[c].unit);
		printf("%-*s%s", width, cell, gap);
	}
}

static void
print_table(const struct printer *p)
{
	int widths[COLUMNS_MAX];
	size_t i;
	json_t *item;

	if (json_array_size(p->items) == 0)
		return;
	measure_columns(p, widths);
	print_row(p, NULL, widths);
	json_array_foreach(p->items, i, item) print_row(p, item, widths);
}

static void
print_list_json(const struct printer *p, const json_t *summary)
{
	json_t *j = json_pack("{s:O}", p->name, p->items);

	if (summary != NULL)
		json_object_update_missing(j, (json_t *)summary);
	print_json(j);
	json_decref(j);
}

void
print_end(struct printer *p, const json_t *summary)
{
	if (p->format == PRINT_JSON)
		print_list_json(p, summary);
	else if (p->format == PRINT_TEXT)
		print_table(p);
}

bool
print_flush(void)
{
	return fflush(stdout) == 0 && !ferror(stdout);
}
