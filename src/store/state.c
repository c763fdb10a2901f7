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

#include "base/err.h"
#include "log/log.h"
#include "store/state.h"

/* Creates the missing directories of the path. Errors are ignored: opening the
 * path fails then. */
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
 * Locks a file of its own: the control socket may be in the same directory and
 * locks that. If no file can be created, nothing can be overwritten either.
 * Returns 0 or ERR_BUSY.
 */
static int
lock_state(struct state *s)
{
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) == 0 ||
	    errno != EWOULDBLOCK)
		return 0;
	return ERR_BUSY;
}

int
state_open(struct state *s, const char *path)
{
	int err;

	s->lock = -1;
	make_directories(path);
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		log_error("state directory %s: %m; keys, nodes and "
			  "announcements of this run will not be saved",
		    path);
		return 0;
	}
	err = lock_state(s);
	if (err != 0)
		state_close(s);
	return err;
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

/* Reads until the end of the file or max bytes. Returns 0 or ERR_FILE. */
static int
read_all(int fd, uint8_t *buf, size_t max, size_t *len)
{
	ssize_t n;

	*len = 0;
	while (*len < max) {
		n = read(fd, buf + *len, max - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_FILE;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
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
			return ERR_FILE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
state_read(const struct state *s, const char *name, void *buf, size_t max,
    size_t *len, mode_t *mode)
{
	struct stat st;
	int fd, error, err = ERR_FILE;

	if (s->dir < 0)
		return ERR_NOT_FOUND;
	fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_FILE;
	if (fstat(fd, &st) == 0)
		err = read_all(fd, buf, max, len);
	error = errno;
	close(fd);
	errno = error;
	if (err == 0 && mode != NULL)
		*mode = st.st_mode;
	return err;
}

/* Writes and syncs the content, then renames it: see the head of state.h. */
static int
replace_file(
    int dir, const char *temporary, const char *name, const void *p, size_t len)
{
	int fd = openat(dir, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return ERR_FILE;
	err = write_all(fd, p, len);
	if (err == 0 && fsync(fd) != 0)
		err = ERR_FILE;
	if (close(fd) != 0)
		err = ERR_FILE;
	if (err != 0)
		return err;
	return renameat(dir, temporary, dir, name) == 0 && fsync(dir) == 0
		   ? 0
		   : ERR_FILE;
}

int
state_write(const struct state *s, const char *name, const void *p, size_t len)
{
	char temporary[NAME_MAX];
	int error;

	if (s->dir < 0) {
		errno = ENOENT;
		return ERR_FILE;
	}
	snprintf(temporary, sizeof temporary, "%s.new", name);
	if (replace_file(s->dir, temporary, name, p, len) == 0)
		return 0;
	error = errno;
	unlinkat(s->dir, temporary, 0);
	errno = error;
	return ERR_FILE;
}

int
state_remove(const struct state *s, const char *name)
{
	if (s->dir < 0)
		return ERR_NOT_FOUND;
	if (unlinkat(s->dir, name, 0) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_FILE;
	return fsync(s->dir) == 0 ? 0 : ERR_FILE;
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
		return ERR_FILE;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return ERR_FILE;
	}
	while ((e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			found(owner, e->d_name);
	closedir(dir);
	return 0;
}

int
state_link(const struct state *s, const char *name, const char *as)
{
	if (linkat(s->dir, name, s->dir, as, 0) == 0)
		return fsync(s->dir) == 0 ? 0 : ERR_FILE;
	return errno == EEXIST ? 0 : ERR_FILE;
}
