/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "control/control_socket.h"

enum { BACKLOG = 64, LOCK_TRIES = 100, LOCK_PAUSE_MS = 10 };

static int fail(char *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, ERR_REASON_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

static int
set_path(struct control_socket *s, const char *path, char *err)
{
	s->at = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof s->at.sun_path)
		return fail(err,
		    "control socket %s: the path is too long; at most %zu"
		    " bytes fit",
		    path, sizeof s->at.sun_path - 1);
	memcpy(s->at.sun_path, path, strlen(path) + 1);
	return 0;
}

/* The directory of the socket, made if it is missing, opened and locked. */
static int
lock_directory(const struct control_socket *s, char *err)
{
	char path[sizeof s->at.sun_path], *dir;
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	int fd;

	memcpy(path, s->at.sun_path, sizeof path);
	dir = dirname(path);
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return fail(err, "cannot make the directory %s: %s", dir,
		    strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, "cannot open the directory %s: %s", dir,
		    strerror(errno));
	/*
	 * Two daemons that start at once must not each find the other's socket
	 * dead and remove it.
	 */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			return fail(err,
			    "the directory %s is locked by"
			    " another program",
			    dir);
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* Removes a socket that nobody serves. */
static int
clear_path(const struct control_socket *s, char *err)
{
	const char *path = s->at.sun_path;
	struct stat st;
	int fd, answer;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0
				       : fail(err, "control socket %s: %s",
					     path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(err,
		    "%s is there and is not a socket: remove it, or set"
		    " another path with control",
		    path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, "control socket: %s", strerror(errno));
	answer = connect(fd, (const struct sockaddr *)&s->at, sizeof s->at);
	if (answer != 0)
		answer = errno;
	close(fd);
	if (answer == 0 || answer == EAGAIN)
		return fail(err,
		    "another hyperdhtd is already running on %s: stop it, or"
		    " set another path with control",
		    path);
	if (answer != ECONNREFUSED)
		return fail(
		    err, "control socket %s: %s", path, strerror(answer));
	if (unlink(path) != 0)
		return fail(err, "cannot remove the dead socket %s: %s", path,
		    strerror(errno));
	return 0;
}

static int
bind_socket(struct control_socket *s, mode_t mode, char *err)
{
	mode_t mask;
	struct stat st;
	int ret;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return fail(err, "control socket: %s", strerror(errno));
	mask = umask(0777 & ~mode);
	ret = bind(s->fd, (const struct sockaddr *)&s->at, sizeof s->at);
	umask(mask);
	if (ret != 0 || lstat(s->at.sun_path, &st) != 0 ||
	    listen(s->fd, BACKLOG) != 0) {
		fail(err, "control socket %s: %s", s->at.sun_path,
		    strerror(errno));
		close(s->fd);
		return -1;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

int
control_socket_open(
    struct control_socket *s, const char *path, mode_t mode, char *err)
{
	int dir, ret = -1;

	if (set_path(s, path, err) != 0)
		return -1;
	dir = lock_directory(s, err);
	if (dir < 0)
		return -1;
	if (clear_path(s, err) == 0)
		ret = bind_socket(s, mode, err);
	close(dir);
	return ret;
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
	if (!is_own_file(s)) {
		errno = ENOENT;
		return -1;
	}
	return chmod(s->at.sun_path, mode);
}

void
control_socket_close(struct control_socket *s)
{
	close(s->fd);
	if (is_own_file(s))
		unlink(s->at.sun_path);
}
