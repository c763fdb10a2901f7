/* SPDX-License-Identifier: ISC */
/*
 * method_doc - prints the method section of doc/control-protocol.md, from the
 * table that the daemon works by. doc.sh compares the two.
 */
#include <stdio.h>

#include "api/api.h"

static const char *
when_absent(const struct api_field *f, bool param)
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
		    api_type_name(f->type), when_absent(f, param), f->text);
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
		? " Then the connection is the peer's byte stream."
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

int
main(void)
{
	puts("| type | what it is in JSON |\n|---|---|");
	for (enum api_type t = API_TEXT; t < API_TYPES; t++)
		printf("| %s | %s |\n", api_type_name(t), api_type_text(t));
	putchar('\n');
	for (unsigned i = 0; i < API_METHODS; i++)
		print_method(&api_methods[i]);
	puts("### Events\n\n| event | when |\n|---|---|");
	for (unsigned i = 0; i < API_EVENTS; i++)
		printf(
		    "| `%s` | %s |\n", api_events[i].name, api_events[i].text);
	puts("\n### Error codes\n\n| code | when |\n|---|---|");
	for (unsigned i = 0; i < api_codes_len; i++)
		printf(
		    "| %d | %s |\n", (int)api_codes[i].code, api_codes[i].text);
	return 0;
}
