/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "control/control_socket.h"

enum { LISTEN_BACKLOG = 64, LOCK_TRIES = 100, LOCK_PAUSE_MS = 10 };

static int
set_path(struct control_socket *s, const char *path, struct fault *f)
{
	s->at = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof s->at.sun_path)
		return fault_set(f, ERR_SIZE,
		    "control socket %s: the path is too long; at most %zu"
		    " bytes fit",
		    path, sizeof s->at.sun_path - 1);
	memcpy(s->at.sun_path, path, strlen(path) + 1);
	return 0;
}

/* Creates the directory of the socket if it is missing, opens it and locks it.
 * Returns its descriptor or a negative code. */
static int
lock_directory(const struct control_socket *s, struct fault *f)
{
	char path[sizeof s->at.sun_path], *dir;
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	int fd;

	memcpy(path, s->at.sun_path, sizeof path);
	dir = dirname(path);
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return fault_set(f, ERR_SOCKET,
		    "cannot make the directory %s: %s", dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fault_set(f, ERR_SOCKET,
		    "cannot open the directory %s: %s", dir, strerror(errno));
	/* Without the lock, two daemons that start at the same time could each
	 * find the other's socket not yet served and remove it. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			return fault_set(f, ERR_BUSY,
			    "the directory %s is locked by"
			    " another program",
			    dir);
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* Removes a socket that no process serves. */
static int
clear_path(const struct control_socket *s, struct fault *f)
{
	const char *path = s->at.sun_path;
	struct stat st;
	int fd, answer;

	if (lstat(path, &st) != 0)
		return errno == ENOENT
			   ? 0
			   : fault_set(f, ERR_SOCKET, "control socket %s: %s",
				 path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fault_set(f, ERR_EXISTS,
		    "%s exists and is not a socket: remove it, or set"
		    " another path with control",
		    path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_set(
		    f, ERR_SOCKET, "control socket: %s", strerror(errno));
	answer = connect(fd, (const struct sockaddr *)&s->at, sizeof s->at);
	if (answer != 0)
		answer = errno;
	close(fd);
	if (answer == 0 || answer == EAGAIN)
		return fault_set(f, ERR_ADDRESS_USED,
		    "another hyperdhtd is already running on %s: stop it, or"
		    " set another path with control",
		    path);
	if (answer != ECONNREFUSED)
		return fault_set(f, ERR_SOCKET, "control socket %s: %s", path,
		    strerror(answer));
	if (unlink(path) != 0)
		return fault_set(f, ERR_SOCKET,
		    "cannot remove the unused socket %s: %s", path,
		    strerror(errno));
	return 0;
}

static int
bind_path(struct control_socket *s, int fd, mode_t mode)
{
	mode_t mask = umask(0777 & ~mode);
	int ret = bind(fd, (const struct sockaddr *)&s->at, sizeof s->at);
	struct stat st;

	umask(mask);
	if (ret != 0 || lstat(s->at.sun_path, &st) != 0 ||
	    listen(fd, LISTEN_BACKLOG) != 0)
		return ERR_SOCKET;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int
open_socket(struct control_socket *s, mode_t mode, struct fault *f)
{
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_set(
		    f, ERR_SOCKET, "control socket: %s", strerror(errno));
	err = bind_path(s, fd, mode);
	if (err != 0) {
		fault_set(f, err, "control socket %s: %s", s->at.sun_path,
		    strerror(errno));
		close(fd);
		return err;
	}
	s->fd = fd;
	return 0;
}

int
control_socket_open(
    struct control_socket *s, const char *path, mode_t mode, struct fault *f)
{
	int dir, err;

	s->fd = -1;
	err = set_path(s, path, f);
	if (err != 0)
		return err;
	dir = lock_directory(s, f);
	if (dir < 0)
		return dir;
	err = clear_path(s, f);
	if (err == 0)
		err = open_socket(s, mode, f);
	close(dir);
	return err;
}

static bool
is_own_file(const struct control_socket *s)
{
	struct stat st;

	return lstat(s->at.sun_path, &st) == 0 && st.st_dev == s->dev &&
	       st.st_ino == s->ino;
}

int
control_socket_chmod(const struct control_socket *s, mode_t mode)
{
	if (is_own_file(s) && chmod(s->at.sun_path, mode) == 0)
		return 0;
	return ERR_SOCKET;
}

void
control_socket_close(struct control_socket *s)
{
	if (s->fd < 0)
		return;
	close(s->fd);
	if (is_own_file(s))
		unlink(s->at.sun_path);
}
