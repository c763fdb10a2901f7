/* SPDX-License-Identifier: ISC */
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/guess.h"
#include "base/limits.h"
#include "config/config.h"

enum { CONFIG_FILE_MAX = 256 * 1024 };

/* libconfuse's callbacks carry no pointer of ours, so this one stands here
 * while a file is read. */
static struct reader {
	struct config *config;
	const char *path;
	char *err;
} * reading;

static void
report(const char *path, int line, const char *name, const char *reason)
{
	snprintf(reading->err, ERR_REASON_MAX, "%s:%d: %s%s%s", path, line,
	    name, *name != '\0' ? ": " : "", reason);
}

/* libconfuse reports an unknown key as "no such option 'NAME'". */
static int
unknown_key(const char *message, char *out, size_t max)
{
	static const char start[] = "no such option '";
	size_t len;

	if (strncmp(message, start, sizeof start - 1) != 0)
		return -1;
	message += sizeof start - 1;
	len = strcspn(message, "'");
	if (len >= max)
		return -1;
	memcpy(out, message, len);
	out[len] = '\0';
	return 0;
}

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char message[ERR_REASON_MAX / 2], name[64];
	const char *guess;

	if (*reading->err != '\0')
		return; /* the first reason is the one that counts */
	vsnprintf(message, sizeof message, fmt, ap);
	if (unknown_key(message, name, sizeof name) == 0) {
		guess = guess_name(name, config_name);
		snprintf(message, sizeof message,
		    guess != NULL ? "unknown key '%s' (did you mean '%s'?)"
				  : "unknown key '%s'",
		    name, guess);
	}
	report(reading->path, cfg->line, "", message);
}

/* The elements read so far, joined by commas, "none" if there are none. */
static char *
join(cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);
	size_t max = sizeof "none", len = 0;
	char *text;

	for (unsigned i = 0; i < n; i++)
		max += strlen(cfg_opt_getnstr(opt, i)) + 1;
	text = malloc(max);
	if (text == NULL)
		return NULL;
	memcpy(text, "none", sizeof "none");
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, max - len, "%s%s",
		    i > 0 ? "," : "", cfg_opt_getnstr(opt, i));
	return text;
}

/*
 * Called with each value, and again at the end of a list, while libconfuse
 * still knows the line; so a list is set as a whole, each time.
 */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	char reason[ERR_REASON_MAX / 2] = "out of memory";
	char *value = join(opt);
	int rc = -1;

	if (value != NULL)
		rc = config_set(
		    reading->config, opt->name, value, FROM_FILE, reason);
	if (rc != 0)
		report(reading->path, cfg->line, opt->name, reason);
	free(value);
	return rc;
}

/* Every key as a string, the bootstrap list as a list of them. */
static cfg_opt_t *
make_options(void)
{
	cfg_opt_t text = CFG_STR(NULL, NULL, CFGF_NODEFAULT);
	cfg_opt_t list = CFG_STR_LIST(NULL, NULL, CFGF_NODEFAULT);
	cfg_opt_t end = CFG_END();
	cfg_opt_t *opts = calloc(
	    CONF_KEYS + limit_table_len + limit_aliases_len + 1, sizeof *opts);
	unsigned i = 0;

	if (opts == NULL)
		return NULL;
	for (; config_name(i) != NULL; i++) {
		opts[i] = i == CONF_BOOTSTRAP ? list : text;
		opts[i].name = config_name(i);
	}
	opts[i] = end;
	return opts;
}

static int
parse(const char *text)
{
	cfg_opt_t *opts = make_options();
	cfg_t *cfg = opts != NULL ? cfg_init(opts, CFGF_NONE) : NULL;
	int rc = CFG_PARSE_ERROR;

	if (cfg != NULL) {
		cfg_set_error_function(cfg, on_error);
		for (unsigned i = 0; config_name(i) != NULL; i++)
			cfg_set_validate_func(cfg, config_name(i), on_value);
		rc = cfg_parse_buf(cfg, text);
		if (rc != CFG_SUCCESS && *reading->err == '\0')
			report(reading->path, cfg->line, "",
			    "not of the form 'key = value'");
		cfg_free(cfg);
	}
	free(opts);
	return rc == CFG_SUCCESS ? 0 : -1;
}

/*
 * Overwrites comments with spaces: libconfuse 3.3 counts a line that begins
 * with one three times, and the line is what the operator needs to know.
 */
static void
blank_comments(char *p)
{
	char quote = '\0';

	for (; *p != '\0'; p++) {
		if (*p == '\\' && quote != '\0' && p[1] != '\0')
			p++;
		else if (*p == quote)
			quote = '\0';
		else if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote == '\0' && *p == '#')
			for (; *p != '\n' && p[1] != '\0'; p++)
				*p = ' ';
	}
}

/* The file as a string in buf; the reason why not, or NULL. */
static const char *
read_file(const char *path, char *buf, size_t max)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	size_t len;

	if (f == NULL)
		return strerror(errno);
	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
		fclose(f);
		return "not a plain file";
	}
	len = fread(buf, 1, max, f);
	buf[len < max ? len : 0] = '\0';
	fclose(f);
	if (len == max)
		return "too long";
	return strlen(buf) == len ? NULL : "not a text";
}

int
config_read(struct config *c, const char *path, char *err)
{
	struct reader reader = {.config = c, .path = path, .err = err};
	char *text = malloc(CONFIG_FILE_MAX);
	const char *reason = "out of memory";
	int rc = -1;

	*err = '\0';
	if (text != NULL)
		reason = read_file(path, text, CONFIG_FILE_MAX);
	if (reason == NULL) {
		blank_comments(text);
		reading = &reader;
		rc = parse(text);
		reading = NULL;
	} else {
		snprintf(err, ERR_REASON_MAX, "%s: %s", path, reason);
	}
	free(text);
	return rc;
}
