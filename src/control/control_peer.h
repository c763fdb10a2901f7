/* SPDX-License-Identifier: ISC */
/*
 * control_peer.h - who is at the other end of a UNIX socket, and what it may.
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

/* Looks the groups up; may block, so it is for the start. */
void control_groups_init(struct control_groups *g);

/* True if one of them exists on this machine. */
bool control_groups_any(const struct control_groups *g);

/*
 * root and the daemon's own user may do everything, a group's members what its
 * name says, others nothing. 0, or -1 if the kernel does not say who it is.
 */
int control_peer_read(
    const struct control_groups *g, int fd, struct control_peer *out);

#endif
