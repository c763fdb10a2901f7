/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "log/log.h"

enum { LOG_LINE_MAX = 1024 };

static const struct {
	const char *name;
	enum log_level level;
} names[] = {
    {"error", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING},
    {"notice", LOG_LEVEL_NOTICE},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
};

static enum log_level threshold = LOG_LEVEL_NOTICE;
static bool for_journal;

void
log_init(void)
{
	/* The service manager sets one of them for its services. */
	for_journal =
	    getenv("JOURNAL_STREAM") != NULL || getenv("INVOCATION_ID") != NULL;
}

void
log_set_level(enum log_level level)
{
	threshold = level;
}

int
log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, name) == 0) {
			*out = names[i].level;
			return 0;
		}
	return ERR_VALUE;
}

static const char *
level_name(enum log_level level)
{
	return names[level - LOG_LEVEL_ERROR].name;
}

/* Writes a line with one system call, so that lines of several daemons do not
 * mix. */
__attribute__((format(printf, 2, 0))) static void
write_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t start, len;

	if (level > threshold)
		return;
	start =
	    (size_t)(for_journal ? snprintf(line, sizeof line, "<%d>", level)
				 : snprintf(line, sizeof line,
				       "hyperdhtd: %s: ", level_name(level)));
	vsnprintf(line + start, sizeof line - start - 1, fmt, ap);
	len = strlen(line);
	/* Replaces control characters: a file name must not forge a line. */
	for (size_t i = start; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nothing can report this failure */
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		write_line(level, fmt, ap);                                    \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
