/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "net/sockaddr.h"
#include "tunnel/tunnel_address.h"

enum {
	BACKLOG = 128,
	/* The owner and the group may connect to a UNIX socket of ours. */
	SOCKET_UMASK = 0117,
};

union stream_address {
	struct sockaddr sa;
	struct sockaddr_un un;
	union sockaddr_any ip;
};

static socklen_t
to_sockaddr(const struct tunnel_address *a, union stream_address *out)
{
	if (a->addr.family != ADDR_NONE)
		return addr_to_sockaddr(&a->addr, &out->ip);
	out->un = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->un.sun_path, a->text, sizeof out->un.sun_path);
	return sizeof out->un;
}

static int
open_socket(const union stream_address *to)
{
	int fd = socket(
	    to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? ERR_SOCKET : fd;
}

/* Closes without changing errno. Returns ERR_SOCKET. */
static int
close_failed(int fd)
{
	int cause = errno;

	close(fd);
	errno = cause;
	return ERR_SOCKET;
}

int
tunnel_address_connect(const struct tunnel_address *a)
{
	union stream_address to;
	socklen_t len = to_sockaddr(a, &to);
	int fd = open_socket(&to), on = 1;

	if (fd < 0)
		return fd;
	if (to.sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &to.sa, len) != 0 && errno != EINPROGRESS)
		return close_failed(fd);
	return fd;
}

/* Removes a UNIX socket whose program has gone. Returns whether it did. */
static bool
remove_stale(const struct tunnel_address *a)
{
	struct stat st;
	int fd;

	if (a->addr.family != ADDR_NONE || lstat(a->text, &st) != 0 ||
	    !S_ISSOCK(st.st_mode))
		return false;
	fd = tunnel_address_connect(a);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ECONNREFUSED && unlink(a->text) == 0;
}

static int
bind_socket(int fd, const struct tunnel_address *a)
{
	union stream_address at;
	socklen_t len = to_sockaddr(a, &at);
	mode_t before = umask(SOCKET_UMASK);
	int rc = bind(fd, &at.sa, len);

	if (rc != 0 && errno == EADDRINUSE && remove_stale(a))
		rc = bind(fd, &at.sa, len);
	umask(before);
	return rc;
}

/* Reads the port that the kernel has chosen. */
static void
read_port(int fd, struct tunnel_address *a)
{
	union sockaddr_any at;
	socklen_t len = sizeof at;
	struct addr addr;

	if (a->addr.family == ADDR_NONE || a->addr.port != 0 ||
	    getsockname(fd, &at.sa, &len) != 0)
		return;
	addr = addr_from_sockaddr(&at);
	tunnel_address_set(a, &addr);
}

int
tunnel_address_listen(struct tunnel_address *a, struct fault *f)
{
	union stream_address at;
	int fd, on = 1;

	to_sockaddr(a, &at);
	fd = open_socket(&at);
	if (fd < 0)
		return fault_set(
		    f, ERR_SOCKET, "%s: %s", a->text, strerror(errno));
	if (at.sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind_socket(fd, a) != 0 || listen(fd, BACKLOG) != 0) {
		(void)close_failed(fd);
		return fault_set(f,
		    errno == EADDRINUSE ? ERR_ADDRESS_USED : ERR_SOCKET,
		    "cannot listen at %s: %s", a->text, strerror(errno));
	}
	read_port(fd, a);
	return fd;
}

void
tunnel_address_remove(const struct tunnel_address *a)
{
	if (a->addr.family == ADDR_NONE)
		(void)unlink(a->text);
}
