/* SPDX-License-Identifier: ISC */
/*
 * replay.c - main() of a fuzz target that is built without libFuzzer.
 *
 * Feeds it the files and directories named as arguments, or its own corpus.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static int replayed;

static void
fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Copies the input to its exact size, so that overreads are detected. */
static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *room = malloc(INPUT_MAX), *exact;
	size_t len;

	if (f == NULL || room == NULL)
		fail(path);
	len = fread(room, 1, INPUT_MAX, f);
	if (ferror(f))
		fail(path);
	fclose(f);
	exact = realloc(room, len > 0 ? len : 1);
	if (exact == NULL)
		fail(path);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	replayed++;
}

static void
replay(const char *path)
{
	struct stat st;
	struct dirent *e;
	DIR *dir;
	char name[4096];

	if (stat(path, &st) != 0)
		fail(path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	dir = opendir(path);
	if (dir == NULL)
		fail(path);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		replay_file(name);
	}
	closedir(dir);
}

/* Finds the corpus by the name of the program. */
static void
replay_own(const char *program)
{
	const char *slash = strrchr(program, '/');
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", FUZZ_CORPUS,
	    slash != NULL ? slash + 1 : program);
	replay(path);
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		replay_own(argv[0]);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs replayed\n", replayed);
	return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
