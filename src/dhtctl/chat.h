/* SPDX-License-Identifier: ISC */
/*
 * chat.h - lines of text between standard input and all peers of a topic.
 */
#ifndef DHTCTL_CHAT_H
#define DHTCTL_CHAT_H

#include "dhtctl/dhtctl.h"

/*
 * Accepts connections and copies lines: each of standard input to every peer,
 * as UTF-8 with a newline, and each of a peer to standard output, with the
 * start of the peer's key and made safe for a terminal. Standard input is read
 * while a peer is connected. At its end, ends all connections and returns once
 * the peers have ended, too; with --once, returns when the last peer has left.
 * Returns an exit code.
 */
int chat_run(struct ctl *c, json_int_t listener);

#endif
