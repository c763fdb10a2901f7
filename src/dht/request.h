/* SPDX-License-Identifier: ISC */
/*
 * request.h - own RPC requests: tids, retransmission, congestion window.
 *
 * Protocol 01 §9. A request is in one of two places: in `waiting`, while the
 * congestion window is full, or in flight with its timer armed. A request that
 * a program waits for leaves before those of maintenance; a check is not
 * queued. If a node wants a token before it serves a request that carries
 * none, the request is sent once more with the one in its reply. It ends in
 * exactly one of: reply, timeout, cancelled, closed; then
 * its completion is called, once, and it is freed.
 */
#ifndef DHT_REQUEST_H
#define DHT_REQUEST_H

#include <sys/queue.h>
#include <uthash.h>

#include "dht/local_node.h"
#include "dht/rpc_window.h"
#include "dht/rtt_table.h"

struct candidates;
struct health;
struct joining;
struct maintenance;
struct promotion;
struct rate_limiter;

enum {
	REQUEST_WAIT_MS = 1000, /* timeout where the adaptive one is no use */
	REQUEST_SENDS = 4,      /* 3 retries, protocol 01 §9.2 */
};

struct request {
	UT_hash_handle hh;
	TAILQ_ENTRY(request) link; /* while waiting */
	struct requests *requests;
	struct timer timer;
	struct addr to;
	int sock;
	uint16_t tid;
	uint8_t sent, sends_max;
	uint8_t kind; /* enum request_class */
	bool waiting;
	bool has_id;    /* the table has this id for the destination */
	bool may_prove; /* carries no token yet, may be repeated with one */
	bool proving;   /* repeated with the token of a reply */
	uint8_t id[ID_LEN];
	uint32_t timeout_ms; /* fixed; 0: adaptive */
	bool doubling;       /* the timeout doubles with every other send */
	uint64_t first_us, sent_us;
	struct dht_done done;
	void (*missed)(void *owner); /* or NULL, see struct request_options */
	uint16_t len;
	uint8_t bytes[]; /* with space for a token */
};

TAILQ_HEAD(request_list, request);

/* The own requests of a node. dht.c sets the first seven members before init.
 */
struct requests {
	struct local_node *self;
	struct candidates *candidates;
	struct promotion *promotion;
	struct maintenance *maintenance;
	struct rate_limiter *limiter;
	struct health *health;
	struct joining *joining;
	struct request *by_tid;
	/* Requests that wait for the congestion window, by class. */
	struct request_list waiting[REQUEST_QUEUES];
	uint32_t len; /* all, also those that wait */
	struct rpc_window window;
	struct timer flush; /* armed while requests wait: sends them */
	struct rtt_table rtts;
};

/* What a query needs beyond struct dht_call. */
struct request_options {
	const uint8_t *id; /* expected of the replier, or NULL */
	int sock;          /* WORLD_NO_SOCK: the active one */
	/* Called when a timeout passes that is not the last, or NULL. */
	void (*missed)(void *owner);
};

void requests_init(struct requests *rs);
void requests_fini(struct requests *rs);

/* Ends all requests with this error; each completion is called. */
void requests_end(struct requests *rs, int err);

/* Ends the requests that were sent from this socket with ERR_CANCELLED. */
void requests_socket_closed(struct requests *rs, int sock);

/* Implements dht_call_from(). Copies what *c points to. */
__attribute__((warn_unused_result)) int requests_start(struct requests *rs,
    const struct dht_call *c, const struct request_options *x,
    struct dht_done done, struct request **out);

/* Starts a request from this socket; WORLD_NO_SOCK: the active one. */
__attribute__((warn_unused_result)) int requests_call(struct requests *rs,
    int sock, const struct dht_call *c, struct dht_done done,
    struct request **out);

/* Returns true if a request of this class would be sent at once. */
bool requests_can_send(struct requests *rs, enum request_class kind);

/* Ends a request; its completion is called with ERR_CANCELLED. */
void request_cancel(struct request *r);

/* Processes a datagram that starts with the type byte of a reply. Returns 0, or
 * the reason why it was dropped, which has been counted. */
int requests_recv_reply(struct requests *rs, const struct dgram *dg);

#endif
