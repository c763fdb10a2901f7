/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "control/control_peer.h"

/* NGROUPS_MAX of Linux. */
enum { PEER_GROUPS_MAX = 65536 };

static const char *const group_names[] = {
    [API_READ] = "hyperdhtd-read",
    [API_USER] = "hyperdhtd-user",
    [API_ADMIN] = "hyperdhtd-admin",
};

void
control_groups_init(struct control_groups *g)
{
	g->gid[API_NOBODY] = (gid_t)-1;
	for (int a = API_READ; a <= API_ADMIN; a++) {
		const struct group *gr = getgrnam(group_names[a]);

		g->gid[a] = gr != NULL ? gr->gr_gid : (gid_t)-1;
	}
}

bool
control_groups_any(const struct control_groups *g)
{
	for (int a = API_READ; a <= API_ADMIN; a++) {
		if (g->gid[a] != (gid_t)-1)
			return true;
	}
	return false;
}

const char *
control_groups_missing(const struct control_groups *g, enum api_access low,
    enum api_access high, char out[CONTROL_GROUPS_TEXT_MAX])
{
	char names[CONTROL_GROUPS_TEXT_MAX / 2];
	size_t len = 0;

	for (int a = low; a <= (int)high; a++) {
		if (g->gid[a] == (gid_t)-1)
			len += (size_t)snprintf(names + len, sizeof names - len,
			    " %s", group_names[a]);
	}
	out[0] = '\0';
	if (len > 0)
		snprintf(out, CONTROL_GROUPS_TEXT_MAX,
		    "; not on this machine:%s: create with systemd-sysusers or"
		    " groupadd -r, then reload the daemon",
		    names);
	return out;
}

static enum api_access
access_of_group(const struct control_groups *g, gid_t gid)
{
	for (int a = API_ADMIN; a >= API_READ; a--) {
		if (g->gid[a] != (gid_t)-1 && g->gid[a] == gid)
			return (enum api_access)a;
	}
	return API_NOBODY;
}

/* Returns the highest access that one of the caller's supplementary groups
 * has. */
static enum api_access
access_of_groups(const struct control_groups *g, int fd)
{
	enum api_access best = API_NOBODY;
	socklen_t len = 0;
	gid_t *gids;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE || len > PEER_GROUPS_MAX * sizeof *gids)
		return API_NOBODY;
	gids = malloc(len);
	if (gids == NULL)
		return API_NOBODY;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len) != 0)
		len = 0;
	for (size_t i = 0; i < len / sizeof *gids; i++) {
		enum api_access a = access_of_group(g, gids[i]);

		best = a > best ? a : best;
	}
	free(gids);
	return best;
}

int
control_peer_read(
    const struct control_groups *g, int fd, struct control_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	enum api_access own;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return ERR_SOCKET;
	*out = (struct control_peer){.pid = cred.pid, .uid = cred.uid};
	if (cred.uid == 0 || cred.uid == geteuid()) {
		out->access = API_ADMIN;
		return 0;
	}
	own = access_of_group(g, cred.gid);
	out->access = access_of_groups(g, fd);
	if (own > out->access)
		out->access = own;
	return 0;
}
