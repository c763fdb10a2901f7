/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/guess.h"
#include "dhtctl/dhtctl.h"

enum { TEXT_WIDTH = 72 };

void
vprint_error(const char *what, const char *fmt, va_list ap)
{
	fprintf(stderr, "dhtctl%s%s: ", *what != '\0' ? " " : "", what);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void
print_error(const char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint_error(what, fmt, ap);
	va_end(ap);
}

void
print_hint(const char *what, const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vprint_error(what, fmt, ap);
	va_end(ap);
}

int
usage_error(const char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint_error(what, fmt, ap);
	va_end(ap);
	fprintf(
	    stderr, "Try `dhtctl help%s%s`.\n", *what != '\0' ? " " : "", what);
	return EXIT_USAGE;
}

static void
print_options(unsigned bits)
{
	char name[32];

	for (unsigned i = 0; i < option_table_len; i++) {
		const struct option_info *o = &option_table[i];

		if ((bits & o->bit) == 0)
			continue;
		snprintf(name, sizeof name, "--%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		printf("  %-20s %s\n", name, o->text);
	}
}

void
help_all(void)
{
	char name[32];

	puts("usage: dhtctl [OPTION]... COMMAND [ARGUMENT]\n\n"
	     "Controls the hyperdhtd that runs on this machine.\n");
	for (unsigned i = 0; i < commands_len; i++) {
		snprintf(name, sizeof name, "%s %s", commands[i].name,
		    commands[i].args);
		printf("  %-26s %s\n", name, commands[i].text);
	}
	puts("\nOptions; `dhtctl help COMMAND` lists those of a command:\n");
	print_options(~0u);
	puts("\nExit codes:\n");
#define X(name, code, text) printf("  %3d  %s\n", code, text);
	EXIT_LIST(X)
#undef X
}

/* Prints a long text in lines of TEXT_WIDTH. */
static void
print_wrapped(const char *text)
{
	while (strlen(text) > TEXT_WIDTH) {
		int n = TEXT_WIDTH;

		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			break;
		printf("%.*s\n", n, text);
		text += n + 1;
	}
	puts(text);
}

void
help_command(const struct command *cmd)
{
	printf("usage: dhtctl %s%s%s [OPTION]...\n\n%s.\n", cmd->name,
	    *cmd->args != '\0' ? " " : "", cmd->args, cmd->text);
	if (cmd->more != NULL) {
		putchar('\n');
		print_wrapped(cmd->more);
	}
	if (cmd->run == cmd_watch) {
		puts("\nEvents:\n");
		for (int i = 0; i < API_EVENTS; i++)
			printf("  %-20s %s\n", api_events[i].name,
			    api_events[i].text);
	}
	puts("\nOptions:\n");
	print_options(cmd->options);
}

int
cmd_help(struct ctl *c, char **argv)
{
	const struct command *cmd;
	const char *guess;

	(void)c;
	if (argv[0] == NULL) {
		help_all();
		return EXIT_DONE;
	}
	cmd = command_find(argv[0]);
	if (cmd != NULL) {
		help_command(cmd);
		return EXIT_DONE;
	}
	guess = guess_name(argv[0], command_name);
	print_error("",
	    guess != NULL ? "there is no command \"%.60s\"; did you"
			    " mean \"%s\"?"
			  : "there is no command \"%.60s\"",
	    argv[0], guess);
	return EXIT_USAGE;
}
