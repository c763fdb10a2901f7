/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guess.h"
#include "base/limits.h"
#include "config/options.h"

#define DEFAULT_FILE SYSCONFDIR "/hyperdhtd/hyperdhtd.conf"

enum { OPTION_NAME_MAX = 64 };

static const struct {
	const char *name;
	enum options_action action;
} actions[] = {
    {"check-config", OPTIONS_CHECK_CONFIG},
    {"version", OPTIONS_VERSION},
    {"help", OPTIONS_HELP},
};

enum { ACTIONS = sizeof actions / sizeof *actions };

/* One option of the command line. */
struct word {
	char name[OPTION_NAME_MAX];
	const char *value; /* NULL: none was given */
};

static const char *
option_name(unsigned i)
{
	if (i < ACTIONS)
		return actions[i].name;
	return i == ACTIONS ? "config" : config_name(i - ACTIONS - 1);
}

static bool
is_option(const char *name)
{
	for (unsigned i = 0; option_name(i) != NULL; i++)
		if (strcmp(option_name(i), name) == 0)
			return true;
	return false;
}

static bool
is_action(const char *name)
{
	for (unsigned i = 0; i < ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return true;
	return false;
}

/* --name=value or --name value, from *i on, which moves past it. */
static int
next_word(int argc, char **argv, int *i, struct word *w, char *err)
{
	const char *arg = argv[(*i)++], *eq;
	size_t len;

	*w = (struct word){.value = NULL};
	if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0') {
		snprintf(err, ERR_REASON_MAX,
		    "'%s' is not an option (try --help)", arg);
		return -1;
	}
	arg += 2;
	eq = strchr(arg, '=');
	len = eq != NULL ? (size_t)(eq - arg) : strlen(arg);
	if (len < sizeof w->name)
		memcpy(w->name, arg, len);
	if (!is_option(w->name)) {
		const char *guess = guess_name(w->name, option_name);

		snprintf(err, ERR_REASON_MAX,
		    guess != NULL ? "unknown option '--%.*s' (did you mean "
				    "'--%s'?)"
				  : "unknown option '--%.*s' (try --help)",
		    (int)(len > 100 ? 100 : len), arg, guess);
		return -1;
	}
	if (eq != NULL)
		w->value = eq + 1;
	else if (!is_action(w->name) && *i < argc)
		w->value = argv[(*i)++];
	return 0;
}

static int
take_word(struct options *o, const struct word *w, char *err)
{
	if (is_action(w->name) != (w->value == NULL)) {
		snprintf(err, ERR_REASON_MAX,
		    w->value == NULL ? "'--%s' needs a value"
				     : "'--%s' takes no value",
		    w->name);
		return -1;
	}
	if (strcmp(w->name, "config") == 0)
		o->file = w->value;
	for (unsigned i = 0; i < ACTIONS; i++)
		if (strcmp(actions[i].name, w->name) == 0)
			o->action = actions[i].action;
	return 0;
}

int
options_parse(struct options *o, int argc, char **argv, char *err)
{
	struct word w;
	int i = 1;

	*o =
	    (struct options){.action = OPTIONS_RUN, .argc = argc, .argv = argv};
	while (i < argc)
		if (next_word(argc, argv, &i, &w, err) != 0 ||
		    take_word(o, &w, err) != 0)
			return -1;
	return 0;
}

static int
apply(const struct options *o, struct config *c, char *err)
{
	char reason[ERR_REASON_MAX / 2];
	struct word w;
	int i = 1;

	while (i < o->argc) {
		if (next_word(o->argc, o->argv, &i, &w, err) != 0)
			return -1;
		if (is_action(w.name) || strcmp(w.name, "config") == 0)
			continue;
		if (config_set(c, w.name, w.value, FROM_COMMAND, reason) != 0) {
			snprintf(
			    err, ERR_REASON_MAX, "--%s: %s", w.name, reason);
			return -1;
		}
	}
	return 0;
}

static int
load(const struct options *o, struct config *c, char *err)
{
	const char *file = o->file;

	if (file == NULL && access(DEFAULT_FILE, F_OK) == 0)
		file = DEFAULT_FILE;
	if (file != NULL && config_read(c, file, err) != 0)
		return FAULT_CONFIG;
	if (apply(o, c, err) != 0)
		return FAULT_COMMAND;
	return config_finish(c, err) != 0 ? FAULT_CONFIG : 0;
}

int
options_load(const struct options *o, struct config *c, char *err)
{
	int rc;

	config_init(c);
	rc = load(o, c, err);
	if (rc != 0)
		config_fini(c);
	return rc;
}

void
options_help(void)
{
	printf(
	    "Usage: hyperdhtd [OPTION]...\n"
	    "A seat in a HyperDHT network; see hyperdhtd(8).\n\n"
	    "  --config=FILE     read FILE instead of " DEFAULT_FILE "\n"
	    "  --check-config    check the configuration and exit\n"
	    "  --version         print the version and exit\n"
	    "  --help            print this and exit\n\n"
	    "Each key of the configuration is an option, too, and wins:\n\n");
	for (unsigned i = 0; i < CONF_KEYS; i++)
		printf("  --%s=VALUE\n", config_name(i));
	printf("\nLimits, with their defaults:\n\n");
	for (unsigned i = 0; i < limit_table_len; i++)
		printf("  --%s=%u\n        %s\n", limit_table[i].name,
		    limit_table[i].value, limit_table[i].text);
}
