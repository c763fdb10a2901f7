/* SPDX-License-Identifier: ISC */
/*
 * healing.h - opens the sockets of a node again that has been offline for long.
 *
 * A socket may have become useless without any notice: its port is blocked, or
 * a NAT keeps a mapping for it that leads nowhere. The node itself resolves the
 * bootstrap names and asks them and known nodes every 5 s; after a minute it
 * gets new sockets for that, and then every 5 minutes at most. Only those are
 * replaced that have received nothing for a minute, so that a stream which
 * works keeps its socket. Uses: base, dht, log, net, node, libevent.
 */
#ifndef DAEMON_HEALING_H
#define DAEMON_HEALING_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;
struct node;
struct sockets;

enum {
	HEALING_FIRST_S = 60, /* after the node went offline */
	HEALING_EVERY_S = 300,
};

struct healing {
	struct event *timer;
	uint64_t next_us; /* not before that; 0: at any time */
};

/* Makes the timer, which calls fire(fd, what, arg). Returns 0 or ERR_MEMORY. */
int healing_init(struct healing *h, struct event_base *base,
    void (*fire)(int fd, short what, void *arg), void *arg)
    __attribute__((warn_unused_result));
void healing_fini(struct healing *h);

/* Arms the timer if the node is offline, and disarms it otherwise. */
void healing_set_offline(struct healing *h, bool offline, uint64_t now_us);

/* Replaces silent sockets and has the node check its network. */
void healing_run(
    struct healing *h, struct sockets *s, struct node *n, uint64_t now_us);

#endif
