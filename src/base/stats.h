/* SPDX-License-Identifier: ISC */
/*
 * stats.h - what a node counts.
 *
 * One table, from which `dhtctl stats`, its manual text and the metrics are
 * made. Counters only rise. Beside them, each reason in err.h counts the
 * datagrams that were dropped for it. Uses: base.
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
	X(tx_lost,           "datagrams that the kernel did not take") \
	X(tx_delayed,        "datagrams that the kernel took only later") \
	X(requests_served,   "requests answered") \
	X(replies_lean,      "replies without closer nodes, because the budget ran out") \
	X(replies_accepted,  "replies to own requests") \
	X(requests_sent,     "own requests sent for the first time") \
	X(requests_resent,   "own requests sent again") \
	X(requests_lost,     "own requests that were never answered") \
	X(requests_refused,  "own requests refused because too many were waiting") \
	X(queries,           "own queries finished") \
	X(table_added,       "nodes taken into the routing table") \
	X(table_removed,     "nodes removed from it") \
	X(table_share,       "nodes refused because their address or /24 has its share") \
	X(candidates,        "new nodes checked") \
	X(candidates_failed, "new nodes that did not answer the check") \
	X(candidates_refused,"new nodes not checked because a limit was reached") \
	X(delayed_served,    "delayed pings answered") \
	X(delayed_refused,   "delayed pings refused because a limit was reached") \
	X(down_hints_sent,   "down hints sent") \
	X(forwarded,         "signalling messages forwarded") \
	X(forward_refused,   "signalling messages not forwarded, budget or destination") \
	X(moves,             "connections that followed their peer to another address") \
	X(lifetimes,         "measurements of how long the NAT remembers") \
	X(mends,             "dials for a new path of open connections") \
	X(punches,           "hole punches begun") \
	X(probes_sent,       "punch probes sent") \
	X(probes_received,   "punch probes received") \
	X(dials,             "connections dialed") \
	X(dials_failed,      "of them, those that led nowhere") \
	X(conns_opened,      "connections opened, dialed and accepted") \
	X(handshakes,        "handshakes with own keys answered") \
	X(handshakes_evicted,"clients waited for given up because a limit was reached") \
	X(announces,         "announcements stored") \
	X(unannounces,       "announcements withdrawn") \
	X(refreshed,         "announcements renewed by refresh token") \
	X(values_stored,     "values stored") \
	X(records_evicted,   "records and values pushed out by newer ones") \
	X(records_expired,   "records and values forgotten by age") \
	X(streams_opened,    "streams begun") \
	X(streams_reset,     "streams that the peer ended abruptly") \
	X(streams_timed_out, "streams whose peer answered no more") \
	X(packets_resent,    "packets of streams sent again") \
	X(packets_relayed,   "packets of streams relayed for others") \
	X(messages_dropped,  "unordered messages dropped because many were waiting") \
	X(sacks_refused,     "acknowledged ranges that were never sent") \
	X(promotions,        "times this node became persistent") \
	X(demotions,         "times it became ephemeral again") \
	X(wakeups,           "wake-ups from sleep noticed") \
	X(news_lost,         "results dropped because nobody collected them")
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

/* Counts a datagram dropped for err (negative) and returns err. */
static inline int
stats_drop(struct stats *s, int err)
{
	s->drop[-err]++;
	return err;
}

#endif
