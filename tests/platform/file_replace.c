/* SPDX-License-Identifier: ISC */
/*
 * Assumption: renameat() puts a new file in the place of an old one in one
 * step, so that a name always has whole content; linkat() and
 * renameat2(RENAME_NOREPLACE) never replace, but fail with EEXIST. fsync()
 * works for a file and, opened read-only, for its directory. flock() excludes
 * another description of the same file, even of the same process, and ends
 * with the last close.
 *
 * Relied on by: state.c (replace_file, state_link, lock_state),
 * control_socket.c (lock_directory).
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "platform.h"

static void
write_file(int dir, const char *name, char text)
{
	int fd =
	    openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);

	REQUIRE(write(fd, &text, 1) == 1);
	REQUIRE(fsync(fd) == 0);
	REQUIRE(close(fd) == 0);
}

static char
read_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);
	char text = '\0';

	if (fd >= 0) {
		REQUIRE(read(fd, &text, 1) == 1);
		close(fd);
	}
	return text;
}

static void
check_replace(int dir)
{
	char text;
	int old;

	write_file(dir, "name", 'a');
	write_file(dir, "name.new", 'b');
	old = openat(dir, "name", O_RDONLY);
	REQUIRE(renameat(dir, "name.new", dir, "name") == 0);
	REQUIRE(fsync(dir) == 0);
	REQUIRE(read_file(dir, "name") == 'b');
	REQUIRE(read_file(dir, "name.new") == '\0');
	/* A reader that came before has the old content, whole. */
	REQUIRE(read(old, &text, 1) == 1 && text == 'a');
	close(old);
}

static void
check_keep(int dir)
{
	write_file(dir, "other", 'c');
	REQUIRE(linkat(dir, "other", dir, "name", 0) == -1 && errno == EEXIST);
	REQUIRE(read_file(dir, "name") == 'b');
	REQUIRE(linkat(dir, "name", dir, "kept", 0) == 0);
	REQUIRE(unlinkat(dir, "name", 0) == 0);
	REQUIRE(read_file(dir, "kept") == 'b');
	if (renameat2(dir, "other", dir, "kept", RENAME_NOREPLACE) == 0 ||
	    errno != EEXIST)
		skip("no RENAME_NOREPLACE: %m");
	REQUIRE(read_file(dir, "kept") == 'b');
	REQUIRE(renameat2(dir, "other", dir, "new", RENAME_NOREPLACE) == 0);
	REQUIRE(read_file(dir, "new") == 'c');
}

static void
check_lock(int dir, const char *path, int flags)
{
	int one = openat(dir, path, flags, 0600);
	int two = openat(dir, path, flags, 0600);

	REQUIRE(flock(one, LOCK_EX | LOCK_NB) == 0);
	REQUIRE(flock(two, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	close(one);
	REQUIRE(flock(two, LOCK_EX | LOCK_NB) == 0);
	close(two);
}

int
main(void)
{
	static const char *const names[] = {"kept", "new", "lock"};
	char path[] = "/tmp/platform-XXXXXX";
	int dir;

	REQUIRE(mkdtemp(path) != NULL);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	check_replace(dir);
	check_lock(dir, "lock", O_RDWR | O_CREAT);
	check_lock(dir, ".", O_RDONLY | O_DIRECTORY);
	check_keep(dir);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(dir, names[i], 0);
	REQUIRE(rmdir(path) == 0);
	return 0;
}
