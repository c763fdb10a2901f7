/* SPDX-License-Identifier: ISC */
/*
 * conn_ipv6.h - the IPv6 candidates of one connection, protocol 04 §17.12.
 *
 * Tried beside those of IPv4, so that a broken IPv6 path delays nothing. An
 * address is no path before a packet was received from it. Uses: base, udx,
 * punch, signal.
 */
#ifndef PEER_CONN_IPV6_H
#define PEER_CONN_IPV6_H

#include "base/addr.h"
#include "base/limits.h"
#include "base/timer.h"
#include "peer/conn.h"
#include "signal/payload.h"

struct conn_ipv6 {
	struct addr list[CONN_IPV6_ADDRS_MAX];
	uint8_t len;
	uint8_t held;    /* bits: those from which a packet must come first */
	uint8_t rounds;  /* of probes that were sent */
	uint8_t replies; /* probes and messages sent in reply to packets */
	bool received;   /* a packet for the stream came from ... */
	struct addr received_from;
	struct timer probe;     /* next round; not armed: no hope is left */
	uint64_t head_start_us; /* when the head start of IPv6 ends */
};

/*
 * Starts probes to the addresses of the peer, if both sides have IPv6; those on
 * our own links first. is_neighbour: the peer is known to be in our network.
 * Without that, nothing is sent to addresses on our links unless we have dialed
 * the peer: it could make us send to any host here.
 */
void conn_ipv6_begin(
    struct conn *c, const struct payload *theirs, bool is_neighbour);
void conn_ipv6_fini(struct conn *c);

/* Returns true while an IPv6 path may still be found. */
bool conn_ipv6_is_probing(const struct conn *c);

/* Returns true if the stream uses IPv6. */
bool conn_ipv6_is_current(const struct conn *c);

/* Handles a packet from another address than the path's. Call it after
 * conn_add_source(). */
void conn_ipv6_source(struct conn *c);

/* Handles the verified header. Call it after conn_paths_settle(). */
void conn_ipv6_settle(struct conn *c);

#endif
