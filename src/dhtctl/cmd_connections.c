/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

/* ---- connections and listeners ---- */

static const struct column connection_columns[] = {
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"path", "PATH", UNIT_NONE},
    {"address", "ADDRESS", UNIT_NONE},
    {"rtt_us", "ROUND TRIP", UNIT_US},
    {"lost_percent", "LOST %", UNIT_NONE},
    {"bytes_in", "IN", UNIT_BYTES},
    {"bytes_out", "OUT", UNIT_BYTES},
    {"age_ms", "AGE", UNIT_MS},
    {NULL, NULL, UNIT_NONE},
};

/* Adds the share of packets that were retransmitted. */
static void
add_loss(json_t *connection)
{
	json_int_t out = 0, resent = 0;
	char text[32];

	json_unpack(
	    connection, "{s:I, s:I}", "packets_out", &out, "resent", &resent);
	if (out <= 0)
		return;
	snprintf(
	    text, sizeof text, "%.1f", 100.0 * (double)resent / (double)out);
	json_object_set_new(connection, "lost_percent", json_string(text));
}

int
cmd_connections(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(c, API_METHOD_connections, "connections",
	    connection_columns, add_loss);
}

static const struct column listener_columns[] = {
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"relays", "RELAYS", UNIT_NONE},
    {"accepted", "ACCEPTED", UNIT_NONE},
    {"refused", "REFUSED", UNIT_NONE},
    {"age_ms", "AGE", UNIT_MS},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_listeners(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(
	    c, API_METHOD_listeners, "listeners", listener_columns, NULL);
}

/* ---- explain ---- */

struct explain_step {
	const char *kind, *path, *address, *err;
	json_int_t at_us, number;
};

/* Returns a string of the object, "" if it is null. */
static const char *
text_of(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	return text != NULL ? text : "";
}

static struct explain_step
read_step(const json_t *j)
{
	return (struct explain_step){
	    .kind = text_of(j, "step"),
	    .path = text_of(j, "path"),
	    .address = text_of(j, "address"),
	    .err = text_of(j, "err_name"),
	    .at_us = json_integer_value(json_object_get(j, "at_us")),
	    .number = json_integer_value(json_object_get(j, "number")),
	};
}

static const struct {
	const char *kind;
	/* %a: address, %p: path, %n: number, %e: reason. */
	const char *text;
} step_texts[] = {
    {"dial", "the dial began"},
    {"cached", "%n nodes are cached that forwarded to it before"},
    {"found", "%a forwards to the peer"},
    {"handshake", "handshake sent through %a"},
    {"answer", "handshake reply received through %a"},
    {"no-answer", "no valid reply through %a: %e"},
    {"lookup", "the lookup of nodes that forward to it ended: %e"},
    {"try", "trying %a, %p"},
    {"path-lost", "%a, %p: %e"},
    {"punch", "hole punching, round %n through %a"},
    {"peer-unknown", "the peer's NAT type is not known yet"},
    {"peer-open", "the peer is not behind a NAT"},
    {"peer-consistent", "the peer's NAT uses one port for all destinations"},
    {"peer-random", "the peer's NAT uses another port for each destination"},
    {"probes-steady", "both ports are known: probes are sent to the peer's"},
    {"probes-spray", "probes are sent to many ports of the peer"},
    {"probes-fan", "probes are sent from many of our sockets"},
    {"relay", "connecting to a blind relay"},
    {"open", "open: %a, %p"},
    {"failed", "failed: %e"},
};

static const char *
step_text(const char *kind)
{
	for (size_t i = 0; i < sizeof step_texts / sizeof *step_texts; i++) {
		if (strcmp(step_texts[i].kind, kind) == 0)
			return step_texts[i].text;
	}
	return kind;
}

static void
print_step(const struct explain_step *s)
{
	printf("  %8.1f ms  ", (double)s->at_us / 1000);
	for (const char *p = step_text(s->kind); *p != '\0'; p++) {
		if (*p != '%' || p[1] == '\0')
			putchar(*p);
		else if (*++p == 'a')
			fputs(s->address, stdout);
		else if (*p == 'p')
			printf("%s path", s->path);
		else if (*p == 'n')
			printf("%d", (int)s->number);
		else
			fputs(strcmp(s->err, "ok") == 0 ? "done"
							: reason_text(s->err),
			    stdout);
	}
	putchar('\n');
}

static void
print_attempt(const json_t *attempt)
{
	const char *key = "", *err = "ok";
	const struct reason *r;
	json_int_t age_ms = 0, lost = 0;
	struct explain_step s;
	json_t *j;
	size_t i;

	json_unpack((json_t *)attempt, "{s:s, s:I, s:s, s:I}", "public_key",
	    &key, "age_ms", &age_ms, "err_name", &err, "steps_lost", &lost);
	printf("%s, %d s ago\n", key, (int)(age_ms / 1000));
	json_array_foreach(json_object_get(attempt, "steps"), i, j)
	{
		s = read_step(j);
		print_step(&s);
	}
	if (lost > 0)
		printf("  ... and %d more steps\n", (int)lost);
	r = reason_find(err);
	if (r != NULL)
		printf("  %s\n", r->advice);
}

/* Prints one page of attempts; as text, each at once. */
static int
explain_page(struct ctl *c, const char *key, json_t **next, unsigned *found)
{
	json_t *params = json_object(), *result, *item;
	size_t i;
	int code;

	if (key != NULL)
		json_object_set_new(params, "public_key", json_string(key));
	if (*next != NULL)
		json_object_set_new(params, "cursor", *next);
	*next = NULL;
	code = api_client_call(
	    &c->client, API_METHOD_explain, params, NULL, &result);
	json_array_foreach(json_object_get(result, "attempts"), i, item)
	{
		if (c->print.format != PRINT_TEXT)
			print_item(&c->print, item);
		else
			print_attempt(item);
		++*found;
	}
	if (json_is_integer(json_object_get(result, "next")))
		*next = json_incref(json_object_get(result, "next"));
	json_decref(result);
	return code;
}

int
cmd_explain(struct ctl *c, char **argv)
{
	static const struct column none[] = {{NULL, NULL, UNIT_NONE}};
	json_t *next = NULL;
	unsigned found = 0;
	int code;

	print_begin(&c->print, "attempts", none);
	do {
		code = explain_page(c, argv[0], &next, &found);
	} while (code == EXIT_DONE && next != NULL);
	json_decref(next);
	if (code != EXIT_DONE)
		return code;
	print_end(&c->print, NULL);
	if (found > 0)
		return EXIT_DONE;
	print_error(
	    "explain", "no recent attempts: `dhtctl connect` makes one");
	return EXIT_FAILED;
}
