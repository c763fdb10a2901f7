/* SPDX-License-Identifier: ISC */
/*
 * limits.h - everything that peers could make grow, and how far.
 *
 * One table: field, name in the configuration and of the long option, default,
 * smallest and largest value, meaning. The configuration reader, the manual
 * page and `dhtctl stats` are made from it. Uses: nothing.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

/* clang-format off */
#define LIMIT_LIST(X) \
	/* What a host gets that has proved nothing: it may be a victim whose
	 * address somebody forged. */ \
	X(unproven_burst, "unproven-burst", 40000, 2048, 16777216, \
	    "bytes sent at once to a host that has proved nothing") \
	X(unproven_rate, "unproven-rate", 4000, 1, 16777216, \
	    "bytes a second sent to such a host after that") \
	/* A whole network may bootstrap from behind one address. */ \
	X(proven_burst, "proven-burst", 200, 1, 1000000, \
	    "requests answered at once to a host that has proved its address") \
	X(proven_rate, "proven-rate", 100, 1, 1000000, \
	    "requests a second answered to such a host after that") \
	X(proven_seconds, "proven-seconds", 600, 10, 86400, \
	    "how long a proof of address holds, in seconds") \
	X(sources, "sources", 65536, 256, 4194304, \
	    "hosts whose budgets are remembered") \
	/* New ids, until they have answered one PING of ours. */ \
	X(candidates, "candidates", 256, 1, 65536, \
	    "new nodes being checked at a time") \
	X(candidates_prefix, "candidates-prefix", 16, 1, 65536, \
	    "the same from one /24") \
	X(candidate_seconds, "candidate-seconds", 60, 1, 86400, \
	    "seconds between two checks of one address") \
	X(delayed_pings, "delayed-pings", 1024, 0, 65536, \
	    "delayed pings waiting at a time") \
	X(delayed_pings_prefix, "delayed-pings-prefix", 16, 0, 65536, \
	    "the same from one /24") \
	X(delayed_ping_ms, "delayed-ping-ms", 10000, 0, 60000, \
	    "longest delay served, in milliseconds") \
	/* An address is cheap, a /24 is not: what each may hold of us. */ \
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
	X(forward_burst, "forward-burst", 40000, 2048, 16777216, \
	    "bytes forwarded at once for one /24") \
	X(forward_rate, "forward-rate", 4000, 1, 16777216, \
	    "bytes a second forwarded after that") \
	X(forward_hosts, "forward-hosts", 4096, 16, 1048576, \
	    "/24s whose forwarding, and whose handshakes, are counted") \
	/* Hole punching, protocol 04. */ \
	X(punchers, "punchers", 256, 1, 65536, \
	    "hole punches under way at a time") \
	X(punch_pool, "punch-pool", 2, 0, 16, \
	    "sockets kept ready for hole punching") \
	X(punch_sockets, "punch-sockets", 512, 16, 1024, \
	    "sockets that a punch from behind a random NAT opens") \
	X(punch_fans, "punch-fans", 1, 1, 16, \
	    "such punches at a time; others wait") \
	X(punch_sprays, "punch-sprays", 4, 1, 64, \
	    "punches towards a random NAT at a time; others wait") \
	X(lifetime_minutes, "lifetime-minutes", 60, 0, 10080, \
	    "minutes between measurements of what the NAT remembers; 0: none") \
	/* What is held for others. */ \
	X(records, "records", 65536, 16, 4194304, \
	    "announcements held for others") \
	X(topic_records, "topic-records", 1024, 20, 65536, \
	    "announcements held for one topic") \
	X(forwards, "forwards", 65536, 16, 4194304, \
	    "listening keys for which this node forwards") \
	X(refreshes, "refreshes", 16384, 16, 4194304, \
	    "refresh tokens held") \
	X(values, "values", 32768, 16, 4194304, \
	    "mutable values held, and as many immutable ones") \
	X(value_bytes, "value-bytes", 16777216, 65536, 1073741824, \
	    "bytes of values held, of each kind") \
	X(record_seconds, "record-seconds", 1200, 60, 86400, \
	    "age at which an announcement is forgotten") \
	X(value_seconds, "value-seconds", 172800, 600, 2592000, \
	    "age at which a value is forgotten") \
	X(share_host, "share-host", 10, 1, 1000, \
	    "thousandths of a cache that one address may hold") \
	X(share_prefix, "share-prefix", 40, 1, 1000, \
	    "thousandths of a cache that one /24 may hold") \
	X(serve_host, "serve-host", 2, 1, 20, \
	    "announcements of one address among the 20 of a reply") \
	X(serve_prefix, "serve-prefix", 8, 1, 20, \
	    "announcements of one /24 among the 20 of a reply") \
	/* Byte streams with peers. */ \
	X(streams, "streams", 16384, 1, 1048576, \
	    "streams alive at a time, also those being set up or relayed") \
	X(stream_send, "stream-send", 67108864, 65536, 1073741824, \
	    "bytes written to one stream that wait to be acknowledged") \
	X(stream_window, "stream-window", 67108864, 65536, 1073741824, \
	    "bytes received by one stream that wait to be read") \
	X(stream_memory, "stream-memory", 268435456, 1048576, 4294967295, \
	    "bytes in the buffers of all streams") \
	X(announcements, "announcements", 1024, 1, 65536, \
	    "own topics kept announced") \
	/* Who connects to us; what costs is paid for, what waits is bounded. */ \
	X(listeners, "listeners", 256, 1, 4096, \
	    "own keys that listen at a time") \
	X(handshakes, "handshakes", 4096, 16, 1048576, \
	    "handshakes with own keys remembered, so that copies are known") \
	X(half_open, "half-open", 1024, 1, 65536, \
	    "handshakes answered whose client has not come yet; behind a NAT " \
	    "three quarters of punchers at most") \
	X(half_open_prefix, "half-open-prefix", 16, 1, 65536, \
	    "the same from one /24") \
	X(handshake_burst, "handshake-burst", 64, 1, 65536, \
	    "handshakes computed at once for clients of one /24") \
	X(handshake_rate, "handshake-rate", 32, 1, 65536, \
	    "handshakes a second computed for them after that") \
	X(connections, "connections", 4096, 1, 65536, \
	    "connections at a time, dialed and accepted") \
	X(frame_bytes, "frame-bytes", 67108864, 65536, 1073741824, \
	    "bytes that unusually large frames of peers may take together") \
	X(dials, "dials", 256, 1, 65536, \
	    "connections being dialed at a time") \
	X(remembered, "remembered", 512, 1, 65536, \
	    "keys whose nodes are remembered for the next dial") \
	X(attempts, "attempts", 64, 1, 4096, \
	    "attempts to connect that can be explained afterwards") \
	X(news, "news", 4096, 64, 1048576, \
	    "results waiting for the control socket")
/* clang-format on */

/* Fixed bounds of the control socket. */
enum {
	/* Clients. Each dial and each accept needs one of its own. */
	CLIENTS_MAX = 256,
	CLIENTS_ADMIN_RESERVE = 16, /* of these, for admins only */
	CLIENT_OPERATIONS_MAX = 32, /* requests in progress of one client */
	/* Bytes queued for a client: above the first its requests are not
	 * read, above the second it is dropped. */
	CLIENT_QUEUE_HIGH_BYTES = 1 << 16,
	CLIENT_QUEUE_MAX_BYTES = 1 << 20,
	CLIENT_STUCK_S = 10,     /* it is dropped if it reads nothing for */
	CLIENT_BATCH_LINES = 32, /* handled before other sockets are served */
	ACCEPT_PAUSE_S = 1,      /* after a client could not be accepted */
	/* Connections that no accept has taken yet: of one listener, and of
	 * all, so that incoming ones leave descriptors to those who dial. */
	CONNS_WAITING_MAX = 256,
	CONNS_UNCLAIMED_MAX = 512,
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

/* All at their defaults. */
void limits_init(struct limits *l);

/* Fixed limits of hole punching (src/punch). */
enum {
	/* Random punches that wait for a slot, of each kind: with more, the
	 * last would wait longer than its peer does. */
	PUNCH_WAITING_MAX = 16,
	PUNCH_WAITING_PREFIX_MAX = 4, /* of these, for peers of one /24 */
	/* Sources whose echoes are limited one by one; the oldest goes. */
	PUNCH_ECHO_SOURCES_MAX = 8,
	PUNCH_SAMPLES_MAX = 16, /* of one NAT; the oldest goes */
	PUNCH_DESTS_MAX = 64,   /* remembered of one socket; the oldest goes */
};

/* Fixed limits of the streams (src/udx). */
enum {
	UDX_SOURCES_MAX = 12, /* allowed addresses of one stream */
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
	/* Closed streams that still answer their peers; the oldest goes. */
	UDX_CLOSING_STREAMS_MAX = 4096,
};

/* Fixed limits of dials, connections and listeners (src/peer). */
enum {
	/* Nodes to which one dial sends its handshake. */
	DIAL_ATTEMPTS_MAX = 32,
	/* Recorded steps of one dial; later ones are only counted. */
	DIAL_STEPS_MAX = 64,
	/* Path candidates of one connection: as many as a peer may list, and
	 * the source addresses of its packets. */
	CONN_PATHS_MAX = 8,
	CONN_LAN_PATHS_MAX = 4,
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
};

#endif
