/* SPDX-License-Identifier: ISC */
/*
 * relay_net.h - one node that relays, in a fake world, fed by hand.
 *
 * dht, records and router as a node has them, without the node. Requests are
 * delivered as datagrams, what leaves is in fw.sent.
 */
#ifndef TEST_RELAY_NET_H
#define TEST_RELAY_NET_H

#include "crypto/keys.h"
#include "dht/dht.h"
#include "fake_world.h"
#include "records/records.h"
#include "signal/router.h"

struct relay_net {
	struct fake_world fw;
	struct timers ts;
	struct stats st;
	struct limits limits;
	struct core core;
	struct dht *d;
	struct records *r;
	struct router *rt;
	uint8_t buf[DGRAM_MAX];  /* the latest request */
	struct router_call call; /* handed up of it */
	struct addr self;
	int sock; /* the server socket */
};

/* A relay at this address; role DHT_BOOTSTRAP: persistent at once. */
void relay_init(
    struct relay_net *n, const struct dht_config *c, const char *address);

/* The same, with these limits; copied. */
void relay_init_limited(struct relay_net *n, const struct dht_config *c,
    const struct limits *l, const char *address);
void relay_fini(struct relay_net *n);

/* The configuration for relay_init(); the caller may change it. */
void relay_config(struct dht_config *c);

/* What router or records said; 0 also if the dht dealt with it. */
int relay_deliver(struct relay_net *n, const struct addr *from,
    const uint8_t *buf, size_t len);

/* A request to us with these fields; m->to is filled in. */
int relay_request(
    struct relay_net *n, const struct addr *from, const struct rpc_request *m);

/* The server with this seed announces itself; its target comes out. */
void relay_announce(struct relay_net *n, const struct addr *from, uint8_t seed,
    uint8_t target[HASH_LEN]);

/* Puts a node into the routing table: it speaks, is checked and answers. */
void relay_learn(struct relay_net *n, const struct addr *node);

/* Lets time pass, timers included. */
void relay_pass_ms(struct relay_net *n, uint64_t ms);

struct addr relay_addr(const char *text);

#endif
