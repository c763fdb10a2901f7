/* SPDX-License-Identifier: ISC */
/*
 * report.h - what becomes of the node, in words: for the log and for the
 * status line of the service manager.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "node/node.h"

struct daemon;

/* Started: where it listens, what it is. */
void report_start(const struct daemon *d);

void report_node_event(const struct daemon *d, const struct node_event *ev);

#endif
