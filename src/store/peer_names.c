/* SPDX-License-Identifier: ISC */
#include "store/peer_names.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "log/log.h"

#define NAMES_FILE "names"

enum {
	KEY_DIGITS = 2 * KEY_LEN,
	/* The owner, the name, the key, two blanks, the newline. */
	LINE_MAX_LEN =
	    KEYRING_OWNER_TEXT_MAX + KEYRING_NAME_MAX + KEY_DIGITS + 3,
	FILE_MAX_LEN = PEER_NAMES_MAX * LINE_MAX_LEN,
};

/* ---- the list ---- */

static struct peer_name *
find_own(
    const struct peer_names *n, const struct keyring_owner *o, const char *name)
{
	for (uint32_t i = 0; i < n->len; i++) {
		struct peer_name *one = &n->list[i];

		if (keyring_owner_same(&one->owner, o) &&
		    strcmp(one->name, name) == 0)
			return one;
	}
	return NULL;
}

const struct peer_name *
peer_names_find(
    const struct peer_names *n, const struct keyring_owner *o, const char *name)
{
	static const struct keyring_owner machine = {.daemon = true};
	const struct peer_name *own = find_own(n, o, name);

	return own != NULL ? own : find_own(n, &machine, name);
}

const struct peer_name *
peer_names_next(
    const struct peer_names *n, const struct keyring_owner *o, uint32_t after)
{
	for (uint32_t i = 0; i < n->len; i++) {
		const struct peer_name *one = &n->list[i];

		if (one->number > after &&
		    peer_names_find(n, o, one->name) == one)
			return one;
	}
	return NULL;
}

static uint32_t
count_own(const struct peer_names *n, const struct keyring_owner *o)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n->len; i++)
		count += keyring_owner_same(&n->list[i].owner, o);
	return count;
}

static void
append_name(struct peer_names *n, const struct peer_name *one)
{
	n->list[n->len] = *one;
	n->list[n->len++].number = ++n->last_number;
}

/* ---- the file: OWNER NAME KEY, one line each ---- */

/* Reads a line without its newline. */
static bool
read_line(struct peer_name *one, const char *line)
{
	const char *blank;
	size_t len;

	*one = (struct peer_name){.number = 0};
	if (!keyring_owner_read(&line, &one->owner) || *line++ != ' ')
		return false;
	blank = strchr(line, ' ');
	if (blank == NULL || blank - line > KEYRING_NAME_MAX)
		return false;
	memcpy(one->name, line, (size_t)(blank - line));
	return keyring_name_is_valid(one->name) &&
	       strlen(blank + 1) == KEY_DIGITS &&
	       sodium_hex2bin(one->key, KEY_LEN, blank + 1, KEY_DIGITS, NULL,
		   &len, NULL) == 0 &&
	       len == KEY_LEN;
}

static void
read_lines(struct peer_names *n, char *text)
{
	struct peer_name one;
	size_t bad = 0;
	char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		*end = '\0';
		if (n->len < PEER_NAMES_MAX && read_line(&one, text) &&
		    find_own(n, &one.owner, one.name) == NULL)
			append_name(n, &one);
		else
			bad++;
	}
	if (bad > 0)
		log_warning("%zu lines of the stored names are not valid or"
			    " exceed the limit and are ignored",
		    bad);
}

int
peer_names_load(struct peer_names *n, const struct state *s)
{
	char *text = malloc(FILE_MAX_LEN + 1);
	size_t len = 0;
	int err;

	*n = (struct peer_names){
	    .state = s, .list = calloc(PEER_NAMES_MAX, sizeof *n->list)};
	if (text == NULL || n->list == NULL) {
		free(text);
		return ERR_MEMORY;
	}
	err = state_read(s, NAMES_FILE, text, FILE_MAX_LEN, &len, NULL);
	n->unreadable = err != 0 && err != ERR_NOT_FOUND;
	if (n->unreadable)
		log_error("the stored names cannot be read: %m");
	text[err == 0 ? len : 0] = '\0';
	read_lines(n, text);
	free(text);
	return 0;
}

void
peer_names_fini(struct peer_names *n)
{
	free(n->list);
}

static int
write_file(const struct peer_names *n, struct fault *f)
{
	char *text = malloc((size_t)n->len * LINE_MAX_LEN + 1), *p = text;
	char owner[KEYRING_OWNER_TEXT_MAX], digits[KEY_DIGITS + 1];
	int err;

	if (text == NULL)
		return fault_set_code(f, ERR_MEMORY);
	if (n->unreadable) {
		free(text);
		return fault_set(f, ERR_FILE,
		    "the stored names could not be read at the start: mend the"
		    " file, then restart the daemon");
	}
	for (uint32_t i = 0; i < n->len; i++) {
		const struct peer_name *one = &n->list[i];

		sodium_bin2hex(digits, sizeof digits, one->key, KEY_LEN);
		p += snprintf(p, LINE_MAX_LEN + 1, "%s %s %s\n",
		    keyring_owner_text(&one->owner, owner), one->name, digits);
	}
	err = state_write(n->state, NAMES_FILE, text, (size_t)(p - text));
	free(text);
	return err == 0 ? 0
			: fault_set(f, err, "the names cannot be stored: %s",
			      strerror(errno));
}

/* ---- changes ---- */

static int
check_new(
    const struct peer_names *n, const struct peer_name *one, struct fault *f)
{
	uint32_t max;

	if (find_own(n, &one->owner, one->name) != NULL)
		return fault_set(f, ERR_EXISTS,
		    "another key is named %s: `dhtctl name remove %s` frees"
		    " the name",
		    one->name, one->name);
	/* The rest is for admins. */
	max = one->owner.daemon ? PEER_NAMES_MAX : 3 * PEER_NAMES_MAX / 4;
	if (n->len >= max || count_own(n, &one->owner) == PEER_NAMES_USER_MAX)
		return fault_set(f, ERR_LIMIT,
		    "you may give %d names, and all users together %d",
		    PEER_NAMES_USER_MAX, PEER_NAMES_MAX);
	return 0;
}

int
peer_names_add(struct peer_names *n, const struct keyring_owner *o,
    const char *name, const uint8_t *key, struct fault *f)
{
	struct peer_name one = {.owner = *o};
	const struct peer_name *same;
	int err;

	if (!keyring_name_is_valid(name))
		return fault_set(f, ERR_VALUE,
		    "a name is 1 to %d small letters, digits, - and _",
		    KEYRING_NAME_MAX);
	memcpy(one.name, name, strlen(name));
	memcpy(one.key, key, KEY_LEN);
	same = find_own(n, o, name);
	if (same != NULL && memcmp(same->key, key, KEY_LEN) == 0)
		return 0;
	err = check_new(n, &one, f);
	if (err != 0)
		return err;
	append_name(n, &one);
	err = write_file(n, f);
	if (err != 0)
		n->len--;
	return err;
}

int
peer_names_remove(struct peer_names *n, const struct keyring_owner *o,
    const char *name, struct fault *f)
{
	struct peer_name *one = find_own(n, o, name), removed;
	uint32_t at, after;
	int err;

	if (one == NULL)
		return fault_set(
		    f, ERR_UNKNOWN, "you have named no key %s", name);
	removed = *one;
	at = (uint32_t)(one - n->list);
	after = --n->len - at;
	memmove(one, one + 1, after * sizeof *one);
	err = write_file(n, f);
	if (err == 0)
		return 0;
	memmove(one + 1, one, after * sizeof *one);
	*one = removed;
	n->len++;
	return err;
}
