/* SPDX-License-Identifier: ISC */
/*
 * Assumption: connect() to a UNIX socket of a process that is gone fails with
 * ECONNREFUSED, and to one with a full backlog, without blocking, with
 * EAGAIN. bind() creates the file with the mode that the umask leaves, and
 * fails with EADDRINUSE while the file exists, even if nothing listens.
 *
 * Relied on by: control_socket.c (clear_path, bind_path).
 */
#include <sys/stat.h>
#include <sys/un.h>

#include "platform.h"

enum { CLIENTS_MAX = 100 };

static struct sockaddr_un at = {.sun_family = AF_UNIX};

static int
open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	REQUIRE(fd >= 0);
	return fd;
}

static int
connect_error(int *fd)
{
	*fd = open_socket();
	return connect(*fd, (void *)&at, sizeof at) == 0 ? 0 : errno;
}

static int
bind_with_mode(mode_t mode)
{
	mode_t mask = umask(0777 & ~mode);
	int fd = open_socket(), rc = bind(fd, (void *)&at, sizeof at);
	struct stat st;

	umask(mask);
	REQUIRE(rc == 0 && stat(at.sun_path, &st) == 0);
	REQUIRE(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == mode);
	return fd;
}

int
main(void)
{
	char dir[] = "/tmp/platform-XXXXXX";
	int fd[CLIENTS_MAX], listener, other, n = 0, error;

	REQUIRE(mkdtemp(dir) != NULL);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", dir);
	listener = bind_with_mode(0660);
	REQUIRE(connect_error(&other) == ECONNREFUSED); /* no listen() yet */
	close(other);
	REQUIRE(listen(listener, 1) == 0);
	while (n < CLIENTS_MAX && (error = connect_error(&fd[n])) == 0)
		n++;
	REQUIRE(n > 0 && error == EAGAIN);
	other = open_socket();
	REQUIRE(bind(other, (void *)&at, sizeof at) == -1);
	REQUIRE(errno == EADDRINUSE);
	close(listener);
	REQUIRE(connect_error(&fd[0]) == ECONNREFUSED);
	REQUIRE(bind(other, (void *)&at, sizeof at) == -1);
	REQUIRE(errno == EADDRINUSE);
	REQUIRE(unlink(at.sun_path) == 0);
	close(bind_with_mode(0666));
	REQUIRE(unlink(at.sun_path) == 0);
	REQUIRE(rmdir(dir) == 0);
	return 0;
}
