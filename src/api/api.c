/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api/api.h"
#include "base/err.h"

#define NEED true
#define MAY false
#define SURE true
#define OR_NULL false
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}

/* The last argument may go on with .max or .of, and .note. */
#define FIELD(n, t, r, ...)                                                    \
	{                                                                      \
		.name = n, .type = t, .required = r, .text = __VA_ARGS__       \
	}
#define METHOD(n, t, a, p, ...)                                                \
	{                                                                      \
		.name = n, .text = t, .access = a, .params = p,                \
		.results = __VA_ARGS__                                         \
	}

static const struct api_field none[] = {END};

/* ---- results ---- */

static const struct api_field status_result[] = {
    FIELD("version", API_TEXT, SURE, "version of the daemon"),
    FIELD("pid", API_UINT, SURE, "its process"),
    FIELD("uptime_ms", API_UINT, SURE, "milliseconds since it started"),
    FIELD(
	"role", API_TEXT, SURE, "auto, persistent or bootstrap, as configured"),
    FIELD("public_key", API_KEY, SURE, "the node's identity"),
    FIELD("identity_saved", API_BOOL, SURE,
	"false if the identity is lost when the daemon ends"),
    FIELD("id", API_HASH, OR_NULL, "node id, while others know it"),
    FIELD("bootstrapped", API_BOOL, SURE, "has found its place in the network"),
    FIELD("ephemeral", API_BOOL, SURE, "not in the routing tables of others"),
    FIELD("firewalled", API_BOOL, SURE, "not reachable from outside"),
    FIELD("online", API_BOOL, SURE, "other nodes answer"),
    FIELD("degraded", API_BOOL, SURE, "many of them do not"),
    FIELD("public_address", API_ADDR, OR_NULL,
	"as others see it, once known; port 0 if that varies"),
    FIELD("server_address", API_ADDR, OR_NULL, "of the socket for requests"),
    FIELD(
	"client_address", API_ADDR, OR_NULL, "of the socket for own requests"),
    FIELD("nodes", API_UINT, SURE, "nodes in the routing table"),
    FIELD("candidates", API_UINT, SURE, "new nodes being checked"),
    FIELD("requests", API_UINT, SURE, "own requests under way"),
    FIELD("queries", API_UINT, SURE, "own queries under way"),
    FIELD("promotion_ticks", API_UINT, SURE,
	"ticks until this node may become persistent; 0 if that is not due"),
    FIELD("records", API_UINT, SURE, "announcements held for others"),
    FIELD("topics", API_UINT, SURE, "topics that they are under"),
    FIELD("forwards", API_UINT, SURE, "listening keys it forwards for"),
    FIELD("values", API_UINT, SURE, "values held for others"),
    FIELD("value_bytes", API_UINT, SURE, "bytes of them"),
    FIELD("announcements", API_UINT, SURE, "own topics kept announced"),
    FIELD("operations", API_UINT, SURE, "operations of clients under way"),
    FIELD("clients", API_UINT, SURE, "clients of this socket"),
    END,
};

static const struct api_field node_of_table[] = {
    FIELD("address", API_ADDR, SURE, "where it is"),
    FIELD("id", API_HASH, SURE, "its node id"),
    FIELD("heard_s", API_UINT, SURE, "seconds since it was heard of"),
    FIELD("added_s", API_UINT, SURE, "seconds since it was taken in"),
    FIELD("row", API_UINT, SURE, "leading bits that its id shares with ours"),
    END,
};

static const struct api_field nodes_result[] = {
    FIELD("nodes", API_LIST, SURE,
	"nodes of the routing table, latest heard first", .of = node_of_table),
    FIELD(
	"next", API_UINT, OR_NULL, "cursor of the next page, if there is one"),
    END,
};

static const struct api_field announcement[] = {
    FIELD("topic", API_TOPIC, SURE, "what is announced"),
    FIELD("announced", API_BOOL, SURE, "the last round reached somebody"),
    FIELD("err_name", API_TEXT, SURE, "how the last round ended; ok"),
    FIELD("stored", API_UINT, SURE, "nodes that hold it"),
    FIELD("age_ms", API_UINT, SURE, "milliseconds since the last round"),
    FIELD("next_ms", API_UINT, SURE, "milliseconds until the next"),
    END,
};

static const struct api_field announcements_result[] = {
    FIELD("announcements", API_LIST, SURE, "own topics kept announced",
	.of = announcement),
    FIELD(
	"next", API_UINT, OR_NULL, "cursor of the next page, if there is one"),
    END,
};

static const struct api_field netcheck_result[] = {
    FIELD("udp", API_BOOL, SURE, "some node has answered"),
    FIELD("mapping", API_TEXT, SURE,
	"open, consistent (one port for all destinations), random (another for"
	" each) or unknown"),
    FIELD("filtering", API_TEXT, SURE,
	"who may answer through a mapping: none (anybody), host, port"
	" (of those sent to) or unknown"),
    FIELD("port_kept", API_BOOL, SURE, "outside the port is the same"),
    FIELD("port_step", API_UINT, SURE,
	"ports count by so much from one destination to the next; 0: no"),
    FIELD("translated", API_BOOL, OR_NULL,
	"a NAT is in between: the machine does not have the address at which"
	" others see it; null: nobody has told"),
    FIELD("hairpin", API_BOOL, OR_NULL,
	"neighbours reach each other at their outer addresses; null: not"
	" tried, as there is no NAT or none that could be asked for it"),
    FIELD("stable", API_BOOL, OR_NULL,
	"nodes that were asked again saw the same address and port; null:"
	" none has answered"),
    FIELD("stable_s", API_UINT, SURE,
	"seconds between the first time that they were asked and the last"),
    FIELD("address_changes", API_UINT, SURE,
	"changes of the outer address or port since the daemon was started"),
    FIELD("address_changed_s", API_UINT, OR_NULL,
	"seconds since the latest of them"),
    FIELD("lifetime_min_s", API_UINT, OR_NULL,
	"seconds without a datagram that a mapping has outlived, when it was"
	" last measured; null: not measured in this network"),
    FIELD("lifetime_max_s", API_UINT, OR_NULL,
	"seconds that it has not; null: outlived all that was tried"),
    FIELD("lifetime_age_s", API_UINT, OR_NULL, "seconds since it was measured"),
    FIELD("keepalive_s", API_UINT, OR_NULL,
	"seconds between keep-alives that follow from it; null: nothing does,"
	" they leave every 3 to 5 s"),
    FIELD("firewalled", API_BOOL, SURE, "not reachable from outside"),
    FIELD("public_address", API_ADDR, OR_NULL, "as others see the node"),
    FIELD("addresses", API_LIST, SURE,
	"addresses at which a new socket was seen"),
    FIELD("samples", API_UINT, SURE, "nodes that told of it"),
    FIELD("ipv6", API_BOOL, SURE, "the machine has a public IPv6 address"),
    FIELD("ipv6_addresses", API_LIST, SURE, "which"),
    FIELD("advice", API_TEXT, SURE, "what it means, in words"),
    END,
};

static const struct api_field netcheck_silence[] = {
    FIELD("request", API_ID, SURE, "id of the request that asked for it"),
    FIELD("outlived_s", API_UINT, SURE,
	"seconds without a datagram that a mapping has outlived"),
    FIELD("next_s", API_UINT, SURE, "those that are waited for"),
    END,
};

static const struct api_field ping_result[] = {
    FIELD("address", API_ADDR, SURE, "who answered"),
    FIELD("id", API_HASH, OR_NULL, "its node id, if it is persistent"),
    FIELD("rtt_us", API_UINT, SURE, "microseconds until the answer came"),
    END,
};

/* Of every query. */
#define WALK_FIELDS                                                            \
	FIELD("replies", API_UINT, SURE, "nodes that answered"),               \
	    FIELD("failures", API_UINT, SURE, "nodes that did not")

static const struct api_field walk_result[] = {
    WALK_FIELDS,
    FIELD("lost", API_UINT, SURE, "results that came too fast to be passed on"),
    END,
};

/* Of every query that stores something. */
#define COMMIT_FIELDS                                                          \
	WALK_FIELDS,                                                           \
	    FIELD("stored", API_UINT, SURE, "nodes that hold it now"),         \
	    FIELD("refused", API_UINT, SURE, "nodes that would not")

static const struct api_field announce_result[] = {
    FIELD("topic", API_TOPIC, SURE, "what is announced"),
    COMMIT_FIELDS,
    END,
};

static const struct api_field put_immutable_result[] = {
    FIELD("hash", API_HASH, SURE, "under which the value is found"),
    COMMIT_FIELDS,
    END,
};

static const struct api_field put_mutable_result[] = {
    FIELD("public_key", API_KEY, SURE, "under which the value is found"),
    FIELD("seq", API_UINT, SURE, "its sequence number"),
    COMMIT_FIELDS,
    END,
};

static const struct api_field get_immutable_result[] = {
    FIELD("value_b64", API_B64, SURE, "the value"),
    WALK_FIELDS,
    END,
};

static const struct api_field get_mutable_result[] = {
    FIELD("value_b64", API_B64, SURE, "the value"),
    FIELD("seq", API_UINT, SURE, "its sequence number"),
    WALK_FIELDS,
    END,
};

static const struct api_field key_result[] = {
    FIELD("public_key", API_KEY, SURE, "of the identity"),
    FIELD("saved", API_BOOL, SURE, "false if it is lost when the daemon ends"),
    END,
};

static const struct api_field key_new_result[] = {
    FIELD("public_key", API_KEY, SURE, "of the identity"),
    END,
};

static const struct api_field named_key[] = {
    FIELD("name", API_TEXT, SURE, "as given to key_new"),
    FIELD("public_key", API_KEY, SURE, "of the identity"),
    END,
};

static const struct api_field key_list_result[] = {
    FIELD("keys", API_LIST, SURE, "named identities of the caller",
	.of = named_key),
    END,
};

/* ---- results: connections ---- */

static const struct api_field listen_result[] = {
    FIELD("listener", API_UINT, SURE, "number of the listener"),
    FIELD("public_key", API_KEY, SURE, "under which it is reached"),
    FIELD("relays", API_UINT, SURE, "nodes that forward to it"),
    FIELD("err_name", API_TEXT, SURE,
	"why there are none (it is tried again and again); ok"),
    END,
};

static const struct api_field answer_result[] = {
    FIELD("answered", API_BOOL, SURE, "false if nobody waits for it any more"),
    END,
};

static const struct api_field joined_result[] = {
    FIELD("conn", API_UINT, SURE, "number of the connection"),
    FIELD("public_key", API_KEY, SURE, "of the peer"),
    FIELD("address", API_ADDR, OR_NULL, "where the peer is"),
    END,
};

static const struct api_field connection[] = {
    FIELD("conn", API_UINT, SURE, "its number"),
    FIELD("listener", API_UINT, OR_NULL, "it came through; null: dialed"),
    FIELD("public_key", API_KEY, SURE, "of the peer"),
    FIELD("own_key", API_KEY, SURE, "of ours"),
    FIELD("open", API_BOOL, SURE, "the peer has proved its key"),
    FIELD("path", API_TEXT, OR_NULL, "direct, lan, punched or relayed"),
    FIELD("address", API_ADDR, OR_NULL, "where the peer is"),
    FIELD("rtt_us", API_UINT, SURE, "round trip, microseconds"),
    FIELD("bytes_in", API_UINT, SURE, "bytes that came"),
    FIELD("bytes_out", API_UINT, SURE, "bytes that went"),
    FIELD("packets_out", API_UINT, SURE, "packets that went"),
    FIELD("resent", API_UINT, SURE, "of them, those sent again"),
    FIELD("age_ms", API_UINT, SURE, "milliseconds since it began"),
    END,
};

static const struct api_field connections_result[] = {
    FIELD("connections", API_LIST, SURE, "oldest first", .of = connection),
    FIELD(
	"next", API_UINT, OR_NULL, "cursor of the next page, if there is one"),
    END,
};

static const struct api_field listener[] = {
    FIELD("listener", API_UINT, SURE, "its number"),
    FIELD("public_key", API_KEY, SURE, "under which it is reached"),
    FIELD("announced", API_BOOL, SURE, "other nodes forward to it"),
    FIELD("relays", API_UINT, SURE, "how many do"),
    FIELD("accepted", API_UINT, SURE, "connections that came"),
    FIELD("refused", API_UINT, SURE, "peers that were turned away"),
    FIELD("age_ms", API_UINT, SURE, "milliseconds since it began"),
    END,
};

static const struct api_field listeners_result[] = {
    FIELD("listeners", API_LIST, SURE, "oldest first", .of = listener),
    FIELD(
	"next", API_UINT, OR_NULL, "cursor of the next page, if there is one"),
    END,
};

static const struct api_field attempt_step[] = {
    FIELD("step", API_TEXT, SURE, "what happened"),
    FIELD("at_us", API_UINT, SURE, "microseconds after the attempt began"),
    FIELD("path", API_TEXT, OR_NULL, "direct, lan, punched or relayed"),
    FIELD("address", API_ADDR, OR_NULL, "of the node or path"),
    FIELD("err_name", API_TEXT, SURE, "why it failed; ok"),
    FIELD("number", API_UINT, SURE, "of rounds, or of nodes"),
    END,
};

static const struct api_field attempt[] = {
    FIELD("public_key", API_KEY, SURE, "of the peer"),
    FIELD("conn", API_UINT, SURE, "number of the connection"),
    FIELD("age_ms", API_UINT, SURE, "milliseconds since it began"),
    FIELD("err_name", API_TEXT, SURE, "why it failed; ok: open, or under way"),
    FIELD("steps", API_LIST, SURE, "in the order of time", .of = attempt_step),
    FIELD("steps_lost", API_UINT, SURE, "steps for which there was no room"),
    END,
};

static const struct api_field explain_result[] = {
    FIELD("attempts", API_LIST, SURE, "latest first", .of = attempt),
    FIELD(
	"next", API_UINT, OR_NULL, "cursor of the next page, if there is one"),
    END,
};

static const struct api_field outcome_result[] = {
    FIELD("err_name", API_TEXT, SURE, "ok: both sides had ended"),
    FIELD("err_text", API_TEXT, SURE, "the same in words"),
    END,
};

static const struct api_field stats_result[] = {
    FIELD("counters", API_OBJECT, SURE, "what happened so often, by name"),
    FIELD("drops", API_OBJECT, SURE, "datagrams dropped, by reason"),
    END,
};

static const struct api_field limit_field[] = {
    FIELD("name", API_TEXT, SURE, "in the configuration"),
    FIELD("value", API_UINT, SURE, "in force"),
    FIELD("default", API_UINT, SURE, "without configuration"),
    FIELD("low", API_UINT, SURE, "smallest value"),
    FIELD("high", API_UINT, SURE, "largest value"),
    FIELD("text", API_TEXT, SURE, "meaning"),
    END,
};

static const struct api_field limits_result[] = {
    FIELD("limits", API_LIST, SURE, "all that is bounded", .of = limit_field),
    END,
};

static const struct api_field watch_result[] = {
    FIELD("events", API_LIST, SURE, "names of the events that will be told"),
    END,
};

static const struct api_field cancel_result[] = {
    FIELD("cancelled", API_BOOL, SURE, "false if there was no such request"),
    END,
};

static const struct api_field describe_result[] = {
    FIELD("protocol", API_UINT, SURE, "version of the protocol"),
    FIELD("version", API_TEXT, SURE, "version of the daemon"),
    FIELD("types", API_LIST, SURE, "of parameters and results"),
    FIELD("methods", API_LIST, SURE, "with parameters, results, notifications"),
    FIELD("events", API_LIST, SURE, "that watch can tell"),
    FIELD("codes", API_LIST, SURE, "of errors"),
    FIELD("reasons", API_LIST, SURE,
	"err_name and err_text of failed operations"),
    END,
};

/* ---- notifications ---- */

#define REQUEST_FIELD                                                          \
	FIELD("request", API_ID, SURE, "id of the request that asked for it")

static const struct api_field found_node[] = {
    REQUEST_FIELD,
    FIELD("address", API_ADDR, SURE, "where the node is"),
    FIELD("id", API_HASH, SURE, "its node id"),
    END,
};

static const struct api_field found_peer[] = {
    REQUEST_FIELD,
    FIELD("public_key", API_KEY, SURE, "who was found"),
    FIELD("relays", API_LIST, SURE, "addresses of nodes that forward to it"),
    FIELD("node", API_ADDR, SURE, "the node that told"),
    FIELD("bump", API_UINT, SURE,
	"when something last changed under the topic, as its announcers say;"
	" milliseconds since 1970, 0 if unknown"),
    END,
};

static const struct api_field offered[] = {
    REQUEST_FIELD,
    FIELD("conn", API_UINT, SURE, "what answer is to be told"),
    FIELD("listener", API_UINT, SURE, "through which it comes"),
    FIELD("public_key", API_KEY, SURE, "who wants to connect"),
    FIELD("address", API_ADDR, OR_NULL, "where the peer is, as it says"),
    END,
};

static const struct api_field event_fields[] = {
    REQUEST_FIELD,
    FIELD("event", API_TEXT, SURE, "its name"),
    FIELD("address", API_ADDR, OR_NULL, "event address: the public address"),
    FIELD("online", API_BOOL, OR_NULL, "event health"),
    FIELD("degraded", API_BOOL, OR_NULL, "event health"),
    FIELD("topic", API_TOPIC, OR_NULL, "event announced"),
    FIELD("public_key", API_KEY, OR_NULL, "event listening"),
    FIELD("err_name", API_TEXT, OR_NULL,
	"events announced, listening: how it ended"),
    FIELD("stored", API_UINT, OR_NULL,
	"events announced, listening: nodes that hold it, or forward"),
    END,
};

/* ---- parameters ---- */

static const struct api_field page_params[] = {
    FIELD("cursor", API_UINT, MAY, "where to go on: next of the page before",
	.max = UINT32_MAX),
    END,
};

static const struct api_field address_params[] = {
    FIELD("address", API_ADDR, NEED, "of the node"),
    END,
};

static const struct api_field target_params[] = {
    FIELD("target", API_HASH, NEED, "near which to look"),
    END,
};

static const struct api_field netcheck_params[] = {
    FIELD("lifetime", API_BOOL, MAY,
	"measure how long the NAT remembers, too: up to 320 s more"),
    END,
};

static const struct api_field key_params[] = {
    FIELD("public_key", API_KEY, NEED, "of the peer"),
    END,
};

/* Which key is ours. */
#define IDENTITY_PARAMS                                                        \
	FIELD("name", API_TEXT, MAY, "of a named identity of the caller"),     \
	    FIELD("seed_b64", API_B64, MAY,                                    \
		"seed of an identity that the caller keeps, 32 bytes")

static const struct api_field listen_params[] = {
    IDENTITY_PARAMS,
    FIELD("allow", API_KEYS, MAY,
	"who may connect; others get silence; absent: everybody may"),
    FIELD("ask", API_BOOL, MAY,
	"each peer is told as an offer first, and waits for answer"),
    FIELD("keep", API_BOOL, MAY,
	"it outlives the caller's connection, until unlisten"),
    END,
};

static const struct api_field answer_params[] = {
    FIELD("conn", API_UINT, NEED, "of the offer", .max = UINT32_MAX),
    FIELD(
	"accept", API_BOOL, NEED, "false: the peer is told that it is refused"),
    END,
};

static const struct api_field listener_params[] = {
    FIELD("listener", API_UINT, NEED, "its number", .max = UINT32_MAX),
    END,
};

static const struct api_field connect_params[] = {
    FIELD("public_key", API_KEY, NEED, "of the peer"),
    IDENTITY_PARAMS,
    FIELD("relays", API_ADDRS, MAY, "nodes that may know the peer"),
    FIELD("timeout_ms", API_UINT, MAY, "longest time to try; 30000",
	.max = 3600000),
    END,
};

static const struct api_field conn_params[] = {
    FIELD("conn", API_UINT, NEED, "its number", .max = UINT32_MAX),
    END,
};

static const struct api_field explain_params[] = {
    FIELD("public_key", API_KEY, MAY, "of the peer; absent: any"),
    FIELD("cursor", API_UINT, MAY, "where to go on: next of the page before",
	.max = UINT32_MAX),
    END,
};

static const struct api_field key_name_params[] = {
    FIELD("name", API_TEXT, MAY, "of a named identity; absent: the node's"),
    END,
};

static const struct api_field topic_params[] = {
    FIELD("topic", API_TOPIC, NEED, "what it is about"),
    END,
};

static const struct api_field put_immutable_params[] = {
    FIELD("value_b64", API_B64, NEED, "the value"),
    END,
};

static const struct api_field put_mutable_params[] = {
    FIELD("value_b64", API_B64, NEED, "the value"),
    FIELD("seq", API_UINT, NEED, "higher than that of the value stored before"),
    END,
};

static const struct api_field get_immutable_params[] = {
    FIELD("hash", API_HASH, NEED, "of the value"),
    END,
};

static const struct api_field get_mutable_params[] = {
    FIELD("public_key", API_KEY, NEED, "of who signed the value"),
    FIELD("seq", API_UINT, MAY, "lowest sequence number wanted"),
    END,
};

static const struct api_field watch_params[] = {
    FIELD("event", API_TEXT, MAY, "the only one to be told; else all are"),
    END,
};

static const struct api_field cancel_params[] = {
    FIELD("request", API_ID, NEED, "id of the request to end"),
    END,
};

static const struct api_field describe_params[] = {
    FIELD("method", API_TEXT, MAY, "the only one to be described"),
    END,
};

/* ---- methods ---- */

/* Sorted as a reader would ask for them. */
const struct api_method api_methods[] = {
    METHOD("status", "State of the node", API_READ, none, status_result),
    METHOD("nodes", "Nodes of the routing table, a page at a time", API_READ,
	page_params, nodes_result),
    METHOD("ping", "Asks one node for a sign of life", API_USER, address_params,
	ping_result),
    METHOD("netcheck", "Measures what kind of network this is", API_USER,
	netcheck_params, netcheck_result, .note = "netcheck.silence",
	.note_fields = netcheck_silence),
    METHOD("find_node", "Finds the nodes closest to a target", API_USER,
	target_params, walk_result, .note = "find_node.node",
	.note_fields = found_node),
    METHOD("find_peer", "Finds who forwards to a listening peer", API_USER,
	key_params, walk_result, .note = "find_peer.peer",
	.note_fields = found_peer),
    METHOD("lookup", "Finds who announces a topic", API_USER, topic_params,
	walk_result, .note = "lookup.peer", .note_fields = found_peer),
    METHOD("announce",
	"Announces the node's identity under a topic, until unannounce",
	API_USER, topic_params, announce_result),
    METHOD("unannounce", "Withdraws a topic", API_USER, topic_params,
	announce_result),
    METHOD("announcements", "Own topics kept announced, a page at a time",
	API_READ, page_params, announcements_result),
    METHOD("put_immutable", "Stores a value under its hash", API_USER,
	put_immutable_params, put_immutable_result),
    METHOD("put_mutable",
	"Stores a value under the node's identity, signed by it", API_ADMIN,
	put_mutable_params, put_mutable_result),
    METHOD("get_immutable", "Fetches the value of a hash", API_USER,
	get_immutable_params, get_immutable_result),
    METHOD("get_mutable", "Fetches the latest value that a key has signed",
	API_USER, get_mutable_params, get_mutable_result),
    METHOD("listen", "Makes a key of the caller's reachable", API_USER,
	listen_params, listen_result, .note = "offer", .note_fields = offered),
    METHOD("answer", "Lets a peer in, or refuses it, after an offer", API_USER,
	answer_params, answer_result),
    METHOD("unlisten", "Ends a listener; its connections stay", API_USER,
	listener_params, none),
    METHOD("accept", "Waits for the next connection of a listener", API_USER,
	listener_params, joined_result, .upgrades = true),
    METHOD("connect", "Connects to a listening key", API_USER, connect_params,
	joined_result, .upgrades = true),
    METHOD("disconnect", "Ends a connection at once; its peer sees a reset",
	API_USER, conn_params, none),
    METHOD("outcome", "How a connection of the caller's ended", API_USER,
	conn_params, outcome_result),
    METHOD("connections", "Connections, a page at a time", API_READ,
	page_params, connections_result),
    METHOD("listeners", "Listeners, a page at a time", API_READ, page_params,
	listeners_result),
    METHOD("explain", "What was tried to reach a key, a page at a time",
	API_READ, explain_params, explain_result),
    METHOD("key_list", "Named identities of the caller", API_USER, none,
	key_list_result),
    METHOD("key_show", "Public key of an identity", API_READ, key_name_params,
	key_result),
    METHOD("key_new",
	"Makes a named identity; without a name (admin) the node's own, used"
	" from the next start on",
	API_USER, key_name_params, key_new_result),
    METHOD("stats", "What has been counted", API_READ, none, stats_result),
    METHOD("limits", "What is bounded, and how far", API_READ, none,
	limits_result),
    METHOD("watch", "Tells events as they happen, until unwatch", API_READ,
	watch_params, watch_result, .note = "event",
	.note_fields = event_fields),
    METHOD("unwatch", "Ends all watching of this client", API_READ, none, none),
    METHOD("cancel", "Ends a request of this client that is under way",
	API_READ, cancel_params, cancel_result),
    METHOD("reload", "Reads the configuration again", API_ADMIN, none, none),
    METHOD("stop", "Leaves the network and ends the daemon", API_ADMIN, none,
	none),
    METHOD(
	"describe", "This table", API_READ, describe_params, describe_result),
};

const unsigned api_methods_len = sizeof api_methods / sizeof *api_methods;

const struct api_method *
api_method_find(const char *name)
{
	for (unsigned i = 0; i < api_methods_len; i++) {
		if (strcmp(api_methods[i].name, name) == 0)
			return &api_methods[i];
	}
	return NULL;
}
