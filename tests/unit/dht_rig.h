/* SPDX-License-Identifier: ISC */
/*
 * dht_rig.h - one dht in a fake world, fed by hand.
 *
 * The test plays all other nodes: it delivers datagrams, looks at what leaves,
 * and moves the time. The node's host is 203.0.113.10, its server socket is
 * bound to port 49737.
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
	size_t taken;          /* datagrams that rig_take() has handed out */
	struct dht_request rq; /* the latest that was handed up */
	unsigned handed_up;
	/* What is done with those; NULL: see rig_answer_up(). */
	void (*serve)(struct rig *r, const struct dht_request *rq);
	void *owner;
};

/* Public, on an exact port, knows nobody; the caller may change it. */
void rig_config(struct dht_config *c, enum dht_role role);

/* Makes it and starts it; what it sends at once is still to be taken. */
void rig_init(struct rig *r, const struct dht_config *c);

/* Starts the dht above r->host, which the caller has initialised. */
void rig_start(struct rig *r, const struct dht_config *c);
void rig_fini(struct rig *r);

/* A node of that role that has found nobody and is bootstrapped. */
void rig_init_alone(struct rig *r, enum dht_role role);

/* Lets time pass; each timer fires at its own time. */
void rig_pass_ms(struct rig *r, uint64_t ms);
void rig_pass_ticks(struct rig *r, unsigned ticks);

/* As dht_recv(); what is handed up is served. buf need not outlive it. */
int rig_deliver(struct rig *r, int sock, const struct addr *from,
    const void *buf, size_t len);

/* The same, of a request; an empty "to" is filled in. */
int rig_request(struct rig *r, int sock, const struct addr *from,
    const struct rpc_request *m);

/* A PING with the sender's id, to the server socket. */
int rig_ping_with_id(struct rig *r, const struct addr *from);

/* A token and closer nodes if persistent, else error 1 and closer nodes. */
void rig_answer_up(struct rig *r, const struct dht_request *rq);

/* The next datagram that left, copied; false if there is none. */
bool rig_take(struct rig *r, struct sim_sent *out);

/* The next request or reply that left, decoded; others are skipped. */
bool rig_take_request(
    struct rig *r, struct sim_sent *out, struct rpc_request *m);
bool rig_take_reply(struct rig *r, struct sim_sent *out, struct rpc_reply *m);

/* Forgets what has left. */
void rig_skip(struct rig *r);

/* Whose view of us a scripted peer tells. */
struct rig_answer {
	bool id;                   /* with its id */
	const uint8_t *token;      /* or NULL */
	const struct addr *closer; /* listed */
	size_t closer_len;
	uint64_t error;
	const struct addr *us;   /* NULL: as our socket is */
	const struct addr *from; /* NULL: as asked */
	int sock;                /* 0: the one that asked, else handle + 1 */
};

/* Answers a request that left, as the node that it went to. */
int rig_answer(
    struct rig *r, const struct sim_sent *asked, const struct rig_answer *a);

/* Answers all requests that have left, and those that follow, with an id. */
void rig_answer_all(struct rig *r);

/* Lets time pass in a world where everybody answers at once, with an id. */
void rig_live_ms(struct rig *r, uint64_t ms);

/* Puts a node into the table: it speaks, is pinged and answers. */
void rig_learn(struct rig *r, const struct addr *a);

/* Puts the first n of rig_host() there; they have not been asked yet. */
void rig_fill_table(struct rig *r, unsigned n);

/* Is it in the table? */
bool rig_knows(const struct rig *r, const struct addr *a);

/* The public address of a socket of ours. */
struct addr rig_address(const struct rig *r, int sock);

/* The i-th of many hosts, each in a /24 of its own. */
struct addr rig_host(unsigned i);

#endif
