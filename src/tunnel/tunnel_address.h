/* SPDX-License-Identifier: ISC */
/*
 * tunnel_address.h - where a local service listens, or where a tunnel waits for
 * local programs: a TCP port or a UNIX stream socket.
 */
#ifndef TUNNEL_TUNNEL_ADDRESS_H
#define TUNNEL_TUNNEL_ADDRESS_H

#include "base/addr.h"

struct fault;

/* The forms that are read, for messages. */
#define TUNNEL_ADDRESS_FORMS                                                   \
	"a port, HOST:PORT with the IP address of the host, or the absolute"   \
	" path of a UNIX socket"

enum { TUNNEL_ADDRESS_MAX = 108 /* sun_path, unix(7) */ };

struct tunnel_address {
	char text[TUNNEL_ADDRESS_MAX]; /* "127.0.0.1:22", or a path */
	struct addr addr;              /* family ADDR_NONE: a path */
};

/*
 * Reads "22" (on 127.0.0.1), "HOST:PORT", where HOST is an IP address or
 * "localhost", or an absolute path. Returns 0, or ERR_VALUE with *f set.
 */
int tunnel_address_parse(struct tunnel_address *a, const char *text,
    struct fault *f) __attribute__((warn_unused_result));

/* Returns 0 if the address is one that can be connected to, or ERR_VALUE with
 * *f set: it has a port, and is no address of many hosts. */
int tunnel_address_check_target(
    const struct tunnel_address *a, struct fault *f);

/* Sets both the address and its text. */
void tunnel_address_set(struct tunnel_address *a, const struct addr *addr);

/* ---- tunnel_socket.c ---- */

/* Begins to connect without waiting. Returns a descriptor, which becomes
 * writable when the outcome is known, or ERR_SOCKET with errno set. */
int tunnel_address_connect(const struct tunnel_address *a)
    __attribute__((warn_unused_result));

/*
 * Listens, and replaces port 0 by the one that the kernel has chosen. Replaces
 * a UNIX socket on which no program listens any more. Returns a descriptor, or
 * a negative code of err.h with *f set.
 */
int tunnel_address_listen(struct tunnel_address *a, struct fault *f)
    __attribute__((warn_unused_result));

/* Removes the file of a UNIX socket on which we listened. */
void tunnel_address_remove(const struct tunnel_address *a);

#endif
