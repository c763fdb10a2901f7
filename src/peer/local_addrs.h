/* SPDX-License-Identifier: ISC */
/*
 * local_addrs.h - the addresses of this machine, as peers receive them.
 *
 * The world reports them; both sides of a handshake put them into their
 * payload in the same way (protocol 03 §5, pitfalls H4, H5).
 * Uses: base, dht, signal.
 */
#ifndef PEER_LOCAL_ADDRS_H
#define PEER_LOCAL_ADDRS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "dht/dht.h"
#include "signal/payload.h"

enum {
	/* Of each family; further ones are virtual, protocol 03 §12. */
	LOCAL_ADDRS_MAX = 8,
	/* IPv6 addresses in a payload: privacy extensions make as many. */
	LOCAL_ADDRS_SENT6 = 4,
};

struct local_addrs {
	struct addr v4[LOCAL_ADDRS_MAX], v6[LOCAL_ADDRS_MAX]; /* port 0 */
	uint8_t prefix_len[LOCAL_ADDRS_MAX];  /* of v4, in bits */
	uint8_t prefix_len6[LOCAL_ADDRS_MAX]; /* of v6 */
	uint8_t v4_len, v6_len;
};

/* Copies the addresses that other machines may reach; drops those above
 * LOCAL_ADDRS_MAX. prefix_len: bits of the prefix of each interface; NULL: 24
 * for all of IPv4, 64 for all of IPv6. */
void local_addrs_set(struct local_addrs *l, const struct addr *a,
    const uint8_t *prefix_len, size_t len);

/* Returns true if an interface of this machine has that host; ports do not
 * matter. */
bool local_addrs_has(const struct local_addrs *l, const struct addr *host);

/*
 * Sets firewall, addrs4 and their flag: the public address if we are open, then
 * the local ones, with the port of the server socket.
 */
void local_addrs_describe(
    const struct local_addrs *l, const struct dht *d, struct payload *out);

/* Sets addrs6 and its flag: the first global addresses, with that port. */
void local_addrs_describe6(
    const struct local_addrs *l, uint16_t port, struct payload *out);

/*
 * Selects the peer's addresses that may be in our own network, longest common
 * prefix first and those of only one side last (protocol 04 §11). Writes at
 * most max to out, returns how many.
 */
size_t local_addrs_neighbours(const struct local_addrs *l, const struct dht *d,
    const struct payload *theirs, struct addr *out, size_t max);

/*
 * Selects the peer's private addresses that are inside the prefix of one of our
 * interfaces and not our own. Writes at most max to out, returns how many.
 */
size_t local_addrs_on_link(const struct local_addrs *l,
    const struct payload *theirs, struct addr *out, size_t max);

/* Returns true for an IPv6 address inside the prefix of one of our interfaces.
 */
bool local_addrs_is_on_link6(const struct local_addrs *l, const struct addr *a);

#endif
