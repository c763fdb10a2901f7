/* SPDX-License-Identifier: ISC */
/*
 * control_peer.h - credentials and access of the process at the other end of a
 * UNIX socket.
 */
#ifndef CONTROL_CONTROL_PEER_H
#define CONTROL_CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "api/api.h"

/* Group ids of hyperdhtd-read, -user, -admin; (gid_t)-1: no such group. */
struct control_groups {
	gid_t gid[API_ADMIN + 1];
};

struct control_peer {
	pid_t pid;
	uid_t uid;
	enum api_access access;
};

/*
 * Looks the groups up by name. May block on a name service: call it at the
 * start and at a reload, never for a client.
 */
void control_groups_init(struct control_groups *g);

/* Returns whether one of them exists on this machine. */
bool control_groups_any(const struct control_groups *g);

enum { CONTROL_GROUPS_TEXT_MAX = 256 };

/*
 * Writes which of the groups for the access levels from `low` to `high` do not
 * exist and what to do about it, as the end of a sentence; "" if all exist.
 * Returns out.
 */
const char *control_groups_missing(const struct control_groups *g,
    enum api_access low, enum api_access high,
    char out[CONTROL_GROUPS_TEXT_MAX]);

/*
 * Reads the credentials of the process that connected fd. Root and the
 * daemon's own user have admin access, members of a group the access that it
 * is named after, others none. Returns 0, or ERR_SOCKET if the kernel does not
 * provide the credentials.
 */
int control_peer_read(
    const struct control_groups *g, int fd, struct control_peer *out);

#endif
