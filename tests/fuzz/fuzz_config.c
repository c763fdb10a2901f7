/* SPDX-License-Identifier: ISC */
/* Parses the configuration file, or a single option as on the command line. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "fuzz.h"

/* Checks that a failure has a code and a text. */
static void
check_fault(int err, const struct fault *f)
{
	MUST(err <= 0 && err > -ERR_INDEX_MAX);
	if (err == 0)
		return;
	MUST(f->err == err && f->text[0] != '\0');
	MUST(memchr(f->text, '\0', sizeof f->text) != NULL);
}

static void
check_result(struct config *c, int err, const struct fault *f)
{
	struct fault finish;

	check_fault(err, f);
	if (err == 0)
		check_fault(config_finish(c, &finish), &finish);
}

static void
try_file(struct config *c, const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", 0);
	char path[64];
	struct fault f;
	int err;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	err = config_read(c, path, &f);
	close(fd);
	check_result(c, err, &f);
}

static void
try_option(struct config *c, unsigned key, const uint8_t *data, size_t size)
{
	char *value = malloc(size + 1);
	struct fault f;
	int err;

	MUST(value != NULL);
	memcpy(value, data, size);
	value[size] = '\0';
	err = config_set(c, config_name(key), value, FROM_COMMAND, &f);
	check_result(c, err, &f);
	free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned keys = 0;
	struct config c;

	if (size == 0)
		return 0;
	while (config_name(keys) != NULL)
		keys++;
	config_init(&c);
	/* No text file begins with a byte as high as the option's number. */
	if (data[0] >= 128)
		try_option(&c, (data[0] - 128u) % keys, data + 1, size - 1);
	else
		try_file(&c, data, size);
	config_fini(&c);
	return 0;
}
