/* SPDX-License-Identifier: ISC */
/*
 * lifetime.h - how long an idle mapping lives, measured; protocol 04 §17.11.
 *
 * As RFC 5780 §4.6 does it, with a node of the DHT in place of a server: a
 * socket talks with the node, is silent, and then the node is asked from
 * another of our sockets to answer to the first (PING_NAT). It sends from
 * where the first socket has sent to, so the answer passes every NAT and every
 * firewall that remembers; nothing that would renew the mapping leaves from
 * the first socket. If nothing comes, the node is asked to answer to the asking
 * socket itself: only a node that still does what it is asked tells of a
 * mapping that is gone. Several silences are tried at the same time, each with
 * a socket and a node of its own; the first that is fatal ends the longer ones.
 *
 * A node can lie. It may pretend that a mapping has died, which costs us a few
 * more keep-alives; or keep its own alive by sending, which makes one silence
 * look harmless. But the next one is another node's, and less than two and a
 * half times as long, so that 40 % of it is not too much.
 */
#ifndef PUNCH_LIFETIME_H
#define PUNCH_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

struct lifetime;
struct punch;

enum { LIFETIME_SOCKETS = 6, LIFETIME_SECONDS = 320 }; /* at the most */

struct lifetime_result {
	bool known;
	uint32_t at_least_s; /* the longest silence outlived; 0: none */
	uint32_t at_most_s;  /* the shortest one that was fatal; 0: none */
	uint32_t next_s;     /* the silence that is waited for; 0: it is over */
};

/*
 * Called after each silence that was outlived, and at the end, when *next_s is
 * 0: the measurement is gone then. From timers and completions.
 */
struct lifetime_sink {
	void (*event)(void *owner, const struct lifetime_result *r);
	void *owner;
};

/* NULL and *err: ERR_UNREACHABLE (nobody is known), ERR_SOCKET, ERR_MEMORY. */
struct lifetime *lifetime_start(
    struct punch *p, struct lifetime_sink sink, int *err);

/* Ends it; the sink hears nothing. */
void lifetime_cancel(struct lifetime *l);

#endif
