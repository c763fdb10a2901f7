/* SPDX-License-Identifier: ISC */
/*
 * control.h - the control socket: local programs drive the node through it.
 *
 * JSON-RPC over a UNIX stream socket, doc/control-protocol.md. Decides by the
 * caller's credentials what it may call, keeps count of what each client has
 * under way, and drops a client that does not read. Never blocks and never
 * delays the network: everything queued for a client has a limit.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

struct control;
struct daemon;
struct news;

/*
 * Listens at d->config.control; d is borrowed. A socket that a dead daemon left
 * behind is replaced, a live one's is not. NULL with the reason in err
 * (CONFIG_ERROR_MAX bytes).
 */
struct control *control_new(struct daemon *d, char *err);

/* Hands one piece of news to those who wait for it. */
void control_news(struct control *c, const struct news *n);

/*
 * Tells the clients that the daemon is going, as far as they listen, closes
 * them and removes the socket file. NULL is no control.
 */
void control_free(struct control *c);

#endif
