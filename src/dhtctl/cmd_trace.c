/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dhtctl/dhtctl.h"
#include "dhtctl/qlog.h"

/* Where events go. */
struct trace_output {
	struct qlog *qlog; /* NULL: as text to standard output */
	FILE *f;           /* of qlog */
	bool begun;        /* its header is written */
};

/* ---- text ---- */

/* Prints the line of an event, with its time in milliseconds. */
static void
print_event(json_int_t conn, const char *line)
{
	char *rest;
	unsigned long long at_us = strtoull(line, &rest, 10);

	printf("%d %llu.%03llu", (int)conn, at_us / 1000, at_us % 1000);
	for (; *rest != '\0'; rest++)
		putchar(isprint((unsigned char)*rest) ? *rest : '?');
	putchar('\n');
}

/* ---- notifications ---- */

static void
begin_qlog(struct trace_output *out, bool dialed)
{
	struct timespec now;

	if (out->begun)
		return;
	out->begun = true;
	clock_gettime(CLOCK_REALTIME, &now);
	qlog_header(out->qlog, dialed,
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void
write_dropped(struct trace_output *out, json_int_t conn, const char *line,
    json_int_t dropped)
{
	if (out->qlog != NULL)
		qlog_dropped(
		    out->qlog, (uint32_t)conn, line, (uint64_t)dropped);
	else
		print_error("trace",
		    "%lld events are missing: they were not read in time",
		    (long long)dropped);
}

static int
on_events(void *owner, const json_t *params)
{
	struct trace_output *out = owner;
	json_int_t conn = 0, dropped = 0;
	int dialed = 0;
	json_t *item;
	size_t i;

	json_unpack((json_t *)params, "{s:I, s:b, s:I}", "conn", &conn,
	    "dialed", &dialed, "dropped", &dropped);
	if (out->qlog != NULL)
		begin_qlog(out, dialed != 0);
	json_array_foreach(json_object_get(params, "events"), i, item)
	{
		const char *line = json_string_value(item);

		if (line == NULL)
			continue;
		if (dropped > 0)
			write_dropped(out, conn, line, dropped);
		dropped = 0;
		if (out->qlog != NULL)
			qlog_event(out->qlog, (uint32_t)conn, line);
		else
			print_event(conn, line);
	}
	return fflush(out->qlog != NULL ? out->f : stdout) == 0 ? EXIT_DONE
								: EXIT_FAILED;
}

/* ---- the command ---- */

/* Opens the file of --qlog. Returns an exit code. */
static int
open_output(const struct ctl *c, struct trace_output *out)
{
	bool is_stdout = c->qlog != NULL && strcmp(c->qlog, "-") == 0;

	*out = (struct trace_output){.f = NULL};
	if (c->qlog == NULL)
		return EXIT_DONE;
	out->f = is_stdout ? stdout : fopen(c->qlog, "we");
	if (out->f != NULL)
		out->qlog = qlog_new(out->f);
	if (out->qlog != NULL)
		return EXIT_DONE;
	print_error("trace", "%s: %s", c->qlog, strerror(errno));
	return EXIT_FAILED;
}

/* Completes the file, also after a failure. Returns the exit code. */
static int
close_output(const struct ctl *c, struct trace_output *out, int code)
{
	bool whole;

	if (out->qlog == NULL)
		return code;
	whole = qlog_flush(out->qlog);
	qlog_free(out->qlog);
	if (out->f != stdout)
		whole &= fclose(out->f) == 0;
	if (whole)
		return code;
	print_error("trace", "%s could not be written", c->qlog);
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

/* Makes the request, and reports how many events were missed. */
static int
run_trace(struct ctl *c, const char *key, struct trace_output *out)
{
	const struct api_client_notes notes = {.note = on_events, .owner = out};
	json_t *params = json_pack("{s:s}", "public_key", key), *result;
	json_int_t events = 0, dropped = 0;
	int code;

	if (c->seconds > 0)
		json_object_set_new(
		    params, "seconds", json_integer((json_int_t)c->seconds));
	c->client.patient = true;
	code = api_client_call(
	    &c->client, API_METHOD_trace, params, &notes, &result);
	if (code == EXIT_DONE)
		json_unpack(result, "{s:I, s:I}", "events", &events, "dropped",
		    &dropped);
	json_decref(result);
	if (dropped > 0)
		print_error("trace", "%lld of %lld events are missing",
		    (long long)dropped, (long long)(events + dropped));
	return code;
}

int
cmd_trace(struct ctl *c, char **argv)
{
	struct trace_output out;
	int code = open_output(c, &out);

	if (code == EXIT_DONE)
		code = close_output(c, &out, run_trace(c, argv[0], &out));
	return code;
}
