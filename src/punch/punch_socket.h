/* SPDX-License-Identifier: ISC */
/*
 * punch_socket.h - a socket for hole punching and the classifier of its NAT.
 *
 * Samples come from PINGs to nodes of the routing table, protocol 04 §2, and
 * from any other reply that contains our address. An idle socket renews its
 * samples as they age, which also keeps its NAT mapping alive.
 */
#ifndef PUNCH_PUNCH_SOCKET_H
#define PUNCH_PUNCH_SOCKET_H

#include <sys/queue.h>

#include "base/hash.h"
#include "base/timer.h"
#include "dht/dht.h"
#include "punch/nat_classifier.h"
#include "punch/socket_table.h"

struct punch_socket {
	struct socket_entry entry;
	TAILQ_ENTRY(punch_socket) link; /* in the pool, while idle */
	struct socket_table *table;
	struct nat_classifier classifier;
	/* Ring of the destinations, in the order in which the NAT saw them. */
	struct addr dests[PUNCH_DESTS_MAX];
	uint64_t dest_used_us[PUNCH_DESTS_MAX]; /* when last sent to */
	uint32_t dests_len;                     /* ever added */
	uint32_t pending;                       /* PINGs in flight */
	uint32_t probes;    /* received while no puncher uses the socket ... */
	struct addr prober; /* ... and the source of the latest */
	uint16_t port;      /* local */
	uint8_t passes;     /* rounds of PINGs so far */
	bool closing;
	bool renewal_postponed;
	struct timer renew_timer; /* while idle */
	/* Called after a sample and when the last PING has ended, or NULL. */
	void (*on_sample)(void *owner);
	void *owner;
};

TAILQ_HEAD(punch_socket_list, punch_socket);

/* Opens a socket and requests samples. Returns NULL and sets *err to
 * ERR_SOCKET, ERR_ADDRESS_USED or ERR_MEMORY. */
struct punch_socket *punch_socket_open(struct socket_table *t, int *err);

/* Closes the socket and frees s. */
void punch_socket_close(struct punch_socket *s);

/* Pings this many more nodes, those of unused networks first. */
void punch_socket_sample(struct punch_socket *s, uint32_t wanted);

/* Adds a sample: the node `by` sees this socket at `us`. */
void punch_socket_add_sample(
    struct punch_socket *s, const struct addr *us, const struct addr *by);

/* Returns the number of a destination in the order of first use, see
 * nat_sample.order; for a new one, the number that it would get. */
uint32_t punch_socket_order(
    const struct punch_socket *s, const struct addr *to);

/*
 * Returns that number for the first destination on a host, whatever its port.
 */
uint32_t punch_socket_order_host(
    const struct punch_socket *s, const struct addr *host);

/* Records that a datagram was sent to this destination. */
void punch_socket_note_sent(struct punch_socket *s, const struct addr *to);

/* Requests new samples where the NAT allocates ports sequentially: the latest
 * one determines the prediction. */
void punch_socket_refresh(struct punch_socket *s);

/* Start and stop the renewal of samples while the socket is idle. */
void punch_socket_start_renewal(struct punch_socket *s);
void punch_socket_stop_renewal(struct punch_socket *s);

#endif
