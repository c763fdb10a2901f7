/* SPDX-License-Identifier: ISC */
/*
 * stdio_fds.h - the descriptors 0, 1 and 2, for both programs.
 *
 * Uses: nothing.
 */
#ifndef LOG_STDIO_FDS_H
#define LOG_STDIO_FDS_H

#include <stdbool.h>

/*
 * Opens /dev/null as each of standard input, output and error that is missing,
 * so that no file or socket gets its number and receives what is printed.
 * Returns false if that fails. Called before anything else is opened.
 */
bool stdio_fds_open_missing(void);

#endif
