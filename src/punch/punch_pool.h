/* SPDX-License-Identifier: ISC */
/*
 * punch_pool.h - punch sockets that are opened and classified ahead of need.
 *
 * While the pool is enabled it keeps limits->punch_pool idle sockets open,
 * which renew their samples and NAT mappings. It owns the idle sockets; a
 * socket that was taken belongs to the caller until it is returned.
 */
#ifndef PUNCH_PUNCH_POOL_H
#define PUNCH_PUNCH_POOL_H

#include "punch/punch_socket.h"

struct punch_pool {
	struct socket_table *table;
	struct punch_socket_list idle;
	uint32_t idle_len;
	bool enabled;
	struct timer fill_timer; /* opens the next socket */
};

/* Borrows the table for the life of the pool. */
void punch_pool_init(struct punch_pool *pool, struct socket_table *table);

/* Closes all idle sockets. */
void punch_pool_fini(struct punch_pool *pool);

/* Enables the pool and fills it, or disables it and closes its sockets. */
void punch_pool_set_enabled(struct punch_pool *pool, bool enabled);

/* Applies a changed limit: closes or opens sockets. */
void punch_pool_resize(struct punch_pool *pool);

/* Replaces all idle sockets: their samples are obsolete. */
void punch_pool_renew(struct punch_pool *pool);

/*
 * Removes an idle socket from the pool, or opens one if there is none. Returns
 * NULL and sets *err to ERR_SOCKET, ERR_ADDRESS_USED or ERR_MEMORY.
 */
struct punch_socket *punch_pool_take(struct punch_pool *pool, int *err);

/*
 * Takes a socket back, or closes it if it is not reusable or the pool is full.
 */
void punch_pool_return(
    struct punch_pool *pool, struct punch_socket *s, bool reusable);

/* Returns whether the socket is one of the idle ones. */
bool punch_pool_contains(
    const struct punch_pool *pool, const struct punch_socket *s);

#endif
