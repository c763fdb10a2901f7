/* SPDX-License-Identifier: ISC */
/*
 * log.h - what the operator reads, on standard error.
 *
 * Under systemd each line carries its priority for the journal, elsewhere its
 * level in words. What peers send is never logged above debug.
 * Uses: nothing.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

/* Numbers as in syslog(3) and sd-daemon(3). */
enum log_level {
	LOG_ERROR = 3,
	LOG_WARNING = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

/* Finds out who reads; until then everything is said in words. */
void log_init(void);
void log_set_level(enum log_level level);

/* 0 and the level of that name, or -1. */
int log_level_parse(const char *name, enum log_level *out);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
