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
    FIELD("public_key", API_KEY, SURE, "the node's identity"),
    FIELD("saved", API_BOOL, SURE, "false if it is lost when the daemon ends"),
    END,
};

static const struct api_field key_new_result[] = {
    FIELD("public_key", API_KEY, SURE, "the identity from the next start on"),
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

static const struct api_field event_fields[] = {
    REQUEST_FIELD,
    FIELD("event", API_TEXT, SURE, "its name"),
    FIELD("address", API_ADDR, OR_NULL, "event address: the public address"),
    FIELD("online", API_BOOL, OR_NULL, "event health"),
    FIELD("degraded", API_BOOL, OR_NULL, "event health"),
    FIELD("topic", API_TOPIC, OR_NULL, "event announced"),
    FIELD(
	"err_name", API_TEXT, OR_NULL, "event announced: how the round ended"),
    FIELD("stored", API_UINT, OR_NULL, "event announced: nodes that hold it"),
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

static const struct api_field key_params[] = {
    FIELD("public_key", API_KEY, NEED, "of the peer"),
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
    METHOD("key_show", "Public key of the node's identity", API_READ, none,
	key_result),
    METHOD("key_new", "Makes a new identity, used from the next start on",
	API_ADMIN, none, key_new_result),
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

/* ---- events, codes, levels, types ---- */

const struct api_event_info api_events[API_EVENTS] = {
    [API_EV_BOOTSTRAPPED] = {"bootstrapped", "found its place in the network"},
    [API_EV_PERSISTENT] = {"persistent", "became persistent"},
    [API_EV_EPHEMERAL] = {"ephemeral", "became ephemeral again"},
    [API_EV_ADDRESS] = {"address", "the public address changed"},
    [API_EV_HEALTH] = {"health", "other nodes answer better or worse"},
    [API_EV_WAKEUP] = {"wakeup", "woke up from sleep"},
    [API_EV_ANNOUNCED] = {"announced", "a topic was announced again"},
    [API_EV_STOPPING] = {"stopping", "the daemon is leaving"},
};

int
api_event_find(const char *name)
{
	for (int i = 0; i < API_EVENTS; i++) {
		if (strcmp(api_events[i].name, name) == 0)
			return i;
	}
	return -1;
}

const struct api_code_info api_codes[] = {
    {API_ERR_PARSE, "the line is not JSON, too long or nested too deep"},
    {API_ERR_REQUEST, "the line is JSON, but not a request"},
    {API_ERR_METHOD, "there is no such method"},
    {API_ERR_PARAMS, "a parameter will not do; data: param, problem, expected"},
    {API_ERR_FAILED, "the operation failed; data: err_name, err_text"},
    {API_ERR_DENIED, "the caller may not do this; data: need, have"},
    {API_ERR_LIMIT, "too many requests of this client are under way, or too "
		    "many clients connected"},
};

const unsigned api_codes_len = sizeof api_codes / sizeof *api_codes;

const char *
api_access_name(enum api_access a)
{
	static const char *const names[] = {"nobody", "read", "user", "admin"};

	return names[a];
}

static const struct {
	const char *name, *text;
} types[] = {
    [API_TEXT] = {"text", "a string"},
    [API_UINT] = {"uint", "an integer from 0, at most 2^53 - 1"},
    [API_BOOL] = {"bool", "true or false"},
    [API_KEY] = {"key",
	"a public key, 52 characters of z-base-32 or 64 hex digits"},
    [API_HASH] = {"hash",
	"32 bytes, 64 hex digits or 52 characters of z-base-32"},
    [API_TOPIC] = {"topic", "64 hex digits, or any text that is not empty"},
    [API_ADDR] = {"address", "an address and port such as 192.0.2.1:49737"},
    [API_B64] = {"base64", "base64 with padding, of 1 to 1000 bytes"},
    [API_ID] = {"id", "an integer, or a string of 128 bytes at most"},
    [API_LIST] = {"list", "an array"},
    [API_OBJECT] = {"object", "an object"},
};

const char *
api_type_name(enum api_type t)
{
	return types[t].name;
}

const char *
api_type_text(enum api_type t)
{
	return types[t].text;
}
