/* SPDX-License-Identifier: ISC */
/*
 * notify.h - sends the daemon's state to the service manager, as sd_notify(3)
 * does.
 *
 * Does nothing if no service manager has started the daemon. Uses: log.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Where to send, from the environment. */
struct notify {
	const char *path;     /* $NOTIFY_SOCKET, or NULL */
	uint64_t watchdog_us; /* longest silence it permits; 0: any */
};

/* Reads the environment. */
void notify_init(struct notify *n);

/* Sends lines of "KEY=VALUE", formatted as by printf(3). */
void notify_send(const struct notify *n, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
