/* SPDX-License-Identifier: ISC */
/*
 * stats.h - the counters of a node.
 *
 * One table, from which the output of `dhtctl stats` and the manual page are
 * generated. Counters never decrease. Each code of err.h also counts the
 * datagrams dropped for it. Uses: base.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdint.h>

#include "base/err.h"

/* clang-format off */
#define STAT_LIST(X) \
	X(rx_datagrams,      "datagrams received") \
	X(rx_bytes,          "bytes received") \
	X(tx_datagrams,      "datagrams sent") \
	X(tx_bytes,          "bytes sent") \
	X(tx_refused,        "datagrams that the outgoing batch refused") \
	X(tx_lost,           "datagrams that the kernel refused") \
	X(tx_delayed,        "datagrams that waited in a transmit queue") \
	X(requests_served,   "requests answered") \
	X(replies_lean,      "replies without closer nodes because the budget was used up") \
	X(replies_accepted,  "replies to own requests") \
	X(requests_sent,     "own requests sent for the first time") \
	X(requests_resent,   "own requests sent again") \
	X(requests_lost,     "own requests without a reply") \
	X(requests_refused,  "own requests refused because too many were waiting") \
	X(queries,           "own queries finished") \
	X(table_added,       "nodes added to the routing table") \
	X(table_removed,     "nodes removed from the routing table") \
	X(table_share,       "nodes not added because their address or /24 has its share") \
	X(candidates,        "new nodes checked") \
	X(candidates_failed, "new nodes that did not answer the check") \
	X(candidates_refused,"new nodes not checked because a limit was reached") \
	X(delayed_served,    "delayed pings answered") \
	X(delayed_refused,   "delayed pings refused because a limit was reached") \
	X(down_hints_sent,   "down hints sent") \
	X(forwarded,         "signalling messages forwarded") \
	X(forward_refused,   "signalling messages not forwarded, by budget or destination") \
	X(moves,             "connections migrated to another address of the peer") \
	X(lifetimes,         "measurements of the NAT mapping lifetime") \
	X(mends,             "redials to find a new path for open connections") \
	X(punches,           "hole punches started") \
	X(probes_sent,       "punch probes sent") \
	X(probes_refused,    "probes and path challenges not sent, by the budget of the host") \
	X(probes_received,   "punch probes received") \
	X(dials,             "connections dialed") \
	X(dials_failed,      "dials that failed") \
	X(conns_opened,      "connections opened, dialed and accepted") \
	X(conns_refused,     "handshakes refused because the peer could get no slot") \
	X(conns_displaced,   "accepted connections closed for a peer that holds less") \
	X(conns_silent,      "silent connections closed because their peer dialed again") \
	X(conns_idle,        "connections closed because no data moved") \
	X(handshakes,        "handshakes with own keys answered") \
	X(handshakes_refused, "handshakes of validated sources that were not computed") \
	X(handshakes_unvalidated_refused, "handshakes of unvalidated sources not computed") \
	X(handshake_operations, "curve operations for handshakes of others") \
	X(handshakes_evicted,"half-open handshakes evicted because a limit was reached") \
	X(announces,         "announcements stored") \
	X(unannounces,       "announcements withdrawn") \
	X(refreshed,         "announcements renewed by refresh token") \
	X(values_stored,     "values stored") \
	X(records_evicted,   "records and values evicted by newer ones") \
	X(records_expired,   "records and values expired by age") \
	X(destinations,      "distinct addresses probed that peers or relays have named") \
	X(destinations_refused, "probes not sent as too many addresses were named") \
	X(relay_dials,       "blind relays dialed") \
	X(relay_pairs,       "pairings at blind relays that succeeded") \
	X(relay_failed,      "pairings at blind relays that failed") \
	X(relay_upgrades,    "relayed connections that have moved to a direct path") \
	X(relay_lookups,     "lookups of blind relays") \
	X(relays_proved,     "blind relays reached by their key, to be named later") \
	X(relays_refused,    "blind relays that clients named and a limit refused") \
	X(relayed_sessions,  "control connections accepted as a blind relay") \
	X(relayed_sessions_refused, "control connections refused by a limit") \
	X(relayed_pairings,  "pairings made as a blind relay") \
	X(relayed_pairs_refused, "pairings refused because a limit was reached") \
	X(relayed_links_refused, "pairings not made: an address, or no streams left") \
	X(relayed_halves_expired, "pairings that expired before the other side came") \
	X(relayed_links_idle, "pairings ended because nothing was sent") \
	X(relayed_unpaid,    "packets not relayed: relay-volume or a share of it is spent") \
	X(relayed_bytes,     "bytes relayed for other peers, with IP and UDP headers") \
	X(streams_opened,    "streams opened") \
	X(streams_reset,     "streams reset by the peer") \
	X(streams_timed_out, "streams that timed out") \
	X(stream_bytes_moved, "stream bytes sent, with retransmissions, and received in order") \
	X(stream_bytes_copied,"bytes copied between buffers to send and to receive them") \
	X(packets_resent,    "stream packets retransmitted") \
	X(packets_relayed,   "stream packets relayed for other peers") \
	X(trace_events,      "events of traced streams recorded") \
	X(trace_events_dropped, "events of traced streams dropped for a slow reader") \
	X(messages_dropped,  "unordered messages dropped because the queue was full") \
	X(sacks_refused,     "acknowledged ranges that were never sent") \
	X(promotions,        "times this node became persistent") \
	X(demotions,         "times this node became ephemeral again") \
	X(wakeups,           "wake-ups from sleep detected") \
	X(news_lost,         "events dropped because the queue was full")
/* clang-format on */

struct stats {
#define X(field, text) uint64_t field;
	STAT_LIST(X)
#undef X
	uint64_t drop[ERR_INDEX_MAX]; /* datagrams, by -err */
};

struct stat_info {
	const char *name, *text;
	uint32_t offset; /* of the field in struct stats */
};

extern const struct stat_info stat_table[];
extern const unsigned stat_table_len;

/* Counts a datagram that is dropped for err (negative). Returns err. */
static inline int
stats_drop(struct stats *s, int err)
{
	s->drop[-err]++;
	return err;
}

#endif
