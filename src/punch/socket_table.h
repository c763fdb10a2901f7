/* SPDX-License-Identifier: ISC */
/*
 * socket_table.h - the sockets that hole punching has open, by their handle.
 *
 * Opens and closes sockets of the world through the DHT, so that RPC requests
 * can leave from them and replies are matched. An entry is embedded in the
 * struct of its user, or allocated by it; the table borrows it while the
 * socket is open. Knows no NAT and no peer.
 */
#ifndef PUNCH_SOCKET_TABLE_H
#define PUNCH_SOCKET_TABLE_H

#include <stdint.h>

#include "base/core.h"
#include "dht/dht.h"

struct puncher;
struct punch_socket;

struct socket_entry {
	UT_hash_handle hh;
	int sock;
	struct puncher *puncher;           /* receives its probes, or NULL */
	struct punch_socket *punch_socket; /* that embeds the entry, or NULL */
	bool held; /* a stream has a path over it, see puncher_hold_socket() */
};

struct socket_table {
	const struct core *core;
	struct dht *dht;
	struct socket_entry *entries;
	/* Ports of a sequential NAT are being predicted: until then no socket
	 * is opened in advance, and none that is idle creates a mapping. */
	uint64_t quiet_until_us;
};

/*
 * Opens a socket for e, adds e to the table and stores the local port. Returns
 * 0, ERR_SOCKET, ERR_ADDRESS_USED or ERR_MEMORY.
 */
int socket_table_open(struct socket_table *t, struct socket_entry *e,
    uint16_t *port) __attribute__((warn_unused_result));

/* Closes the socket of e and removes e from the table; does not free it. */
void socket_table_close(struct socket_table *t, struct socket_entry *e);

/* Returns the entry of a socket, or NULL if it is not in the table. */
struct socket_entry *socket_table_find(const struct socket_table *t, int sock);

#endif
