/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "log/log.h"

enum { NOTIFY_MAX = 512 };

/* Returns the watchdog interval, or 0 if it is for another process. */
static uint64_t
read_watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (us == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

void
notify_init(struct notify *n)
{
	*n = (struct notify){
	    .path = getenv("NOTIFY_SOCKET"), .watchdog_us = read_watchdog_us()};
}

/* Fills in the address of the socket; "@name" is an abstract name, which starts
 * with NUL. Returns its length, or 0 if it is not valid. */
static socklen_t
make_address(struct sockaddr_un *un, const char *path)
{
	size_t len = strlen(path);

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len == 0 || len >= sizeof un->sun_path)
		return 0;
	memcpy(un->sun_path, path, len);
	if (*path == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
notify_send(const struct notify *n, const char *fmt, ...)
{
	struct sockaddr_un un;
	char text[NOTIFY_MAX];
	socklen_t len;
	va_list ap;
	int fd;

	if (n->path == NULL || (len = make_address(&un, n->path)) == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&un,
		len) < 0)
		log_debug("the service manager is not notified: %m");
	close(fd);
}
