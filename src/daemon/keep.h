/* SPDX-License-Identifier: ISC */
/*
 * keep.h - what a daemon writes down while it runs and takes up when it
 * starts: good nodes, and the topics it announces.
 */
#ifndef DAEMON_KEEP_H
#define DAEMON_KEEP_H

#include <stdint.h>

#include "daemon/announced.h"

struct daemon;
struct event;

struct keep {
	struct announced announced;
	struct event *save, *resume;
	unsigned save_s;  /* from this save of the nodes to the next */
	uint32_t resumed; /* topics of the list that are taken up */
};

/* 0 or -1; needs the loop and the state directory. */
int keep_init(struct daemon *d);
void keep_fini(struct daemon *d);

/* Takes up the announcements of the last run, a few at a time. */
void keep_start(struct daemon *d);

/* Saves a last time; the announcements stay for the next start. */
void keep_stop(struct daemon *d);

#endif
