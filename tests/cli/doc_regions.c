/* SPDX-License-Identifier: ISC */
/*
 * doc_regions REGION - prints a region of the documentation that is generated
 * from the tables of the programs. doc.sh compares and updates the regions.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/err.h"
#include "base/limits.h"
#include "daemon/daemon.h"
#include "dhtctl/dhtctl.h"
#include "store/keyring.h"

/* ---- control-protocol.md ---- */

static const char *
absence_text(const struct api_field *f, bool param)
{
	if (f->required)
		return "";
	return param ? ", optional" : " or null";
}

static void
print_fields(const char *where, const char *prefix,
    const struct api_field *fields, bool param)
{
	char inner[64];

	for (const struct api_field *f = fields; f->name != NULL; f++) {
		printf("| %s | `%s%s` | %s%s | %s", where, prefix, f->name,
		    api_type_name(f->type), absence_text(f, param), f->text);
		if (f->max != 0)
			printf(", at most %ju", (uintmax_t)f->max);
		puts(" |");
		if (f->of == NULL)
			continue;
		snprintf(inner, sizeof inner, "%s%s[].", prefix, f->name);
		print_fields(where, inner, f->of, param);
	}
}

static void
print_method(const struct api_method *m)
{
	char note[64];

	printf("### `%s`\n\n%s. Access: %s.%s\n\n", m->name, m->text,
	    api_access_name(m->access),
	    m->answer == API_STREAM
		? " After the result the connection is the peer's byte stream."
		: "");
	if (m->params->name == NULL && m->results->name == NULL) {
		puts("Takes no parameters; the result is an empty object.\n");
		return;
	}
	puts("| in | name | type | meaning |\n|---|---|---|---|");
	print_fields("params", "", m->params, true);
	if (m->note != NULL) {
		snprintf(note, sizeof note, "`%s`", m->note);
		print_fields(note, "", m->note_fields, false);
	}
	print_fields("result", "", m->results, false);
	putchar('\n');
}

static void
print_errors(void)
{
	puts("### Errors of each method\n");
	puts("Beside these, every method may fail with the codes -32700 to"
	     " -32600 and -32002.\n");
	puts("| method | `err_name` |\n|---|---|");
	for (unsigned i = 0; i < API_METHODS; i++) {
		const int *err = api_methods[i].errors;

		printf("| `%s` |", api_methods[i].name);
		if (*err == 0)
			fputs(" none", stdout);
		for (; *err != 0; err++)
			printf("%s `%s`",
			    err == api_methods[i].errors ? "" : ",",
			    err_name(*err));
		puts(" |");
	}
	putchar('\n');
}

static void
print_methods(void)
{
	puts("| type | value in JSON |\n|---|---|");
	for (enum api_type t = API_TEXT; t < API_TYPES; t++)
		printf("| %s | %s |\n", api_type_name(t), api_type_text(t));
	putchar('\n');
	for (unsigned i = 0; i < API_METHODS; i++)
		print_method(&api_methods[i]);
	puts("### Events\n\n| event | reported when |\n|---|---|");
	for (unsigned i = 0; i < API_EVENTS; i++)
		printf(
		    "| `%s` | %s |\n", api_events[i].name, api_events[i].text);
	puts("\n### Error codes\n\n| code | meaning |\n|---|---|");
	for (unsigned i = 0; i < api_codes_len; i++)
		printf(
		    "| %d | %s |\n", (int)api_codes[i].code, api_codes[i].text);
	putchar('\n');
	print_errors();
	puts("### Reasons\n\n| `err_name` | `err_text` |\n|---|---|");
	for (int err = 0; err > -ERR_INDEX_MAX; err--)
		printf("| `%s` | %s |\n", err_name(err), err_text(err));
}

static void
print_bounds(void)
{
	puts("| bound | value | beyond it |\n|---|---|---|");
	printf("| bytes of a line, newline included, both ways | %d | an error;"
	       " the line is skipped |\n",
	    API_LINE_MAX);
	printf("| levels of nested arrays and objects | %d | an error |\n",
	    API_DEPTH_MAX);
	printf("| connected clients, streams not counted | %d, of which %d for"
	       " admins only | error -32002, then the end |\n",
	    CLIENTS_MAX, CLIENTS_ADMIN_RESERVE);
	puts("| connections and listeners | limits `connections` and"
	     " `listeners` | the error `limit` |");
	puts("| accepted connections | limits `listener-connections` and"
	     " `connections` less `dial-reserve` | the handshake is answered"
	     " \"try again later\", or the peer with most connections loses"
	     " one |");
	printf(
	    "| named keys of one user | %d | an error |\n", KEYRING_NAMES_MAX);
	printf("| requests in progress of one connection | %d | error -32002 |"
	       "\n",
	    CLIENT_OPERATIONS_MAX);
	printf("| bytes queued for a client | %d | its requests are not read |"
	       "\n",
	    CLIENT_QUEUE_HIGH_BYTES);
	printf("| bytes queued for a client | %d | `dropped`, then the end |\n",
	    CLIENT_QUEUE_MAX_BYTES);
	printf("| seconds in which a client reads nothing of its queue | %d |"
	       " the end |\n",
	    CLIENT_STUCK_S);
}

/* ---- manual pages ---- */

/* Prints a text as a sentence on a line of its own. */
static void
print_sentence(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	putchar(toupper((unsigned char)*text));
	printf("%s.\n", text + 1);
}

static void
print_limits(void)
{
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; i < limit_table_len; i++) {
		const struct limit_info *l = &limit_table[i];

		printf(".It Cm %s Ar number\n", l->name);
		print_sentence(l->text);
		printf("Default %ju; from %ju to %ju.\n", (uintmax_t)l->value,
		    (uintmax_t)l->low, (uintmax_t)l->high);
	}
	puts(".El\n.Pp\nThe names of earlier versions are still accepted:");
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; i < limit_aliases_len; i++)
		printf(".It Cm %s Ar number\nThe same as\n.Cm %s .\n",
		    limit_aliases[i].old_name, limit_aliases[i].name);
	puts(".El");
}

static void
print_exit_code(int code, const char *text)
{
	printf(".It %d\n", code);
	print_sentence(text);
}

static void
print_daemon_exit_codes(void)
{
	puts(".Bl -tag -width Ds");
#define X(name, code, text) print_exit_code(code, text);
	DAEMON_EXIT_LIST(X)
#undef X
	puts(".El");
}

static void
print_dhtctl_exit_codes(void)
{
	puts(".Bl -tag -width 130");
#define X(name, code, text) print_exit_code(code, text);
	EXIT_LIST(X)
#undef X
	puts(".El");
}

static void
print_lower(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		putchar(tolower((unsigned char)text[i]));
}

static void
print_options(void)
{
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; i < option_table_len; i++) {
		const struct option_info *o = &option_table[i];

		printf(".It Fl \\-%s", o->name);
		if (o->arg != NULL) {
			fputs(" Ar ", stdout);
			print_lower(o->arg, strlen(o->arg));
		}
		putchar('\n');
		print_sentence(o->text);
	}
	puts(".El");
}

/* Prints "[list|new|show] [NAME]" as macros: words of the command line as Cm,
 * what stands for something else as Ar. */
static void
print_arguments(const char *args)
{
	while (*args != '\0') {
		size_t n;

		if (*args == '[')
			fputs(" Oo", stdout);
		else if (*args == ']')
			fputs(" Oc", stdout);
		else if (*args == '|')
			fputs(" |", stdout);
		n = strcspn(args, "[]| ");
		if (n > 0) {
			printf(" %s ",
			    islower((unsigned char)*args) ? "Cm" : "Ar");
			print_lower(args, n);
		}
		args += n > 0 ? n : 1;
	}
}

static void
print_commands(void)
{
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; i < commands_len; i++) {
		printf(".It Cm %s", commands[i].name);
		print_arguments(commands[i].args);
		putchar('\n');
		print_sentence(commands[i].text);
	}
	puts(".El");
}

static const struct {
	const char *name;
	void (*print)(void);
} regions[] = {
    {"methods", print_methods},
    {"bounds", print_bounds},
    {"limits", print_limits},
    {"daemon-exit-codes", print_daemon_exit_codes},
    {"dhtctl-exit-codes", print_dhtctl_exit_codes},
    {"dhtctl-options", print_options},
    {"dhtctl-commands", print_commands},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
		if (argc == 2 && strcmp(argv[1], regions[i].name) == 0) {
			regions[i].print();
			return 0;
		}
	}
	fprintf(stderr, "usage: doc_regions REGION\n");
	return 2;
}
