/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnel_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "log/log.h"
#include "store/state.h"
#include "tunnel/tunnels.h"

#define TUNNELS_FILE "tunnels"
#define NO_NAME "*" /* which names no key, keyring_name_is_valid() */

enum {
	KEY_DIGITS = 2 * KEY_LEN,
	/* "forward", a name, the keys with commas, the address, newline. */
	LINE_MAX_LEN = 8 + KEYRING_NAME_MAX + 1 +
		       TUNNEL_ALLOW_MAX * (KEY_DIGITS + 1) +
		       TUNNEL_ADDRESS_MAX + 1,
	FILE_MAX_LEN = TUNNELS_MAX * LINE_MAX_LEN,
};

/* ---- reading ---- */

/* Reads a key in hex of exactly that length. */
static bool
read_key(uint8_t key[KEY_LEN], const char *text, size_t len)
{
	size_t read = 0;

	return len == KEY_DIGITS &&
	       sodium_hex2bin(key, KEY_LEN, text, len, NULL, &read, NULL) ==
		   0 &&
	       read == KEY_LEN;
}

static bool
read_allow(struct tunnel_spec *spec, const char *text)
{
	if (strcmp(text, "public") == 0)
		return true;
	for (;;) {
		size_t len = strcspn(text, ",");

		if (spec->allow_len == TUNNEL_ALLOW_MAX ||
		    !read_key(spec->allow[spec->allow_len], text, len))
			return false;
		spec->allow_len++;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* Returns the next word and ends it with NUL, or NULL; *rest is what follows
 * the blank. */
static char *
take_word(char **rest)
{
	char *word = *rest, *blank = strchr(word, ' ');

	if (blank == NULL || blank == word)
		return NULL;
	*blank = '\0';
	*rest = blank + 1;
	return word;
}

/* Reads a line without its newline, and changes it. */
static bool
read_line(struct tunnel_spec *spec, char *line)
{
	const char *kind = take_word(&line), *name, *keys;
	struct fault f;

	name = kind != NULL ? take_word(&line) : NULL;
	keys = name != NULL ? take_word(&line) : NULL;
	*spec = (struct tunnel_spec){.kind = TUNNEL_FORWARDED};
	if (keys == NULL || strlen(name) > KEYRING_NAME_MAX ||
	    tunnel_address_parse(&spec->address, line, &f) != 0)
		return false;
	if (strcmp(name, NO_NAME) != 0)
		memcpy(spec->name, name, strlen(name) + 1);
	if (strcmp(kind, "forward") == 0)
		return read_key(spec->peer, keys, strlen(keys));
	spec->kind = TUNNEL_EXPOSED;
	return strcmp(kind, "expose") == 0 && spec->name[0] != '\0' &&
	       tunnel_address_check_target(&spec->address, &f) == 0 &&
	       read_allow(spec, keys);
}

/* Calls found for each line of the text, which is changed. */
static void
read_lines(char *text,
    void (*found)(void *owner, const struct tunnel_spec *spec), void *owner)
{
	struct tunnel_spec spec;
	size_t bad = 0;
	char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		*end = '\0';
		if (read_line(&spec, text))
			found(owner, &spec);
		else
			bad++;
	}
	if (bad > 0)
		log_warning("lines of the stored tunnels that are not valid"
			    " and are ignored: %zu",
		    bad);
}

int
tunnel_file_load(const struct state *s,
    void (*found)(void *owner, const struct tunnel_spec *spec), void *owner)
{
	char *text = malloc(FILE_MAX_LEN + 1);
	size_t len = 0;
	int err = text == NULL ? ERR_MEMORY
			       : state_read(s, TUNNELS_FILE, text, FILE_MAX_LEN,
				     &len, NULL);

	if (err == 0) {
		text[len] = '\0';
		read_lines(text, found, owner);
	} else if (err != ERR_NOT_FOUND) {
		log_error("the stored tunnels cannot be read: %m");
	}
	free(text);
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- writing ---- */

static void
write_key(FILE *out, const uint8_t key[KEY_LEN])
{
	char digits[KEY_DIGITS + 1];

	fputs(sodium_bin2hex(digits, sizeof digits, key, KEY_LEN), out);
}

static void
write_tunnel(FILE *out, const struct tunnel_spec *spec)
{
	bool exposed = spec->kind == TUNNEL_EXPOSED;

	fprintf(out, "%s %s ", exposed ? "expose" : "forward",
	    spec->name[0] != '\0' ? spec->name : NO_NAME);
	if (!exposed)
		write_key(out, spec->peer);
	else if (spec->allow_len == 0)
		fputs("public", out);
	for (uint32_t i = 0; i < spec->allow_len; i++) {
		if (i > 0)
			fputc(',', out);
		write_key(out, spec->allow[i]);
	}
	fprintf(out, " %s\n", spec->address.text);
}

int
tunnel_file_save(const struct tunnels *t, struct fault *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const struct tunnel *one = NULL;
	int err = ERR_MEMORY;

	if (out == NULL)
		return fault_set_code(f, err);
	while ((one = tunnels_next(t, one != NULL ? one->number : 0)) != NULL)
		write_tunnel(out, &one->spec);
	if (fclose(out) == 0)
		err = state_write(t->keyring->state, TUNNELS_FILE, text, len);
	if (err == ERR_MEMORY)
		fault_set_code(f, err);
	else if (err != 0)
		fault_set(f, err, "the tunnels cannot be stored: %s",
		    strerror(errno));
	free(text);
	return err;
}
