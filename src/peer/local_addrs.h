/* SPDX-License-Identifier: ISC */
/*
 * local.h - the addresses of this machine, and what peers are told of them.
 *
 * The world says which there are; both sides of a handshake put them into
 * their payload in the same way (protocol 03 §5, pitfalls H4, H5). Uses: base,
 * dht, signal.
 */
#ifndef PEER_LOCAL_H
#define PEER_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "dht/dht.h"
#include "signal/payload.h"

/* Of each family; a machine with more has virtual ones, protocol 03 §12. */
enum {
	LOCAL_ADDRS_MAX = 8,
	LOCAL_TOLD6 = 4, /* a machine that hides has as many, or more */
};

struct local_addrs {
	struct addr v4[LOCAL_ADDRS_MAX], v6[LOCAL_ADDRS_MAX]; /* the port is 0 */
	uint8_t v4_len, v6_len;
};

/* Takes those that other machines may reach; more than LOCAL_ADDRS_MAX are left. */
void local_addrs_set(struct local_addrs *l, const struct addr *a, size_t len);

/*
 * Fills in firewall, addrs4 and their flag: the public address if we are open,
 * then the local ones, with the server socket's port.
 */
void local_addrs_describe(
    const struct local_addrs *l, const struct dht *d, struct payload *out);

/* Fills in addrs6 and its flag: the first global ones, with that port. */
void local_addrs_describe6(const struct local_addrs *l, uint16_t port, struct payload *out);

/*
 * Which addresses of a peer are worth trying from inside the same network,
 * most alike to ours first (protocol 04 §11): at most max, written to out.
 * Returns how many.
 */
size_t local_addrs_neighbours(const struct local_addrs *l, const struct dht *d,
    const struct payload *theirs, struct addr *out, size_t max);

#endif
