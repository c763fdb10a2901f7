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
    {OPT_KEY, "key", "FILE", "key to use, a file of 64 hex digits"},
    {OPT_NAME, "name", "NAME", "named key to use, see `dhtctl help key`"},
    {OPT_ONCE, "once", NULL, "end after one connection"},
    {OPT_EXEC, "exec", "COMMAND", "run it for each connection"},
    {OPT_ALLOW, "allow", "KEY", "let this key in and no other; many times"},
    {OPT_LIFETIME, "lifetime", NULL, "measure the NAT's memory, too"},
    {OPT_HELP, "help", NULL, "print help"},
    {OPT_VERSION, "version", NULL, "print the version"},
};

const unsigned option_table_len = sizeof option_table / sizeof *option_table;

#define OPT_LIST (OPT_COMMON | OPT_NDJSON)
#define OPT_VALUE (OPT_COMMON | OPT_MUTABLE | OPT_SEQ)
#define OPT_LISTEN                                                             \
	(OPT_COMMON | OPT_KEY | OPT_NAME | OPT_ONCE | OPT_EXEC | OPT_ALLOW)
#define OPT_CONNECT (OPT_CONTROL | OPT_TIMEOUT | OPT_HELP | OPT_KEY | OPT_NAME)

const struct command commands[] = {
    {"status", "", OPT_COMMON, API_METHOD_status, cmd_status,
	"State of the node in one screen", NULL},
    {"nodes", "", OPT_LIST, API_METHOD_nodes, cmd_nodes,
	"Nodes of the routing table", NULL},
    {"ping", "HOST:PORT", OPT_COMMON, API_METHOD_ping, cmd_ping,
	"Ask one node for a sign of life", NULL},
    {"netcheck", "", OPT_COMMON | OPT_LIFETIME, API_METHOD_netcheck,
	cmd_netcheck, "Measure what kind of network this is",
	"Takes some five seconds. The last line says in words what the rest"
	" means for connections. --lifetime also measures how long the NAT"
	" or firewall remembers who was sent to, which takes up to five"
	" minutes more; the daemon does so by itself every hour while keys"
	" listen or connections are open."},
    {"find-node", "TARGET", OPT_LIST, API_METHOD_find_node, cmd_find_node,
	"Find the nodes closest to a target",
	"TARGET is 32 bytes: 64 hex digits or 52 characters of z-base-32."},
    {"find-peer", "KEY", OPT_LIST, API_METHOD_find_peer, cmd_find_peer,
	"Find who forwards to a listening peer",
	"KEY is the peer's public key, in z-base-32 or hex."},
    {"lookup", "TOPIC", OPT_LIST, API_METHOD_lookup, cmd_lookup,
	"Find who announces a topic",
	"TOPIC is 64 hex digits, or any text, which is hashed with"
	" BLAKE2b-256."},
    {"announce", "TOPIC", OPT_COMMON, API_METHOD_announce, cmd_announce,
	"Announce this node under a topic",
	"The daemon renews it until `dhtctl unannounce`, also after it was"
	" started anew."},
    {"unannounce", "TOPIC", OPT_COMMON, API_METHOD_unannounce, cmd_unannounce,
	"Withdraw a topic from the network", NULL},
    {"announcements", "", OPT_LIST, API_METHOD_announcements, cmd_announcements,
	"Topics that are kept announced", NULL},
    {"put", "[VALUE]", OPT_VALUE, API_METHOD_put_immutable, cmd_put,
	"Store a value and print where it is found",
	"Without VALUE, standard input is stored; at most 1000 bytes fit. The"
	" value is found under the hash that is printed; with --mutable, under"
	" the node's public key, and --seq must be higher than that of the"
	" value before."},
    {"get", "HASH|KEY", OPT_VALUE, API_METHOD_get_immutable, cmd_get,
	"Fetch a value",
	"Prints the bytes of the value and nothing else. With --mutable, the"
	" latest value that KEY has signed; --seq N accepts none before N."},
    {"listen", "", OPT_LISTEN, API_METHOD_listen, cmd_listen,
	"Make a key reachable and take connections",
	"Prints the key, then joins one connection at a time with standard"
	" input and output. With --exec, COMMAND is run for each connection"
	" with it as standard input and output, several at once, and finds the"
	" peer's key in DHTCTL_PEER. A FILE that --key names is made if it is"
	" not there."},
    {"connect", "KEY", OPT_CONNECT, API_METHOD_connect, cmd_connect,
	"Connect to a listening key",
	"Joins standard input and output with the peer, end-to-end encrypted;"
	" each side may end and still receive. As ProxyCommand of ssh:"
	" `ssh -o ProxyCommand='dhtctl connect KEY' host`."},
    {"connections", "", OPT_LIST, API_METHOD_connections, cmd_connections,
	"Connections of the node", NULL},
    {"listeners", "", OPT_LIST, API_METHOD_listeners, cmd_listeners,
	"Keys that are listened on", NULL},
    {"explain", "[KEY]", OPT_LIST, API_METHOD_explain, cmd_explain,
	"What was tried to reach a key, and why it failed", NULL},
    {"key", "[list|new|show] [NAME]", OPT_COMMON, API_METHOD_key_list, cmd_key,
	"Identities: the node's, and others by name",
	"list, or nothing, prints all; show one public key, the node's without"
	" NAME. new makes a key of that name for listen and connect; without"
	" NAME another one for the node, which is used from the next start of"
	" the daemon on."},
    {"stats", "", OPT_COMMON, API_METHOD_stats, cmd_stats,
	"What has been counted", NULL},
    {"limits", "", OPT_LIST, API_METHOD_limits, cmd_limits,
	"What is bounded, and how far", NULL},
    {"watch", "[EVENT]", OPT_CONTROL | OPT_NDJSON | OPT_HELP, API_METHOD_watch,
	cmd_watch, "Print events as they happen", NULL},
    {"reload", "", OPT_COMMON, API_METHOD_reload, call_method,
	"Read the configuration again", NULL},
    {"stop", "", OPT_COMMON, API_METHOD_stop, cmd_stop,
	"Leave the network and end the daemon", NULL},
    {"describe", "[METHOD]", OPT_COMMON, API_METHOD_describe, cmd_describe,
	"Describe the control protocol, as JSON", NULL},
    {"completion", "", OPT_COMMON, API_METHODS, cmd_completion,
	"Print a completion script for bash", NULL},
    {"help", "[COMMAND]", OPT_COMMON, API_METHODS, cmd_help,
	"Explain a command", NULL},
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
}
