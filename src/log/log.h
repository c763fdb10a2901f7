/* SPDX-License-Identifier: ISC */
/*
 * log.h - writes the log to standard error.
 *
 * Under systemd each line starts with its priority for the journal, otherwise
 * with the name of its level. What peers send is never logged above debug.
 * Uses: base.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

/* The numbers of syslog(3) and sd-daemon(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Detects whether standard error is the journal of systemd. */
void log_init(void);

/* Drops messages above this level, LOG_LEVEL_NOTICE at first. */
void log_set_level(enum log_level level);

/* Parses the name of a level. Returns 0 or ERR_VALUE. */
int log_level_parse(const char *name, enum log_level *out)
    __attribute__((warn_unused_result));

/* Write one line, formatted as by printf(3); %m is the text of errno. */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
