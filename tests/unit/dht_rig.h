/* SPDX-License-Identifier: ISC */
/*
 * dht_rig.h - one dht in a simulated world, which the test drives. The test
 * acts as all other nodes: it delivers datagrams, examines those that the dht
 * sends, and advances the time. The host of the node is 203.0.113.10; its
 * server socket is bound to port 49737.
 */
#ifndef TEST_DHT_RIG_H
#define TEST_DHT_RIG_H

#include "dht/dht_struct.h"
#include "world/core_host.h"

enum { RIG_PORT = 49737 };

struct rig {
	struct core_host host;
	struct dht *d;
	struct addr self; /* public address of the server socket */
	int server, client;
	size_t taken;          /* datagrams that rig_take() has returned */
	struct dht_request rq; /* the latest with a user command */
	unsigned handed_up;
	/* Replies to those; NULL: see rig_answer_up(). */
	void (*serve)(struct rig *r, const struct dht_request *rq);
	void *owner;
};

/* Sets a configuration with an exact port and no bootstrap list; the caller may
 * change it. */
void rig_config(struct dht_config *c, enum dht_role role);

/* Creates and starts the dht. What it sends at once is left for rig_take(). */
void rig_init(struct rig *r, const struct dht_config *c);

/* Starts the dht above r->host, which the caller has initialised. */
void rig_start(struct rig *r, const struct dht_config *c);
void rig_fini(struct rig *r);

/*
 * Starts a node of that role without a network, and waits until it has joined.
 */
void rig_init_alone(struct rig *r, enum dht_role role);

/* Advances the time; each timer fires at its own time. */
void rig_pass_ms(struct rig *r, uint64_t ms);
void rig_pass_ticks(struct rig *r, unsigned ticks);

/* Passes a datagram to dht_recv(), and serves a request with a user command.
 * Copies buf. */
int rig_deliver(struct rig *r, int sock, const struct addr *from,
    const void *buf, size_t len);

/* Encodes and delivers a request; sets `to` if it is empty. */
int rig_request(struct rig *r, int sock, const struct addr *from,
    const struct rpc_request *m);

/* Delivers a PING with the id of its sender to the server socket. */
int rig_ping_with_id(struct rig *r, const struct addr *from);

/* Replies with a token and closer nodes if persistent, else with error 1 and
 * closer nodes. */
void rig_answer_up(struct rig *r, const struct dht_request *rq);

/* Copies the next datagram that was sent. Returns false if there is none. */
bool rig_take(struct rig *r, struct sim_sent *out);

/*
 * Copy and decode the next request or reply that was sent; others are skipped.
 */
bool rig_take_request(
    struct rig *r, struct sim_sent *out, struct rpc_request *m);
bool rig_take_reply(struct rig *r, struct sim_sent *out, struct rpc_reply *m);

/* Discards the datagrams that were sent. */
void rig_skip(struct rig *r);

/* The reply of a scripted node. */
struct rig_answer {
	bool id;                   /* with its id */
	const uint8_t *token;      /* or NULL */
	const struct addr *closer; /* in the list */
	size_t closer_len;
	uint64_t error;
	const struct addr *us;   /* our address in it; NULL: the real one */
	const struct addr *from; /* NULL: the destination of the request */
	int sock; /* that receives it, handle + 1; 0: that of the request */
};

/* Delivers the reply to a request that was sent. */
int rig_answer(
    struct rig *r, const struct sim_sent *asked, const struct rig_answer *a);

/*
 * Replies with an id to all requests that were sent, and to those that follow.
 */
void rig_answer_all(struct rig *r);

/* Advances the time; each request gets a reply with an id at once. */
void rig_live_ms(struct rig *r, uint64_t ms);

/* Adds a node to the table: it sends a PING, is pinged and replies. */
void rig_learn(struct rig *r, const struct addr *a);

/* Adds the first n of rig_host() to the table, without any message. */
void rig_fill_table(struct rig *r, unsigned n);

/* Returns true if the node is in the table. */
bool rig_knows(const struct rig *r, const struct addr *a);

/* Returns the public address of a socket of the dht. */
struct addr rig_address(const struct rig *r, int sock);

/* Returns the i-th of many hosts, each in a /24 of its own. */
struct addr rig_host(unsigned i);

#endif
