/* SPDX-License-Identifier: ISC */
#include <config.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/guess.h"
#include "base/wire.h"
#include "dhtctl/dhtctl.h"
#include "log/stdio_fds.h"

enum {
	TIMEOUT_S = 60,
	TIMEOUT_S_MAX = 86400,
	OPTIONS_MAX = 32,
	PATH_TEXT_MAX = 1024,
};

static const char system_socket[] = "/run/hyperdhtd/control.sock";

/* Returns the socket of the system's daemon for root, and for others that of
 * their own daemon if it exists. */
static const char *
default_socket(char buf[PATH_TEXT_MAX])
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 || dir == NULL)
		return system_socket;
	snprintf(buf, PATH_TEXT_MAX, "%s/hyperdhtd/control.sock", dir);
	return access(buf, F_OK) == 0 ? buf : system_socket;
}

static int
read_number(const char *name, const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n > max)
		return usage_error("", "--%s %.40s: give a number up to %ju",
		    name, text, (uintmax_t)max);
	*out = n;
	return EXIT_DONE;
}

/* Handles one option. Returns an exit code. */
static int
handle_option(struct ctl *c, const struct option_info *o, const char *arg)
{
	uint64_t n = 0;
	int code = EXIT_DONE;

	c->given |= o->bit;
	switch (o->bit) {
	case OPT_CONTROL:
		c->client.path = arg;
		break;
	case OPT_TIMEOUT:
		code = read_number(o->name, arg, TIMEOUT_S_MAX, &n);
		c->client.timeout_s = (uint32_t)n;
		break;
	case OPT_SEQ:
		code = read_number(o->name, arg, WIRE_UINT_MAX, &c->seq);
		break;
	case OPT_KEY:
		c->key_file = arg;
		break;
	case OPT_NAME:
		c->key_name = arg;
		break;
	case OPT_RELAY_THROUGH:
		c->relay_through = arg;
		break;
	case OPT_EXEC:
		c->exec = arg;
		break;
	case OPT_ALLOW:
		if (c->allow_len == API_KEYS_MAX)
			return usage_error("",
			    "--allow can be given %d times at most",
			    API_KEYS_MAX);
		c->allow[c->allow_len++] = arg;
		break;
	case OPT_MAX_PER_PEER:
		code = read_number(o->name, arg, UINT32_MAX, &n);
		c->max_per_peer = (uint32_t)n;
		break;
	case OPT_IDLE:
		code = read_number(o->name, arg, UINT32_MAX, &n);
		c->idle_s = (uint32_t)n;
		break;
	case OPT_LIMIT:
		code = read_number(o->name, arg, UINT32_MAX, &n);
		c->limit = (uint32_t)n;
		break;
	case OPT_QLOG:
		c->qlog = arg;
		break;
	case OPT_SECONDS:
		code = read_number(o->name, arg, TIMEOUT_S_MAX, &n);
		c->seconds = (uint32_t)n;
		break;
	default:
		break;
	}
	return code;
}

static int
parse_options(struct ctl *c, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX] = {{0}};
	int i, option, code = EXIT_DONE;

	for (unsigned k = 0; k < option_table_len; k++) {
		longs[k].name = option_table[k].name;
		longs[k].has_arg = option_table[k].arg != NULL;
	}
	while (code == EXIT_DONE &&
	       (i = getopt_long(argc, argv, "", longs, &option)) != -1) {
		if (i != 0) {
			fputs("Try `dhtctl help`.\n", stderr);
			return EXIT_USAGE;
		}
		code = handle_option(c, &option_table[option], optarg);
	}
	return code;
}

static int
find_command(struct ctl *c, const char *name)
{
	const char *guess;

	c->command = command_find(name);
	if (c->command != NULL)
		return EXIT_DONE;
	guess = guess_name(name, command_name);
	if (guess != NULL)
		return usage_error("",
		    "there is no command \"%.60s\"; did you mean \"%s\"?", name,
		    guess);
	return usage_error("", "there is no command \"%.60s\"", name);
}

/* Checks that the command takes the options and arguments. */
static int
check_command(const struct ctl *c, int args)
{
	static const char *const counts[] = {"one argument",
	    "no more than two arguments", "no more than three arguments"};
	const struct command *cmd = c->command;
	int low, high;

	for (unsigned i = 0; i < option_table_len; i++) {
		const struct option_info *o = &option_table[i];

		if ((c->given & ~cmd->options & o->bit) != 0)
			return usage_error(
			    cmd->name, "it does not take --%s", o->name);
	}
	command_args(cmd, &low, &high);
	if (args < low)
		return usage_error(cmd->name, "%s is missing", cmd->args);
	if (args > high && high == 0)
		return usage_error(cmd->name, "it takes no argument");
	if (args > high)
		return usage_error(cmd->name, "it takes %s, %s",
		    high <= 3 ? counts[high - 1] : "no more than 64 arguments",
		    cmd->args);
	return EXIT_DONE;
}

static int
run_command(struct ctl *c, char **args)
{
	char path[PATH_TEXT_MAX];
	enum print_format format = PRINT_TEXT;
	int code;

	if ((c->given & OPT_NDJSON) != 0)
		format = PRINT_NDJSON;
	else if ((c->given & OPT_JSON) != 0)
		format = PRINT_JSON;
	if (c->client.path == NULL)
		c->client.path = default_socket(path);
	c->client.what = c->command->name;
	progress_init(&c->client.progress, c->command->name, true);
	print_init(&c->print, format);
	code = c->command->run(c, args);
	api_client_fini(&c->client);
	print_fini(&c->print);
	if (!print_flush() && code == EXIT_DONE) {
		print_error(
		    c->command->name, "the output could not be written");
		code = EXIT_FAILED;
	}
	return code;
}

int
main(int argc, char **argv)
{
	struct ctl c = {.command = NULL};
	int code;

	if (!stdio_fds_open_missing())
		return EXIT_FAILED;
	if (sodium_init() < 0)
		return EXIT_FAILED;
	api_init();
	api_client_init(&c.client, "");
	c.client.timeout_s = TIMEOUT_S;
	code = parse_options(&c, argc, argv);
	if (code != EXIT_DONE)
		return code;
	if ((c.given & OPT_VERSION) != 0) {
		puts("dhtctl " PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (optind == argc && (c.given & OPT_HELP) == 0)
		return usage_error("", "a command is missing");
	if (optind == argc) {
		help_all();
		return EXIT_DONE;
	}
	code = find_command(&c, argv[optind]);
	if (code != EXIT_DONE)
		return code;
	if ((c.given & OPT_HELP) != 0) {
		help_command(c.command);
		return EXIT_DONE;
	}
	code = check_command(&c, argc - optind - 1);
	return code != EXIT_DONE ? code : run_command(&c, argv + optind + 1);
}
