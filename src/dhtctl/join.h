/* SPDX-License-Identifier: ISC */
/*
 * join.h - standard input and output on one side, a stream on the other.
 */
#ifndef DHTCTL_JOIN_H
#define DHTCTL_JOIN_H

#include "dhtctl/client.h"

/*
 * Carries bytes both ways until both sides have ended, each in its own time;
 * takes the socket. An exit code: EXIT_LOST, with the reason said, if the peer
 * went without having ended. conn is the connection's number, for the daemon
 * to be asked; last: standard output is closed when the peer has ended.
 */
int join_stdio(const struct client *cl, int sock, json_int_t conn, bool last);

#endif
