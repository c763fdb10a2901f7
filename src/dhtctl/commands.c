/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dhtctl/dhtctl.h"

const struct option_info option_table[] = {
    {OPT_CONTROL, "control", "PATH", "control socket of the daemon"},
    {OPT_TIMEOUT, "timeout", "SECONDS", "time limit for an answer; default 60"},
    {OPT_JSON, "json", NULL, "print one JSON object"},
    {OPT_NDJSON, "ndjson", NULL,
	"print one JSON object per line, each at once"},
    {OPT_MUTABLE, "mutable", NULL, "store or fetch a mutable value"},
    {OPT_SEQ, "seq", "N", "sequence number of a mutable value"},
    {OPT_KEY, "key", "FILE",
	"use the key in this file, of hex digits, z-base-32 or base32"},
    {OPT_NAME, "name", "NAME", "use this named key, see `dhtctl help key`"},
    {OPT_ONCE, "once", NULL, "exit after one connection"},
    {OPT_EXEC, "exec", "COMMAND", "run this command for each connection"},
    {OPT_ALLOW, "allow", "KEY", "admit this key and no other; repeatable"},
    {OPT_PUBLIC, "public", NULL, "admit any key"},
    {OPT_ASK, "ask", NULL, "ask on the terminal before admitting a peer"},
    {OPT_MAX_PER_PEER, "max-per-peer", "N",
	"admit so many connections of one key at a time"},
    {OPT_IDLE, "idle", "SECONDS",
	"close connections on which no data moves for so long"},
    {OPT_RELAY_THROUGH, "relay-through", "KEY",
	"use this blind relay until a direct path works"},
    {OPT_LIFETIME, "lifetime", NULL, "also measure the NAT's idle timeout"},
    {OPT_QLOG, "qlog", "FILE",
	"write the events as qlog to this file; -:"
	" standard output"},
    {OPT_SECONDS, "seconds", "N", "end after so many seconds"},
    {OPT_SERVER, "server", NULL,
	"announce the key and accept connections only"},
    {OPT_CLIENT, "client", NULL, "look up and dial the others only"},
    {OPT_LIMIT, "limit", "N", "connect to N found peers of a topic at most"},
    {OPT_CHAT, "chat", NULL, "exchange lines of text with all peers"},
    {OPT_KEEP, "keep", NULL, "stay joined after the command ends"},
    {OPT_HELP, "help", NULL, "print help"},
    {OPT_VERSION, "version", NULL, "print the version"},
};

const unsigned option_table_len = sizeof option_table / sizeof *option_table;

#define OPT_LIST (OPT_COMMON | OPT_NDJSON)
#define OPT_VALUE (OPT_COMMON | OPT_MUTABLE | OPT_SEQ)
#define OPT_IDENTITY (OPT_KEY | OPT_NAME)
#define OPT_PUT (OPT_VALUE | OPT_IDENTITY)
#define OPT_LISTEN                                                             \
	(OPT_COMMON | OPT_KEY | OPT_NAME | OPT_ONCE | OPT_EXEC | OPT_ALLOW |   \
	    OPT_ASK | OPT_MAX_PER_PEER | OPT_IDLE | OPT_RELAY_THROUGH)
#define OPT_JOIN                                                               \
	(OPT_COMMON | OPT_KEY | OPT_NAME | OPT_ONCE | OPT_EXEC | OPT_ALLOW |   \
	    OPT_SERVER | OPT_CLIENT | OPT_LIMIT | OPT_CHAT | OPT_KEEP)
#define OPT_CONNECT                                                            \
	(OPT_CONTROL | OPT_TIMEOUT | OPT_HELP | OPT_KEY | OPT_NAME |           \
	    OPT_RELAY_THROUGH)
#define OPT_EXPOSE (OPT_COMMON | OPT_ALLOW | OPT_PUBLIC)
#define OPT_FORWARD (OPT_COMMON | OPT_NAME)
#define OPT_TRACE (OPT_CONTROL | OPT_HELP | OPT_QLOG | OPT_SECONDS)
#define OPT_WATCH (OPT_CONTROL | OPT_NDJSON | OPT_HELP)

const struct command commands[] = {
#define COMMAND(command, arguments, opts, called, function, summary, details)  \
	{.name = (command),                                                    \
	    .args = (arguments),                                               \
	    .options = (opts),                                                 \
	    .method = (called),                                                \
	    .run = (function),                                                 \
	    .text = (summary),                                                 \
	    .more = (details)},
#include "dhtctl/commands.def"
#undef COMMAND
};

const unsigned commands_len = sizeof commands / sizeof *commands;

const char *
command_name(unsigned i)
{
	return i < commands_len ? commands[i].name : NULL;
}

const struct command *
command_find(const char *name)
{
	for (unsigned i = 0; i < commands_len; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

void
command_args(const struct command *cmd, int *low, int *high)
{
	*low = *high = 0;
	for (const char *p = cmd->args; *p != '\0'; p++) {
		if (p != cmd->args && p[-1] != ' ')
			continue;
		++*high;
		*low += *p != '[';
	}
	if (strstr(cmd->args, "...") != NULL)
		*high = COMMAND_ARGS_MAX;
}
