/* SPDX-License-Identifier: ISC */
/*
 * lifetime.h - measures how long an idle NAT mapping lives, protocol 04 §17.11.
 *
 * Works as RFC 5780 §4.6 does, with a node of the DHT in place of a server: a
 * socket exchanges datagrams with the node and is then idle; afterwards another
 * of our sockets requests that the node answer to the first one (PING_NAT). The
 * node sends from the address that the first socket has sent to, so that the
 * answer passes every NAT and firewall whose mapping is still alive; no
 * datagram leaves from the first socket that would renew it. If no answer is
 * received, the node is requested to answer to the requesting socket itself:
 * only if it still cooperates does the missing answer mean an expired mapping.
 * Several idle times are tried in parallel, each with its own socket and node;
 * the first one that is too long ends the longer ones.
 *
 * A node can lie. If it pretends that a mapping has expired, we send more
 * keep-alives than necessary. If it keeps its own mapping alive by sending, one
 * idle time looks harmless; but the next one is measured with another node and
 * is less than two and a half times as long, so that 40 % of it is safe.
 */
#ifndef PUNCH_LIFETIME_H
#define PUNCH_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "punch/socket_table.h"

struct lifetime;

/* The most sockets and seconds that one measurement takes. */
enum { LIFETIME_SOCKETS = 6, LIFETIME_SECONDS = 320 };

struct lifetime_result {
	bool known;
	uint32_t at_least_s; /* longest idle time survived; 0: none */
	uint32_t at_most_s;  /* shortest idle time not survived; 0: none */
	uint32_t next_s;     /* idle time being tried; 0: finished */
};

/*
 * event() is called after each idle time that was survived, and at the end with
 * next_s 0, when the measurement is already freed; from timers and completions.
 */
struct lifetime_listener {
	void (*event)(void *owner, const struct lifetime_result *r);
	void *owner;
};

/*
 * Starts a measurement; borrows the table. Returns NULL and sets *err to
 * ERR_UNREACHABLE (the routing table is empty), ERR_SOCKET or ERR_MEMORY.
 */
struct lifetime *lifetime_start(
    struct socket_table *t, struct lifetime_listener sink, int *err);

/* Cancels and frees the measurement; no event follows. */
void lifetime_cancel(struct lifetime *l);

#endif
