/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "api/api.h"
#include "dhtctl/dhtctl.h"

/* Prints the options of a command for a bash variable. */
static void
print_options(unsigned bits)
{
	for (unsigned i = 0; i < option_table_len; i++) {
		if ((bits & option_table[i].bit) != 0)
			printf(" --%s", option_table[i].name);
	}
}

static void
print_names(void)
{
	for (unsigned i = 0; i < commands_len; i++)
		printf(" %s", commands[i].name);
}

static void
print_methods(void)
{
	for (unsigned i = 0; i < API_METHODS; i++)
		printf(" %s", api_methods[i].name);
}

/* Prints the words that the argument of the command can be, if they are
 * known. */
static void
print_words(const struct command *cmd)
{
	if (cmd->run == cmd_help) {
		print_names();
	} else if (cmd->run == cmd_describe) {
		print_methods();
	} else if (cmd->run == cmd_watch) {
		for (int i = 0; i < API_EVENTS; i++)
			printf(" %s", api_events[i].name);
	} else if (cmd->run == cmd_key) {
		putchar(' ');
		for (const char *p = cmd->args + 1; *p != ']'; p++)
			putchar(*p == '|' ? ' ' : *p);
	}
}

int
cmd_completion(struct ctl *c, char **argv)
{
	(void)c;
	(void)argv;
	puts("# bash completion for dhtctl, printed by `dhtctl completion`\n"
	     "_dhtctl()\n"
	     "{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} word words command=\n"
	     "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tCOMPREPLY=()\n"
	     "\tif [[ $prev == --@(control|key) ]]; then\n"
	     "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tprev=\n"
	     "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	     "\t\tif [[ $prev == --@(control|timeout|seq|key|name|exec|allow) "
	     "]]; then\n"
	     "\t\t\t:\n"
	     "\t\telif [[ -z $command && $word != -* ]]; then\n"
	     "\t\t\tcommand=$word\n"
	     "\t\tfi\n"
	     "\t\tprev=$word\n"
	     "\tdone\n"
	     "\tcase $command in");
	for (unsigned i = 0; i < commands_len; i++) {
		printf("\t%s) words=\"", commands[i].name);
		print_words(&commands[i]);
		print_options(commands[i].options);
		puts("\" ;;");
	}
	printf("\t*) words=\"");
	print_names();
	print_options(~0u);
	puts("\" ;;\n"
	     "\tesac\n"
	     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "}\n"
	     "complete -F _dhtctl dhtctl");
	return EXIT_DONE;
}
