/* SPDX-License-Identifier: ISC */
/*
 * pretend PATH [hang-up] - something else in the place of a daemon's control
 * socket: gives one client what comes from standard input, then waits for it to
 * go, or hangs up first.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(fd, 1) != 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	char buf[4096];
	size_t n;
	int fd;

	if (argc < 2)
		return 2;
	fd = listen_at(argv[1]);
	if (fd < 0)
		return 1;
	fd = accept(fd, NULL, NULL);
	while ((n = fread(buf, 1, sizeof buf, stdin)) > 0)
		(void)send(fd, buf, n, MSG_NOSIGNAL);
	while (argc == 2 && read(fd, buf, sizeof buf) > 0)
		;
	unlink(argv[1]);
	return 0;
}
