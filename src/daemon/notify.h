/* SPDX-License-Identifier: ISC */
/*
 * notify.h - what the service manager is told, sd_notify(3) by hand.
 *
 * Does nothing where no manager listens.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

struct notify {
	const char *path;     /* $NOTIFY_SOCKET, or NULL */
	uint64_t watchdog_us; /* how often it wants to hear of us; 0: never */
};

void notify_init(struct notify *n);

/* Sends "KEY=VALUE" lines, made as by printf(3). */
void notify_send(const struct notify *n, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
