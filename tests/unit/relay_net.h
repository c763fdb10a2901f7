/* SPDX-License-Identifier: ISC */
/*
 * relay_net.h - one relaying node in a simulated world.
 *
 * Combines the DHT, records and router as a node does, without the node.
 * Requests are delivered as datagrams; sent datagrams are in host.world.sent.
 */
#ifndef TEST_RELAY_NET_H
#define TEST_RELAY_NET_H

#include "crypto/keys.h"
#include "dht/dht.h"
#include "records/records.h"
#include "signal/router.h"
#include "world/core_host.h"

struct relay_net {
	struct core_host host;
	struct dht *d;
	struct records *r;
	struct router *rt;
	uint8_t buf[DGRAM_MAX];  /* the latest request */
	struct router_call call; /* returned by the router for it */
	struct addr self;
	int sock; /* the server socket */
};

/* Initialises a relay at an address; role DHT_BOOTSTRAP makes it persistent. */
void relay_init(
    struct relay_net *n, const struct dht_config *c, const char *address);

/* Does the same with these limits, which are copied. */
void relay_init_limited(struct relay_net *n, const struct dht_config *c,
    const struct limits *l, const char *address);
void relay_fini(struct relay_net *n);

/* Sets the configuration for relay_init(); the caller may change it. */
void relay_config(struct dht_config *c);

/* Returns the result of router or records, or 0 if the DHT handled it. */
int relay_deliver(struct relay_net *n, const struct addr *from,
    const uint8_t *buf, size_t len);

/* Delivers a request with these fields; m->to is filled in. */
int relay_request(
    struct relay_net *n, const struct addr *from, const struct rpc_request *m);

/* Announces the server with this seed. Returns its target. */
void relay_announce(struct relay_net *n, const struct addr *from, uint8_t seed,
    uint8_t target[HASH_LEN]);

/*
 * Puts a node into the routing table: it sends a request and answers the
 * check.
 */
void relay_learn(struct relay_net *n, const struct addr *node);

/* Advances the time and fires the timers. */
void relay_pass_ms(struct relay_net *n, uint64_t ms);

struct addr relay_addr(const char *text);

#endif
