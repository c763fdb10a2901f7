/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
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
struct option_word {
	char name[OPTION_NAME_MAX];
	const char *value; /* NULL if there is none */
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

/* Parses --name=value or --name value at argv[*i] and advances *i. */
static int
next_word(int argc, char **argv, int *i, struct option_word *w, struct fault *f)
{
	const char *arg = argv[(*i)++], *eq;
	size_t len;

	*w = (struct option_word){.value = NULL};
	if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
		return fault_set(
		    f, ERR_VALUE, "'%s' is not an option (try --help)", arg);
	arg += 2;
	eq = strchr(arg, '=');
	len = eq != NULL ? (size_t)(eq - arg) : strlen(arg);
	if (len < sizeof w->name)
		memcpy(w->name, arg, len);
	if (!is_option(w->name)) {
		const char *guess = guess_name(w->name, option_name);

		return fault_set(f, ERR_VALUE,
		    guess != NULL ? "unknown option '--%.*s' (did you mean "
				    "'--%s'?)"
				  : "unknown option '--%.*s' (try --help)",
		    (int)(len > 100 ? 100 : len), arg, guess);
	}
	if (eq != NULL)
		w->value = eq + 1;
	else if (!is_action(w->name) && *i < argc)
		w->value = argv[(*i)++];
	return 0;
}

static int
take_word(struct options *o, const struct option_word *w, struct fault *f)
{
	if (is_action(w->name) != (w->value == NULL))
		return fault_set(f, ERR_VALUE,
		    w->value == NULL ? "'--%s' needs a value"
				     : "'--%s' takes no value",
		    w->name);
	if (strcmp(w->name, "config") == 0)
		o->file = w->value;
	for (unsigned i = 0; i < ACTIONS; i++)
		if (strcmp(actions[i].name, w->name) == 0)
			o->action = actions[i].action;
	return 0;
}

int
options_parse(struct options *o, int argc, char **argv, struct fault *f)
{
	struct option_word w;
	int i = 1, err = 0;

	*o =
	    (struct options){.action = OPTIONS_RUN, .argc = argc, .argv = argv};
	while (err == 0 && i < argc) {
		err = next_word(argc, argv, &i, &w, f);
		if (err == 0)
			err = take_word(o, &w, f);
	}
	return err;
}

/* Sets the keys that the command line gives. */
static int
apply_words(const struct options *o, struct config *c, struct fault *f)
{
	struct option_word w;
	struct fault value;
	int i = 1, err;

	while (i < o->argc) {
		err = next_word(o->argc, o->argv, &i, &w, f);
		if (err != 0)
			return err;
		if (is_action(w.name) || strcmp(w.name, "config") == 0)
			continue;
		err = config_set(c, w.name, w.value, FROM_COMMAND, &value);
		if (err != 0)
			return fault_set(f, err, "--%s: %.*s", w.name,
			    FAULT_TEXT_MAX - OPTION_NAME_MAX, value.text);
	}
	return 0;
}

static int
load_config(const struct options *o, struct config *c,
    enum options_place *place, struct fault *f)
{
	const char *file = o->file;
	int err = 0;

	*place = PLACE_FILE;
	if (file == NULL && access(DEFAULT_FILE, F_OK) == 0)
		file = DEFAULT_FILE;
	if (file != NULL)
		err = config_read(c, file, f);
	if (err != 0)
		return err;
	*place = PLACE_COMMAND;
	err = apply_words(o, c, f);
	if (err != 0)
		return err;
	*place = PLACE_FILE;
	return config_finish(c, f);
}

int
options_load(const struct options *o, struct config *c,
    enum options_place *place, struct fault *f)
{
	int err;

	config_init(c);
	err = load_config(o, c, place, f);
	if (err != 0)
		config_fini(c);
	return err;
}

void
options_help(void)
{
	printf("Usage: hyperdhtd [OPTION]...\n"
	       "Runs a node of a HyperDHT network; see hyperdhtd(8).\n\n"
	       "  --config=FILE     read FILE instead of " DEFAULT_FILE "\n"
	       "  --check-config    check the configuration and exit\n"
	       "  --version         print the version and exit\n"
	       "  --help            print this and exit\n\n"
	       "Each key of the configuration is also an option, which takes\n"
	       "precedence over the file:\n\n");
	for (unsigned i = 0; i < CONF_KEYS; i++)
		printf("  --%s=VALUE\n", config_name(i));
	printf("\nLimits, with their defaults:\n\n");
	for (unsigned i = 0; i < limit_table_len; i++)
		printf("  --%s=%u\n        %s\n", limit_table[i].name,
		    limit_table[i].value, limit_table[i].text);
}
