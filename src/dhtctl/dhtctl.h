/* SPDX-License-Identifier: ISC */
/*
 * dhtctl.h - the table of commands and the functions that they share.
 *
 * A command makes requests with api_client.h and prints results with print.h:
 * data to standard output, everything else to standard error.
 * Uses: api, base, jansson, log.
 */
#ifndef DHTCTL_DHTCTL_H
#define DHTCTL_DHTCTL_H

#include <stdarg.h>
#include <stdint.h>

#include "api/api.h"
#include "dhtctl/api_client.h"
#include "dhtctl/print.h"

/* Exit codes; help and manual page are made from this list. Those from 6 to 11
 * are of connections, see reason.h. */
/* clang-format off */
#define EXIT_LIST(X) \
	X(DONE, 0, "success") \
	X(FAILED, 1, "the operation failed, or nothing was found") \
	X(USAGE, 2, "the command line is wrong") \
	X(NOT_RUNNING, 3, "no daemon is running at the socket") \
	X(REFUSED, 4, "refused by the daemon, the network or the peer, or owned" \
	    " by another user") \
	X(TIMEOUT, 5, "no answer within the time limit") \
	X(NOT_FOUND, 6, "connection: no node knows the key") \
	X(UNREACHABLE, 7, "no node of the network replies, or UDP is blocked; in all commands") \
	X(VERSION, 8, "connection: the peer speaks another version") \
	X(NO_ANSWER, 9, "connection: the peer is offline or does not admit" \
	    " this key") \
	X(LOST, 10, "connection: lost before its regular end") \
	X(NO_PATH, 11, "connection: the peer replied, but no path to it works") \
	X(INTERRUPTED, 130, "interrupted by a signal")
/* clang-format on */

enum exit_code {
#define X(name, code, text) EXIT_##name = (code),
	EXIT_LIST(X)
#undef X
};

/* Options; the row of a command lists those that it accepts. */
enum {
	OPT_CONTROL = 1 << 0,
	OPT_TIMEOUT = 1 << 1,
	OPT_JSON = 1 << 2,
	OPT_NDJSON = 1 << 3,
	OPT_HELP = 1 << 4,
	OPT_VERSION = 1 << 5,
	OPT_MUTABLE = 1 << 6,
	OPT_SEQ = 1 << 7,
	OPT_KEY = 1 << 8,
	OPT_NAME = 1 << 9,
	OPT_ONCE = 1 << 10,
	OPT_EXEC = 1 << 11,
	OPT_ALLOW = 1 << 12,
	OPT_LIFETIME = 1 << 13,
	OPT_MAX_PER_PEER = 1 << 14,
	OPT_IDLE = 1 << 15,
	OPT_ASK = 1 << 16,
	OPT_RELAY_THROUGH = 1 << 17,
	OPT_QLOG = 1 << 18,
	OPT_SECONDS = 1 << 19,
	OPT_SERVER = 1 << 20,
	OPT_CLIENT = 1 << 21,
	OPT_LIMIT = 1 << 22,
	OPT_CHAT = 1 << 23,
	OPT_KEEP = 1 << 24,
	OPT_PUBLIC = 1 << 25,
	OPT_COMMON = OPT_CONTROL | OPT_TIMEOUT | OPT_JSON | OPT_HELP,
};

struct option_info {
	unsigned bit;
	const char *name, *arg, *text; /* arg NULL: it takes no argument */
};

extern const struct option_info option_table[];
extern const unsigned option_table_len;

/* One run of the program. */
struct ctl {
	const struct command *command;
	unsigned given; /* options on the command line, as bits */
	uint64_t seq;
	const char *key_file, *key_name, *exec, *relay_through, *qlog;
	const char *allow[API_KEYS_MAX];
	unsigned allow_len;
	uint32_t max_per_peer, idle_s, seconds, limit; /* 0: not given */
	struct api_client client;
	struct printer print;
};

struct command {
	const char *name;
	/* As in the manual: "HOST:PORT", "[VALUE]", "[new|show] [NAME]". */
	const char *args;
	unsigned options;
	/* The method that it calls, or the first of several; API_METHODS if
	 * it does not call the daemon. */
	enum api_method_id method;
	/* Returns an enum exit_code. argv holds the command's arguments and
	 * ends with NULL. call_method() serves a method that has a parameter
	 * for each argument and returns single values. */
	int (*run)(struct ctl *c, char **argv);
	const char *text, *more; /* more: further help, or NULL */
};

extern const struct command commands[];
extern const unsigned commands_len;

/* Returns the command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Returns the name of the i-th command, or NULL; for base/guess.h. */
const char *command_name(unsigned i);

enum { COMMAND_ARGS_MAX = 64 /* of a command that takes any number */ };

/* Sets how many arguments the command takes. */
void command_args(const struct command *cmd, int *low, int *high);

/* Prints what is wrong and where help is. Returns EXIT_USAGE. */
int usage_error(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints "dhtctl WHAT: ", the text and a newline to standard error. */
void print_error(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void vprint_error(const char *what, const char *fmt, va_list ap);

/* Does the same, but only if standard error is a terminal. */
void print_hint(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls the command's method with its arguments as parameters, in the order of
 * the schema, and prints the fields of the result. */
int call_method(struct ctl *c, char **argv);

/* Makes a request and prints its result as one object. Returns an exit code. */
int call_and_print(struct ctl *c, enum api_method_id method, json_t *params,
    const struct column *lines);

/* Makes the requests for all pages of a list and prints it. amend, which may be
 * NULL, adds fields to an item that is printed as text. */
int call_and_print_pages(struct ctl *c, enum api_method_id method,
    const char *list, const struct column *columns,
    void (*amend)(json_t *item));

/* Does the same with a parameter beside the cursor. */
int call_and_print_pages_of(struct ctl *c, enum api_method_id method,
    const char *list, const struct column *columns, const char *param,
    const char *value);

/* Adds the identity that --key or --name selects to the parameters. Returns
 * EXIT_DONE, or reports an error and returns its exit code. */
int add_identity(struct ctl *c, json_t *params);

/* Adds the keys of --allow to the parameters, if there are any. */
void add_allow(const struct ctl *c, json_t *params);

void help_all(void);
void help_command(const struct command *cmd);

/* Declares the function of each command. */
#define COMMAND(name, args, options, method, function, text, more)             \
	int function(struct ctl *c, char **argv);
#include "dhtctl/commands.def"
#undef COMMAND

#endif
