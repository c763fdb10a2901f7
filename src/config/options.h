/* SPDX-License-Identifier: ISC */
/*
 * options.h - the command line: where the configuration is, and every key of
 * it as `--key=value`.
 *
 * The words are kept, so that a reload gives them the same precedence.
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

/*
 * Checks the words. 0, or -1 with the reason in err (ERR_REASON_MAX bytes).
 * Values are not looked at yet.
 */
int options_parse(struct options *o, int argc, char **argv, char *err);

/* Where options_load() has failed. */
enum options_fault { FAULT_COMMAND = -1, FAULT_CONFIG = -2 };

/*
 * The configuration that file and command line make together, in *c, which is
 * initialised here. 0, or an options_fault with the reason in err; then *c
 * holds nothing.
 */
int options_load(const struct options *o, struct config *c, char *err);

/* What --help prints. */
void options_help(void);

#endif
