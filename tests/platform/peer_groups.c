/* SPDX-License-Identifier: ISC */
/*
 * Assumption: SO_PEERCRED names the process that connected, with the user and
 * group it had then. SO_PEERGROUPS with a buffer that is too short fails with
 * ERANGE and stores the length needed; with NULL and length 0 it does so for
 * any caller that has supplementary groups, and succeeds with length 0 for one
 * that has none.
 *
 * Relied on by: control_peer.c (access_of_groups, control_peer_read).
 */
#include <grp.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "platform.h"

enum { GROUPS = 300, FIRST = 5000, USER = 4999 };

/* Connects as another user with n groups, and waits for the other end. */
static void
be_client(const struct sockaddr_un *at, socklen_t len, size_t n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	gid_t gids[GROUPS];
	char byte;

	for (size_t i = 0; i < GROUPS; i++)
		gids[i] = (gid_t)(FIRST + i);
	if (setgroups(n, gids) != 0 || setresgid(USER, USER, USER) != 0 ||
	    setresuid(USER, USER, 0) != 0)
		_exit(77);
	REQUIRE(connect(fd, (const void *)at, len) == 0);
	/* What the process becomes later does not matter. */
	REQUIRE(setresuid(0, 0, 0) == 0 && setgroups(0, NULL) == 0);
	REQUIRE(write(fd, "x", 1) == 1);
	(void)!read(fd, &byte, 1);
	_exit(0);
}

static void
check_groups(int fd, size_t n)
{
	socklen_t len = 0, want = (socklen_t)(n * sizeof(gid_t));
	gid_t gids[GROUPS];
	int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len);

	REQUIRE(n == 0 ? rc == 0 : rc != 0 && errno == ERANGE);
	REQUIRE(len == want);
	if (n > 1) {
		len = want - (socklen_t)sizeof *gids;
		rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len);
		REQUIRE(rc != 0 && errno == ERANGE && len == want);
	}
	len = sizeof gids;
	REQUIRE(getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len) == 0);
	REQUIRE(len == want);
	for (size_t i = 0; i < n; i++)
		REQUIRE(gids[i] == FIRST + i);
}

static void
check_client(
    int listener, const struct sockaddr_un *at, socklen_t at_len, size_t n)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	pid_t pid = fork();
	char byte;
	int fd;

	if (pid == 0)
		be_client(at, at_len, n);
	fd = accept(listener, NULL, NULL);
	REQUIRE(read(fd, &byte, 1) == 1); /* the client is root again */
	REQUIRE(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0);
	REQUIRE(cred.pid == pid && cred.uid == USER && cred.gid == USER);
	check_groups(fd, n);
	close(fd);
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = sizeof at;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (geteuid() != 0 || setgroups(0, NULL) != 0)
		skip("only root can start a process with other groups");
	/* An abstract name that the kernel chooses. */
	REQUIRE(bind(fd, (void *)&at, sizeof(sa_family_t)) == 0);
	REQUIRE(getsockname(fd, (void *)&at, &len) == 0);
	REQUIRE(listen(fd, 1) == 0);
	check_client(fd, &at, len, 0);
	check_client(fd, &at, len, 1);
	check_client(fd, &at, len, GROUPS);
	return 0;
}
