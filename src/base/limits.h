/* SPDX-License-Identifier: ISC */
/*
 * limits.h - the limits of everything that peers could make grow.
 *
 * One table: field, name in the configuration and of the long option, default,
 * smallest and largest value, meaning with unit. The configuration reader, the
 * options, the manual page and `dhtctl limits` are made from it. Uses: nothing.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

/* clang-format off */
#define LIMIT_LIST(X) \
	/* Bytes for a host that may be the victim of a forged source. */ \
	X(unvalidated_burst_bytes, "unvalidated-burst-bytes", 40000, 2048, 16777216, \
	    "bytes sent at once to a host with an unvalidated address") \
	X(unvalidated_rate_bytes, "unvalidated-rate-bytes", 4000, 1, 16777216, \
	    "bytes per second sent to such a host after the burst") \
	/* A whole network may bootstrap behind one address. */ \
	X(validated_burst_requests, "validated-burst-requests", 200, 1, 1000000, \
	    "requests answered at once for a host with a validated address") \
	X(validated_rate_requests, "validated-rate-requests", 100, 1, 1000000, \
	    "requests per second answered for such a host after the burst") \
	X(validated_seconds, "validated-seconds", 600, 10, 86400, \
	    "seconds for which a validated address stays validated") \
	X(sources, "sources", 32768, 256, 4194304, \
	    "source hosts with a remembered budget") \
	/* New ids, until they have answered one PING of ours. */ \
	X(candidates, "candidates", 10, 1, 65536, \
	    "new nodes being checked at a time; at most 10 take effect") \
	X(candidates_prefix, "candidates-prefix", 3, 1, 65536, \
	    "new nodes of one /24 being checked at a time; at most 3 take effect") \
	X(candidate_seconds, "candidate-seconds", 60, 1, 86400, \
	    "seconds between two checks of one address") \
	X(delayed_pings, "delayed-pings", 1024, 0, 65536, \
	    "delayed pings waiting at a time") \
	X(delayed_pings_prefix, "delayed-pings-prefix", 16, 0, 65536, \
	    "delayed pings of one /24 waiting at a time") \
	X(delayed_ping_ms, "delayed-ping-ms", 10000, 0, 60000, \
	    "longest delay of a delayed ping, in milliseconds") \
	/* Shares of an address and of a /24, which costs more. */ \
	X(row_host, "row-host", 1, 1, 20, \
	    "nodes of one address in a bucket row or a closest set") \
	X(row_prefix, "row-prefix", 2, 1, 20, \
	    "nodes of one /24 in a bucket row or a closest set") \
	X(table_host, "table-host", 4, 1, 5120, \
	    "nodes of one address in the routing table") \
	X(table_prefix, "table-prefix", 16, 1, 5120, \
	    "nodes of one /24 in the routing table") \
	X(requests, "requests", 2048, 64, 32768, \
	    "own requests in flight or waiting") \
	X(queries, "queries", 128, 4, 4096, \
	    "own queries at a time") \
	X(query_candidates, "query-candidates", 2048, 64, 65536, \
	    "nodes remembered by one query") \
	X(operations, "operations", 256, 4, 4096, \
	    "operations of control clients at a time") \
	/* Forwarded signalling, protocol 03 §3.5. */ \
	X(forward_burst_bytes, "forward-burst-bytes", 40000, 2048, 16777216, \
	    "bytes forwarded at once for one /24") \
	X(forward_rate_bytes, "forward-rate-bytes", 4000, 1, 16777216, \
	    "bytes per second forwarded for one /24 after the burst") \
	X(forward_handshakes, "forward-handshakes", 50, 1, 1000000, \
	    "handshakes per second forwarded to one host for clients without " \
	    "a token; beyond that, a client must return a token first") \
	X(forward_hosts, "forward-hosts", 4096, 16, 1048576, \
	    "/24s and hosts that each table of forwarding, handshake and probe " \
	    "budgets remembers") \
	/* Hole punching, protocol 04. */ \
	X(punchers, "punchers", 256, 1, 65536, \
	    "hole punches in progress at a time") \
	X(punch_pool, "punch-pool", 2, 0, 16, \
	    "sockets kept ready for hole punching") \
	X(punch_sockets, "punch-sockets", 512, 16, 1024, \
	    "birthday sockets that a punch from behind a random NAT opens") \
	X(punches_from_random, "punches-from-random", 1, 1, 16, \
	    "punches from behind a random NAT at a time; others wait") \
	X(punches_to_random, "punches-to-random", 4, 1, 64, \
	    "punches towards a random NAT at a time; others wait") \
	X(probe_burst, "probe-burst", 3000, 16, 1000000, \
	    "probes and path challenges sent at once to a host that a peer " \
	    "or a relay has named; four times as many to a validated host, " \
	    "or to a /24; the dials of this node have as much of their own") \
	X(probe_rate, "probe-rate", 50, 1, 100000, \
	    "probes and path challenges per second sent to such a host after " \
	    "the burst") \
	X(probe_destinations, "probe-destinations", 2048, 16, 1000000, \
	    "distinct addresses probed at once because others have named " \
	    "them; a quarter through one relay, a sixteenth for one /24 of " \
	    "clients; the dials of this node have four times as many") \
	X(probe_destinations_rate, "probe-destinations-rate", 32, 1, 100000, \
	    "such addresses per second after the burst") \
	X(lifetime_minutes, "lifetime-minutes", 60, 0, 10080, \
	    "minutes between measurements of the NAT mapping lifetime; 0: none") \
	/* Storage for other nodes. */ \
	X(records, "records", 8192, 16, 4194304, \
	    "announcements stored for other nodes") \
	X(topic_records, "topic-records", 1024, 20, 65536, \
	    "announcements stored for one topic") \
	X(forwards, "forwards", 4096, 16, 4194304, \
	    "listening keys for which this node forwards handshakes") \
	X(refreshes, "refreshes", 4096, 16, 4194304, \
	    "refresh tokens stored") \
	X(values, "values", 2048, 16, 4194304, \
	    "mutable values stored, and as many immutable ones") \
	X(value_bytes, "value-bytes", 2097152, 65536, 1073741824, \
	    "bytes of stored values, of each kind") \
	X(record_seconds, "record-seconds", 1200, 60, 86400, \
	    "seconds after which an announcement expires") \
	X(value_seconds, "value-seconds", 172800, 600, 2592000, \
	    "seconds after which a value expires") \
	X(share_host_permille, "share-host-permille", 10, 1, 1000, \
	    "thousandths of a cache that one address may use") \
	X(share_prefix_permille, "share-prefix-permille", 40, 1, 1000, \
	    "thousandths of a cache that one /24 may use") \
	X(serve_host, "serve-host", 2, 1, 20, \
	    "announcements of one address among the 20 of a reply") \
	X(serve_prefix, "serve-prefix", 8, 1, 20, \
	    "announcements of one /24 among the 20 of a reply") \
	/* Streams with peers. */ \
	X(streams, "streams", 4096, 1, 1048576, \
	    "streams at a time, including those being set up or relayed") \
	X(stream_send_bytes, "stream-send-bytes", 67108864, 65536, 1073741824, \
	    "bytes written to one stream and not yet acknowledged") \
	X(stream_window_bytes, "stream-window-bytes", 67108864, 65536, 1073741824, \
	    "bytes received by one stream and not yet read") \
	X(stream_memory_bytes, "stream-memory-bytes", 20971520, 1048576, 4294967295, \
	    "bytes in the buffers of all streams; half of it for what was " \
	    "received") \
	X(traces, "traces", 16, 1, 256, \
	    "streams traced at a time") \
	X(trace_events, "trace-events", 8192, 256, 1048576, \
	    "events of a traced stream that wait to be read") \
	X(announcements, "announcements", 1024, 1, 65536, \
	    "topics of this node that are kept announced") \
	/* Connections and their handshakes. */ \
	X(listeners, "listeners", 256, 1, 4096, \
	    "listening keys at a time") \
	X(handshakes, "handshakes", 2048, 16, 1048576, \
	    "answered handshakes remembered to recognise copies") \
	X(half_open, "half-open", 1024, 1, 65536, \
	    "handshakes answered and waiting for the client; at most three " \
	    "quarters of the limit punchers behind a NAT") \
	X(half_open_prefix, "half-open-prefix", 64, 1, 65536, \
	    "half-open handshakes of one /24 at a time") \
	X(handshake_burst, "handshake-burst", 64, 1, 65536, \
	    "handshakes computed at once for clients of one /24") \
	X(handshake_rate, "handshake-rate", 32, 1, 65536, \
	    "handshakes per second computed for one /24 after the burst") \
	X(handshake_operations, "handshake-operations", 0, 0, 10000000, \
	    "curve operations per second for handshakes of others, five for " \
	    "each; 0: a quarter of a processor core, measured at start") \
	X(connections, "connections", 2304, 1, 65536, \
	    "connections at a time, dialed and accepted") \
	X(dial_reserve, "dial-reserve", 256, 0, 65536, \
	    "connections that accepted ones leave for own dials; at most half " \
	    "of the limit connections takes effect") \
	X(listener_connections, "listener-connections", 2048, 1, 65536, \
	    "accepted connections of one listener at a time") \
	/* Shares of the accepted connections of a listener and of the node;
	 * they bind while half of the slots or more are held. */ \
	X(connections_key_permille, "connections-key-permille", 125, 1, 1000, \
	    "thousandths of the accepted connections that one key may have " \
	    "while more than half are taken") \
	X(connections_prefix_permille, "connections-prefix-permille", 250, 1, \
	    1000, \
	    "thousandths of the accepted connections that one /24 may have " \
	    "while more than half are taken") \
	/* One frame of the largest size fits the share of a /24. */ \
	X(frame_bytes, "frame-bytes", 16777216, 65536, 1073741824, \
	    "bytes of unfinished large frames of all peers together") \
	X(frame_prefix_bytes, "frame-prefix-bytes", 16777216, 65536, \
	    1073741824, "bytes of unfinished large frames of the peers of one /24") \
	X(dials, "dials", 256, 1, 65536, \
	    "connections being dialed at a time") \
	X(tunnel_dials, "tunnel-dials", 64, 1, 65536, \
	    "of these, for one forwarded address; further programs wait") \
	X(tunnel_connections, "tunnel-connections", 1024, 1, 65536, \
	    "connections of one tunnel at a time") \
	X(relays_followed, "relays-followed", 64, 0, 256, \
	    "blind relays dialed at a time because clients name them; " \
	    "0: none") \
	X(relays_followed_prefix, "relays-followed-prefix", 8, 0, 256, \
	    "blind relays dialed at a time for the clients of one /24") \
	/* What this node relays: nothing gives way to a newcomer. */ \
	X(relay_sessions, "relay-sessions", 1024, 1, 65536, \
	    "control connections of relay clients at a time, and their " \
	    "pairings beyond the first of each") \
	X(relay_sessions_key, "relay-sessions-key", 32, 1, 65536, \
	    "of these, for one key") \
	X(relay_sessions_host, "relay-sessions-host", 64, 1, 65536, \
	    "of these, for one address") \
	X(relay_sessions_prefix, "relay-sessions-prefix", 128, 1, 65536, \
	    "of these, for one /24") \
	X(relay_session_pairings, "relay-session-pairings", 16, 1, 256, \
	    "pairings of one control connection; one more ends it") \
	X(relay_wait_seconds, "relay-wait-seconds", 30, 1, 3600, \
	    "seconds until a pairing without the other side, or a control " \
	    "connection without a pairing, expires") \
	X(relay_prefixes, "relay-prefixes", 4096, 1, 65536, \
	    "networks (/24 or /48) of relay clients whose share of " \
	    "relay-volume is remembered for a day") \
	X(relay_idle_seconds, "relay-idle-seconds", 300, 10, 86400, \
	    "seconds without packets until a pairing is ended") \
	/* Swarms: a key pair and the topics that it joins. */ \
	X(swarms, "swarms", 64, 1, 4096, \
	    "key pairs that join topics at a time") \
	X(swarm_sessions, "swarm-sessions", 1024, 1, 65536, \
	    "topics joined by control clients, counted for each join") \
	X(swarm_topics, "swarm-topics", 64, 1, 4096, \
	    "topics joined with one key pair") \
	X(swarm_peers, "swarm-peers", 64, 1, 65536, \
	    "connections of one swarm up to which it dials further peers") \
	X(swarm_peers_known, "swarm-peers-known", 1024, 16, 65536, \
	    "peers of one swarm that are remembered") \
	X(swarm_accepted, "swarm-accepted", 128, 1, 65536, \
	    "connections that one swarm has accepted at a time") \
	X(swarm_accepted_prefix, "swarm-accepted-prefix", 32, 1, 65536, \
	    "of these, from one public /24") \
	X(remembered, "remembered", 512, 1, 65536, \
	    "keys with remembered nodes for the next dial") \
	X(attempts, "attempts", 64, 1, 4096, \
	    "dial attempts remembered for dhtctl explain") \
	X(events, "events", 4096, 64, 1048576, \
	    "events waiting for the control socket")

/* Former names, which the configuration and the options still accept. */
#define LIMIT_ALIAS_LIST(X) \
	X("unproven-burst", "unvalidated-burst-bytes") \
	X("unproven-rate", "unvalidated-rate-bytes") \
	X("proven-burst", "validated-burst-requests") \
	X("proven-rate", "validated-rate-requests") \
	X("proven-seconds", "validated-seconds") \
	X("forward-burst", "forward-burst-bytes") \
	X("forward-rate", "forward-rate-bytes") \
	X("share-host", "share-host-permille") \
	X("share-prefix", "share-prefix-permille") \
	X("stream-send", "stream-send-bytes") \
	X("stream-window", "stream-window-bytes") \
	X("stream-memory", "stream-memory-bytes") \
	X("punch-fans", "punches-from-random") \
	X("punch-sprays", "punches-to-random") \
	X("news", "events")
/* clang-format on */

/* Fixed bounds of the control socket. */
enum {
	/* Clients. Each dial and each accept needs one of its own. */
	CLIENTS_MAX = 256,
	CLIENTS_ADMIN_RESERVE = 16, /* of these, for admins only */
	/* Divisor: a user may hold this part of the clients, operations,
	 * listeners and announcements; the same part of the last three is
	 * reserved for admins. */
	USER_SHARE = 4,
	CLIENT_OPERATIONS_MAX = 32, /* requests in progress of one client */
	/* Bytes queued for a client: above the first its requests are not
	 * read, above the second it is dropped. */
	CLIENT_QUEUE_HIGH_BYTES = 1 << 16,
	CLIENT_QUEUE_MAX_BYTES = 1 << 20,
	CLIENT_STUCK_S = 10,     /* it is dropped if it reads nothing for */
	CLIENT_BATCH_LINES = 32, /* handled before other sockets are served */
	ACCEPT_PAUSE_S = 1,      /* after a client could not be accepted */
};

struct limits {
#define X(field, name, value, low, high, text) uint32_t field;
	LIMIT_LIST(X)
#undef X
};

struct limit_info {
	const char *name, *text;
	uint32_t value, low, high; /* default and range */
	uint32_t offset;           /* of the field in struct limits */
};

extern const struct limit_info limit_table[];
extern const unsigned limit_table_len;

struct limit_alias {
	const char *old_name, *name;
};

extern const struct limit_alias limit_aliases[];
extern const unsigned limit_aliases_len;

/* Returns the limit of this name or former name, or NULL. */
const struct limit_info *limit_find(const char *name);

/* Sets all limits to their defaults. */
void limits_init(struct limits *l);

/* Fixed limits of the DHT (src/dht). */
enum {
	/* PINGs in progress that other nodes have caused: checks of candidates,
	 * of table nodes for the sake of a newcomer, and after a DOWN_HINT. An
	 * unanswered one takes a second and more, so that all of them use at
	 * most about a fifth of the window for requests. */
	DHT_CHECKS_MAX = 10,
	DHT_CHECKS_PREFIX_MAX = 3, /* of candidates in one /24 */
	/* Candidates that wait for the end of a check; of one /24 as many as
	 * are checked. */
	DHT_DEFERRED_MAX = 64,
	DHT_SWAPS_MAX = 3,
	DHT_HINT_CHECKS_MAX = 3,
	/* Replies to requests without a token, to a validated host: up to this
	 * multiple of the request they are free. The bytes beyond that may come
	 * in a burst, then at a rate. */
	DHT_FREE_REPLY_FACTOR_MAX = 3,
	DHT_TOKENLESS_BURST_BYTES_MAX = 65536,
	DHT_TOKENLESS_BYTES_PER_SECOND_MAX = 16384,
	/* Unmatched replies from a candidate before its check is abandoned. */
	DHT_CANDIDATE_GUESSES_MAX = 4,
	DHT_HINTS_PER_TICK_MAX = 50, /* DOWN_HINTs sent in 5 s */
	DHT_REFERRERS_MAX = 3,       /* of one node in a query */
	DHT_IDLESS_SAMPLES_MAX = 8,  /* of our address, from nodes without id */
	DHT_RTT_ENTRIES_MAX = 1024,  /* destinations with a round-trip time */
	DHT_KNOWN_NODES_MAX = 64, /* nodes of an earlier run pinged at start */
};

/* Fixed limits of the sockets and host addresses (src/net). */
enum {
	/* Open sockets: several punches from behind random NATs, of 256 sockets
	 * each. */
	SOCKETS_MAX = 1024,
	/* Descriptors that sockets leave to control clients, files and logs. */
	SOCKETS_SPARE_FDS = 64,
	/* Addresses of this host that are read; further ones are ignored. */
	HOSTADDR_MAX = 64,
};

/* Fixed limits of named keys (src/store). */
enum {
	/* Keys of one user. Each is a file that only the user removes. */
	KEYRING_NAMES_MAX = 64,
};

/* Fixed limits of multiplexed channels (src/stream). */
enum {
	/* Channels of one session, ours and offered; further offers are
	 * rejected. */
	MUX_CHANNELS_MAX = 64,
	/* Bytes of messages for offered channels, as in the reference. */
	MUX_QUEUED_MAX = 32768,
	/* Bytes of messages to be sent, and of replies beyond that, so that a
	 * session with a full queue still reads. */
	MUX_OUT_MAX = 65536,
	MUX_REPLIES_MAX = 16384,
	/* Batches within batches; no peer sends any. */
	MUX_DEPTH_MAX = 4,
};

/* Fixed limits of hole punching (src/punch). */
enum {
	/* Random punches that wait for a slot, of each kind: with more, the
	 * last would wait longer than its peer does. */
	PUNCH_WAITING_MAX = 16,
	PUNCH_WAITING_PREFIX_MAX = 4, /* of these, for peers of one /24 */
	/* Sources with an echo limit each; the oldest is evicted. */
	PUNCH_ECHO_SOURCES_MAX = 8,
	PUNCH_SAMPLES_MAX = 16, /* of one NAT; the oldest is evicted */
	PUNCH_DESTS_MAX =
	    64, /* remembered of one socket; the oldest is evicted */
};

/* Fixed limits of the streams (src/udx). */
enum {
	UDX_SOURCES_MAX = 12, /* allowed addresses of one stream */
	UDX_HOSTS_MAX = 8,    /* allowed hosts of one stream */
	/* Packets that one stream may have sent and not acknowledged. */
	UDX_IN_FLIGHT_PACKETS_MAX = 1 << 16,
	/* Unordered messages that wait, in each direction; those among the
	 * received that came from unvalidated sources. */
	UDX_MESSAGES_MAX = 64,
	UDX_UNVALIDATED_MESSAGES_MAX = 8,
	/* Out-of-order packets: how far ahead, and in how many ranges. */
	UDX_REASSEMBLY_DISTANCE_PACKETS_MAX = 1 << 16,
	UDX_REASSEMBLY_RANGES_MAX = 1024,
	/* Packets kept for a relay partner that is not connected yet. */
	UDX_RELAY_EARLY_PACKETS_MAX = 8,
	/* Closed streams that still reply to peers; the oldest is evicted. */
	UDX_CLOSING_STREAMS_MAX = 1024,
	/* Replies of a closed stream to late packets. */
	UDX_CLOSING_REPLIES_MAX = 16,
};

/* Fixed limits of dials, connections and listeners (src/peer). */
enum {
	/* Pairings of our relay that have ended and still forward for a moment;
	 * the oldest is evicted. */
	RELAY_LINGERING_MAX = 64,
	/* Nodes to which one dial sends its handshake. */
	DIAL_ATTEMPTS_MAX = 32,
	/* Recorded steps of one dial; later ones are only counted. */
	DIAL_STEPS_MAX = 64,
	/* Path candidates of one connection: as many as a peer may list, and
	 * the source addresses of its packets. */
	CONN_PATHS_MAX = 12,
	CONN_LAN_PATHS_MAX = 8,
	/* Receive window of a connection that no program has claimed. */
	CONN_UNCLAIMED_WINDOW_BYTES_MAX = 65536,
	/* IPv6 addresses that are tried of those which a peer lists, and
	 * datagrams sent in reply to packets from them. */
	CONN_IPV6_ADDRS_MAX = 4,
	CONN_IPV6_REPLIES_MAX = 32,
	/* Failed handshakes that are remembered by hash, so that their copies
	 * cost nothing. A new one overwrites one that its hash selects. */
	SESSION_FAILED_HASHES_MAX = 256,
	/* Copies of a handshake that wait for one decision: relays times
	 * retransmissions. */
	SESSION_COPIES_MAX = 64,
	SESSION_COPIES_ALL_MAX = 4096, /* of all handshakes together */
};

#endif
