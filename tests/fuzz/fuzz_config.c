/* SPDX-License-Identifier: ISC */
/* The configuration file, or a single option as on the command line. */
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"

/* Either it is good, or there are words that say why not. */
static void
judge(struct config *c, int rc, const char *err)
{
	char reason[ERR_REASON_MAX] = "";

	MUST(rc == 0 || rc == -1);
	MUST(memchr(err, '\0', ERR_REASON_MAX) != NULL);
	MUST(rc == 0 || err[0] != '\0');
	if (rc == 0 && config_finish(c, reason) != 0)
		MUST(reason[0] != '\0');
}

static void
try_file(struct config *c, const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", 0);
	char path[64], err[ERR_REASON_MAX] = "";
	int rc;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = config_read(c, path, err);
	close(fd);
	judge(c, rc, err);
}

static void
try_option(struct config *c, unsigned key, const uint8_t *data, size_t size)
{
	char *value = malloc(size + 1), err[ERR_REASON_MAX] = "";

	MUST(value != NULL);
	memcpy(value, data, size);
	value[size] = '\0';
	judge(
	    c, config_set(c, config_name(key), value, FROM_COMMAND, err), err);
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
