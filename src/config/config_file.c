/* SPDX-License-Identifier: ISC */
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/guess.h"
#include "base/limits.h"
#include "config/config.h"

enum { CONFIG_FILE_MAX = 256 * 1024 };

/* State of the file being read: libconfuse passes no pointer of its caller to
 * callbacks. NULL between two reads. */
static struct config_reader {
	struct config *config;
	const char *path;
	struct fault *fault; /* err is 0 until the first failure */
} * reading;

static void
report_line(int err, int line, const char *name, const char *reason)
{
	fault_set(reading->fault, err, "%s:%d: %s%s%s", reading->path, line,
	    name, *name != '\0' ? ": " : "", reason);
}

/* Copies NAME of libconfuse's "no such option 'NAME'". Returns 0, or
 * ERR_NOT_FOUND for another message. */
static int
find_unknown_key(const char *message, char *out, size_t max)
{
	static const char start[] = "no such option '";
	size_t len;

	if (strncmp(message, start, sizeof start - 1) != 0)
		return ERR_NOT_FOUND;
	message += sizeof start - 1;
	len = strcspn(message, "'");
	if (len >= max)
		return ERR_NOT_FOUND;
	memcpy(out, message, len);
	out[len] = '\0';
	return 0;
}

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char message[FAULT_TEXT_MAX / 2], name[64];
	const char *guess;

	if (reading->fault->err != 0)
		return; /* keep the first failure: others may follow from it */
	vsnprintf(message, sizeof message, fmt, ap);
	if (find_unknown_key(message, name, sizeof name) == 0) {
		guess = guess_name(name, config_name);
		snprintf(message, sizeof message,
		    guess != NULL ? "unknown key '%s' (did you mean '%s'?)"
				  : "unknown key '%s'",
		    name, guess);
	}
	report_line(ERR_VALUE, cfg->line, "", message);
}

/* Returns the elements read so far, joined by commas, or "none". The caller
 * frees the text. */
static char *
join_elements(cfg_opt_t *opt)
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
 * Sets a key to the value that was read. libconfuse calls this for each element
 * of a list and after the last, while it still knows the line: a list is set as
 * a whole each time.
 */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	struct fault f;
	char *value = join_elements(opt);
	int err;

	if (value != NULL)
		err = config_set(
		    reading->config, opt->name, value, FROM_FILE, &f);
	else
		err = fault_set_code(&f, ERR_MEMORY);
	if (err != 0)
		report_line(err, cfg->line, opt->name, f.text);
	free(value);
	return err == 0 ? 0 : -1; /* as libconfuse expects */
}

/* Declares each key as a string, and the lists as lists of strings.
 * Returns an array that the caller frees, or NULL. */
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
		opts[i] =
		    i == CONF_BOOTSTRAP || i == CONF_RELAY_ALLOW ? list : text;
		opts[i].name = config_name(i);
	}
	opts[i] = end;
	return opts;
}

static int
parse_text(const char *text)
{
	cfg_opt_t *opts = make_options();
	cfg_t *cfg = opts != NULL ? cfg_init(opts, CFGF_NONE) : NULL;
	int rc = CFG_PARSE_ERROR;

	if (cfg == NULL) {
		fault_set_code(reading->fault, ERR_MEMORY);
	} else {
		cfg_set_error_function(cfg, on_error);
		for (unsigned i = 0; config_name(i) != NULL; i++)
			cfg_set_validate_func(cfg, config_name(i), on_value);
		rc = cfg_parse_buf(cfg, text);
		if (rc != CFG_SUCCESS && reading->fault->err == 0)
			report_line(ERR_VALUE, cfg->line, "",
			    "not of the form 'key = value'");
		cfg_free(cfg);
	}
	free(opts);
	return rc == CFG_SUCCESS ? 0 : reading->fault->err;
}

/*
 * Overwrites comments with spaces: libconfuse 3.3 counts a line that begins
 * with one three times, and messages would then name a wrong line.
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

/* Reads the file as a string into buf. Returns NULL, or why it failed. */
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
config_read(struct config *c, const char *path, struct fault *f)
{
	struct config_reader reader = {.config = c, .path = path, .fault = f};
	char *text = malloc(CONFIG_FILE_MAX);
	const char *reason;
	int err;

	*f = (struct fault){.err = 0};
	if (text == NULL)
		return fault_set_code(f, ERR_MEMORY);
	reason = read_file(path, text, CONFIG_FILE_MAX);
	if (reason == NULL) {
		blank_comments(text);
		reading = &reader;
		err = parse_text(text);
		reading = NULL;
	} else {
		err = fault_set(f, ERR_VALUE, "%s: %s", path, reason);
	}
	free(text);
	return err;
}
