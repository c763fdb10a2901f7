/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"
#include "store/state.h"

/* Makes what is missing of the path; an error shows when it is opened. */
static void
make_directories(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof part)
		return;
	memcpy(part, path, len + 1);
	for (char *p = part + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		mkdir(part, 0700);
	}
	mkdir(part, 0700);
}

/*
 * A file of its own: the control socket may stand in the same directory, and
 * is guarded by a lock on that. Where no file can be made, none is at stake.
 */
static int
lock(struct state *s)
{
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) == 0 ||
	    errno != EWOULDBLOCK)
		return 0;
	return STATE_IN_USE;
}

int
state_open(struct state *s, const char *path)
{
	int rc;

	s->lock = -1;
	make_directories(path);
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		log_error("state directory %s: %m; nothing will be kept", path);
		return 0;
	}
	rc = lock(s);
	if (rc != 0)
		state_close(s);
	return rc;
}

void
state_close(struct state *s)
{
	if (s->lock >= 0)
		close(s->lock);
	if (s->dir >= 0)
		close(s->dir);
	s->dir = s->lock = -1;
}

static ssize_t
read_all(int fd, uint8_t *buf, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while (len < max) {
		n = read(fd, buf + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t
state_read(const struct state *s, const char *name, void *buf, size_t max,
    mode_t *mode)
{
	struct stat st;
	ssize_t n = -1;
	int fd, error;

	if (s->dir < 0) {
		errno = ENOENT;
		return -1;
	}
	fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0)
		n = read_all(fd, buf, max);
	error = errno;
	close(fd);
	errno = error;
	if (n >= 0 && mode != NULL)
		*mode = st.st_mode;
	return n;
}

/* Content first, name second: see the head of state.h. */
static int
replace(
    int dir, const char *temporary, const char *name, const void *p, size_t len)
{
	int fd = openat(dir, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -1;
	rc = write_all(fd, p, len);
	if (rc == 0)
		rc = fsync(fd);
	if (close(fd) != 0)
		rc = -1;
	if (rc == 0)
		rc = renameat(dir, temporary, dir, name);
	return rc == 0 ? fsync(dir) : -1;
}

int
state_write(const struct state *s, const char *name, const void *p, size_t len)
{
	char temporary[NAME_MAX];
	int error;

	if (s->dir < 0) {
		errno = ENOENT;
		return -1;
	}
	snprintf(temporary, sizeof temporary, "%s.new", name);
	if (replace(s->dir, temporary, name, p, len) == 0)
		return 0;
	error = errno;
	unlinkat(s->dir, temporary, 0);
	errno = error;
	return -1;
}

int
state_list(const struct state *s, const char *prefix,
    void (*found)(void *owner, const char *name), void *owner)
{
	int fd = -1;
	const struct dirent *e;
	DIR *dir;

	if (s->dir >= 0)
		fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			found(owner, e->d_name);
	closedir(dir);
	return 0;
}

int
state_keep(const struct state *s, const char *name, const char *as)
{
	if (linkat(s->dir, name, s->dir, as, 0) == 0)
		return fsync(s->dir);
	return errno == EEXIST ? 0 : -1;
}
