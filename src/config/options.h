/* SPDX-License-Identifier: ISC */
/*
 * options.h - the command line: the path of the configuration file, actions,
 * and every key of the configuration as `--key=value`.
 *
 * Borrows the arguments, so that a reload applies them again with the same
 * precedence. Uses: config, base.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stdbool.h>

#include "config/config.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK_CONFIG,
	OPTIONS_VERSION,
	OPTIONS_HELP,
};

struct options {
	enum options_action action;
	const char *file; /* --config, or NULL */
	char **argv;      /* borrowed */
	int argc;
};

/* Checks the names of all options, but not the values of keys. Returns 0, or an
 * error with *f set. */
int options_parse(struct options *o, int argc, char **argv, struct fault *f)
    __attribute__((warn_unused_result));

/* Where the mistake is if options_load() fails. */
enum options_place { PLACE_COMMAND, PLACE_FILE };

/*
 * Initialises *c and sets it from the file and the command line. Returns 0, or
 * an error with *f and *place set; then *c owns nothing.
 */
int options_load(const struct options *o, struct config *c,
    enum options_place *place, struct fault *f)
    __attribute__((warn_unused_result));

/* Prints the text of --help. */
void options_help(void);

#endif
