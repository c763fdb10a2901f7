/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "log/log.h"
#include "store/stored_announcements.h"

#define TOPICS_FILE "announcements"

enum {
	TOPIC_DIGITS = 2 * TOPIC_LEN,
	/* The topic, " 4294967295", a space and a name, the newline. */
	LINE_MAX_LEN = TOPIC_DIGITS + 11 + 1 + KEYRING_NAME_MAX + 1,
};

/* ---- the list ---- */

/* Returns the place of the announcement in the list, or t->len. */
static uint32_t
find_place(const struct stored_announcements *t, const uint8_t *topic,
    const struct key_pair *keys)
{
	uint32_t i = 0;

	while (
	    i < t->len && (t->list[i].keys != keys ||
			      memcmp(t->list[i].topic, topic, TOPIC_LEN) != 0))
		i++;
	return i;
}

const struct stored_announcement *
stored_announcements_find(const struct stored_announcements *t,
    const uint8_t *topic, const struct key_pair *keys)
{
	uint32_t i = find_place(t, topic, keys);

	return i < t->len ? &t->list[i] : NULL;
}

const struct stored_announcement *
stored_announcements_of(const struct stored_announcements *t,
    const uint8_t *topic, const struct keyring_owner *o)
{
	for (uint32_t i = 0; i < t->len; i++) {
		const struct stored_announcement *a = &t->list[i];

		if (memcmp(a->topic, topic, TOPIC_LEN) == 0 &&
		    (o == NULL || keyring_owner_same(&a->owner, o)))
			return a;
	}
	return NULL;
}

const struct stored_announcement *
stored_announcements_with_key(const struct stored_announcements *t,
    const uint8_t *topic, const uint8_t key[KEY_LEN],
    const uint8_t node_key[KEY_LEN])
{
	for (uint32_t i = 0; i < t->len; i++) {
		const struct stored_announcement *a = &t->list[i];
		const uint8_t *own =
		    a->keys != NULL ? a->keys->public_key : node_key;

		if (memcmp(a->topic, topic, TOPIC_LEN) == 0 &&
		    memcmp(own, key, KEY_LEN) == 0)
			return a;
	}
	return NULL;
}

uint32_t
stored_announcements_count(
    const struct stored_announcements *t, const struct keyring_owner *o)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->len; i++)
		n += o != NULL ? keyring_owner_same(&t->list[i].owner, o)
			       : !t->list[i].owner.daemon;
	return n;
}

static int
append(struct stored_announcements *t, const struct stored_announcement *a)
{
	uint32_t cap = t->cap == 0 ? 16 : 2 * t->cap;
	void *list;

	if (t->len >= t->max)
		return ERR_LIMIT;
	if (t->len == t->cap) {
		list = realloc(t->list, (size_t)cap * sizeof *t->list);
		if (list == NULL)
			return ERR_MEMORY;
		t->list = list;
		t->cap = cap;
	}
	t->list[t->len++] = *a;
	return 0;
}

/* ---- reading ---- */

/* Reads " OWNER" and moves *text behind it. Returns false if it is neither. */
static bool
read_owner(const char **text, struct keyring_owner *o)
{
	*o = (struct keyring_owner){.daemon = true};
	if (**text == '\0')
		return true;
	return *(*text)++ == ' ' && keyring_owner_read(text, o);
}

/* Reads a line without its newline. Returns false if it is malformed. */
static bool
read_line(struct stored_announcement *a, const char *line)
{
	const char *text = line + TOPIC_DIGITS;
	size_t len;

	*a = (struct stored_announcement){.saved = true};
	if (strlen(line) < TOPIC_DIGITS ||
	    sodium_hex2bin(a->topic, sizeof a->topic, line, TOPIC_DIGITS, NULL,
		&len, NULL) != 0 ||
	    len != sizeof a->topic || !read_owner(&text, &a->owner))
		return false;
	if (*text == '\0')
		return true;
	if (*text != ' ' || text[1] == '\0' ||
	    strlen(text + 1) >= sizeof a->name)
		return false;
	memcpy(a->name, text + 1, strlen(text + 1) + 1);
	return true;
}

/* Adds the announcement of one line. Returns false if it is malformed, its key
 * cannot be read, or the list is full. */
static bool
add_line(struct stored_announcements *t, struct keyring *k, const char *line)
{
	struct stored_announcement a;
	struct fault f;

	if (!read_line(&a, line))
		return false;
	if (a.name[0] != '\0' &&
	    keyring_lend_stored(k, &a.owner, a.name, &a.keys, &f) != 0) {
		log_error("a stored topic is not announced: %s", f.text);
		return false;
	}
	if (find_place(t, a.topic, a.keys) == t->len && append(t, &a) == 0)
		return true;
	keyring_return(k, a.keys);
	return t->len < t->max;
}

static void
add_lines(struct stored_announcements *t, struct keyring *k, char *text)
{
	size_t bad = 0;
	char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		*end = '\0';
		if (!add_line(t, k, text))
			bad++;
	}
	if (bad > 0)
		log_warning("%zu lines of the stored announcements are not "
			    "valid, lack their key or exceed the limit and are "
			    "ignored",
		    bad);
}

void
stored_announcements_load(struct stored_announcements *t, const struct state *s,
    struct keyring *k, uint32_t max)
{
	size_t cap = (size_t)max * LINE_MAX_LEN + 1, len = 0;
	char *text = malloc(cap);
	int err;

	*t = (struct stored_announcements){.max = max};
	if (text == NULL)
		return;
	err = state_read(s, TOPICS_FILE, text, cap - 1, &len, NULL);
	if (err != 0 && err != ERR_NOT_FOUND)
		log_error("the stored announcements cannot be read: %m; "
			  "their topics are not announced");
	text[err == 0 ? len : 0] = '\0';
	add_lines(t, k, text);
	free(text);
}

void
stored_announcements_fini(struct stored_announcements *t)
{
	free(t->list);
}

/* ---- writing ---- */

/* Writes a line, which is not longer than LINE_MAX_LEN. Returns its length. */
static size_t
write_line(char *out, const struct stored_announcement *a)
{
	char digits[TOPIC_DIGITS + 1], owner[KEYRING_OWNER_TEXT_MAX];
	bool named = a->name[0] != '\0';

	sodium_bin2hex(digits, sizeof digits, a->topic, TOPIC_LEN);
	/* A line without owner and name belongs to the daemon. */
	if (a->owner.daemon && !named)
		return (size_t)snprintf(out, LINE_MAX_LEN + 1, "%s\n", digits);
	return (size_t)snprintf(out, LINE_MAX_LEN + 1, "%s %s%s%s\n", digits,
	    keyring_owner_text(&a->owner, owner), named ? " " : "", a->name);
}

static void
write_file(const struct stored_announcements *t, const struct state *s)
{
	char *text = malloc((size_t)t->len * LINE_MAX_LEN + 1), *p = text;

	if (text == NULL || s->dir < 0) {
		free(text);
		return;
	}
	for (uint32_t i = 0; i < t->len; i++)
		if (t->list[i].saved)
			p += write_line(p, &t->list[i]);
	if (state_write(s, TOPICS_FILE, text, (size_t)(p - text)) != 0)
		log_error("the announcements cannot be stored: %m; the next "
			  "start does not know the last change");
	free(text);
}

int
stored_announcements_hold(
    struct stored_announcements *t, const struct stored_announcement *a)
{
	return append(t, a);
}

void
stored_announcements_release(struct stored_announcements *t)
{
	t->len--;
}

void
stored_announcements_save(
    const struct stored_announcements *t, const struct state *s)
{
	write_file(t, s);
}

int
stored_announcements_add(struct stored_announcements *t, const struct state *s,
    const struct stored_announcement *a)
{
	int err = append(t, a);

	if (err == 0 && a->saved)
		write_file(t, s);
	return err;
}

uint32_t
stored_announcements_del(struct stored_announcements *t, const struct state *s,
    const uint8_t *topic, const struct key_pair *keys)
{
	uint32_t i = find_place(t, topic, keys);
	bool saved;

	if (i == t->len)
		return UINT32_MAX;
	saved = t->list[i].saved;
	t->len--;
	memmove(t->list + i, t->list + i + 1,
	    (size_t)(t->len - i) * sizeof *t->list);
	if (saved)
		write_file(t, s);
	return i;
}
