/* SPDX-License-Identifier: ISC */
/*
 * report.h - reports the state of the node to the log and to the service
 * manager. Uses: base, dht, log, node.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "node/node.h"

struct daemon;

/* Reports the start: addresses and role. */
void report_start(const struct daemon *d);

/* Reports an event that changes the state of the node; ignores others. */
void report_node_event(const struct daemon *d, const struct node_event *ev);

#endif
