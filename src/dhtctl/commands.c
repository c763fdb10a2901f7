/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dhtctl/dhtctl.h"

const struct option_info option_table[] = {
    {OPT_CONTROL, "control", "PATH", "socket of the daemon"},
    {OPT_TIMEOUT, "timeout", "SECONDS", "longest wait for an answer; 60"},
    {OPT_JSON, "json", NULL, "print one JSON object"},
    {OPT_NDJSON, "ndjson", NULL, "print a JSON object a line, as they come"},
    {OPT_MUTABLE, "mutable", NULL, "a value that its key can change"},
    {OPT_SEQ, "seq", "N", "sequence number of a mutable value"},
    {OPT_HELP, "help", NULL, "print help"},
    {OPT_VERSION, "version", NULL, "print the version"},
};

const unsigned option_table_len = sizeof option_table / sizeof *option_table;

#define OPT_LIST (OPT_COMMON | OPT_NDJSON)
#define OPT_VALUE (OPT_COMMON | OPT_MUTABLE | OPT_SEQ)

const struct command commands[] = {
    {"status", "", OPT_COMMON, cmd_status, "State of the node in one screen",
	NULL},
    {"nodes", "", OPT_LIST, cmd_nodes, "Nodes of the routing table", NULL},
    {"ping", "HOST:PORT", OPT_COMMON, cmd_ping,
	"Ask one node for a sign of life", NULL},
    {"find-node", "TARGET", OPT_LIST, cmd_find_node,
	"Find the nodes closest to a target",
	"TARGET is 32 bytes: 64 hex digits or 52 characters of z-base-32."},
    {"find-peer", "KEY", OPT_LIST, cmd_find_peer,
	"Find who forwards to a listening peer",
	"KEY is the peer's public key, in z-base-32 or hex."},
    {"lookup", "TOPIC", OPT_LIST, cmd_lookup, "Find who announces a topic",
	"TOPIC is 64 hex digits, or any text, which is hashed with"
	" BLAKE2b-256."},
    {"announce", "TOPIC", OPT_COMMON, cmd_announce,
	"Announce this node under a topic",
	"The daemon renews it until `dhtctl unannounce`, also after it was"
	" started anew."},
    {"unannounce", "TOPIC", OPT_COMMON, cmd_unannounce,
	"Withdraw a topic from the network", NULL},
    {"announcements", "", OPT_LIST, cmd_announcements,
	"Topics that are kept announced", NULL},
    {"put", "[VALUE]", OPT_VALUE, cmd_put,
	"Store a value and print where it is found",
	"Without VALUE, standard input is stored; at most 1000 bytes fit. The"
	" value is found under the hash that is printed; with --mutable, under"
	" the node's public key, and --seq must be higher than that of the"
	" value before."},
    {"get", "HASH|KEY", OPT_VALUE, cmd_get, "Fetch a value",
	"Prints the bytes of the value and nothing else. With --mutable, the"
	" latest value that KEY has signed; --seq N accepts none before N."},
    {"key", "new|show", OPT_COMMON, cmd_key, "The node's identity",
	"show prints its public key. new makes another one, which is used"
	" from the next start of the daemon on."},
    {"stats", "", OPT_COMMON, cmd_stats, "What has been counted", NULL},
    {"limits", "", OPT_LIST, cmd_limits, "What is bounded, and how far", NULL},
    {"watch", "[EVENT]", OPT_CONTROL | OPT_NDJSON | OPT_HELP, cmd_watch,
	"Print events as they happen", NULL},
    {"reload", "", OPT_COMMON, cmd_reload, "Read the configuration again",
	NULL},
    {"stop", "", OPT_COMMON, cmd_stop, "Leave the network and end the daemon",
	NULL},
    {"describe", "[METHOD]", OPT_COMMON, cmd_describe,
	"Describe the control protocol, as JSON", NULL},
    {"completion", "", OPT_COMMON, cmd_completion,
	"Print a completion script for bash", NULL},
    {"help", "[COMMAND]", OPT_COMMON, cmd_help, "Explain a command", NULL},
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
	*high = cmd->args[0] != '\0';
	*low = *high && cmd->args[0] != '[';
}
