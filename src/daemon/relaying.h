/* SPDX-License-Identifier: ISC */
/*
 * relaying.h - whether this node relays for others, as the configuration says.
 */
#ifndef DAEMON_RELAYING_H
#define DAEMON_RELAYING_H

struct config;
struct node;

/* Applies the configuration and logs which peers the node relays for. */
void relaying_apply(struct node *n, const struct config *c);

/* Applies the next configuration if its keys of relaying differ. */
void relaying_reload(
    struct node *n, const struct config *now, const struct config *next);

#endif
