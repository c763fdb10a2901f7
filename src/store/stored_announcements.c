/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "log/log.h"
#include "store/stored_announcements.h"

#define TOPICS_FILE "announcements"

enum { LINE_LEN = 2 * TOPIC_LEN + 1 };

/* Returns the place of the topic in the list, or t->len. */
static uint32_t
find_topic(const struct stored_announcements *t, const uint8_t *topic)
{
	uint32_t i = 0;

	while (i < t->len && memcmp(t->list[i], topic, TOPIC_LEN) != 0)
		i++;
	return i;
}

static int
append_topic(struct stored_announcements *t, const uint8_t *topic)
{
	uint32_t cap = t->cap == 0 ? 16 : 2 * t->cap;
	void *list;

	if (t->len >= t->max)
		return ERR_LIMIT;
	if (t->len == t->cap) {
		list = realloc(t->list, (size_t)cap * TOPIC_LEN);
		if (list == NULL)
			return ERR_MEMORY;
		t->list = list;
		t->cap = cap;
	}
	memcpy(t->list[t->len++], topic, TOPIC_LEN);
	return 0;
}

/* Adds the topic of one line. Returns false if it is not a topic or does not
 * fit. */
static bool
add_line(struct stored_announcements *t, const char *line)
{
	uint8_t topic[TOPIC_LEN];
	size_t len;

	if (sodium_hex2bin(topic, sizeof topic, line, LINE_LEN - 1, NULL, &len,
		NULL) != 0 ||
	    len != sizeof topic || line[LINE_LEN - 1] != '\n')
		return false;
	return find_topic(t, topic) < t->len || append_topic(t, topic) == 0;
}

void
stored_announcements_load(
    struct stored_announcements *t, const struct state *s, uint32_t max)
{
	size_t cap = (size_t)max * LINE_LEN, len = 0, bad = 0;
	char *text = malloc(cap);
	int err;

	*t = (struct stored_announcements){.max = max};
	if (text == NULL)
		return;
	err = state_read(s, TOPICS_FILE, text, cap, &len, NULL);
	if (err != 0 && err != ERR_NOT_FOUND)
		log_error("the stored announcements cannot be read: %m; "
			  "their topics are not announced");
	if (err != 0)
		len = 0;
	for (size_t at = 0; at + LINE_LEN <= len; at += LINE_LEN)
		if (!add_line(t, text + at))
			bad++;
	free(text);
	if (bad > 0)
		log_warning(
		    "%zu lines of the stored announcements are not topics "
		    "or exceed the limit and are ignored",
		    bad);
}

void
stored_announcements_fini(struct stored_announcements *t)
{
	free(t->list);
}

static void
write_topics(const struct stored_announcements *t, const struct state *s)
{
	size_t cap = (size_t)t->len * LINE_LEN + 1;
	char *text = malloc(cap), *p = text;

	if (text == NULL || s->dir < 0) {
		free(text);
		return;
	}
	for (uint32_t i = 0; i < t->len; i++, p += LINE_LEN) {
		sodium_bin2hex(p, LINE_LEN, t->list[i], TOPIC_LEN);
		p[LINE_LEN - 1] = '\n';
	}
	if (state_write(s, TOPICS_FILE, text, cap - 1) != 0)
		log_error("the announcements cannot be stored: %m; the next "
			  "start does not know the last change");
	free(text);
}

void
stored_announcements_add(
    struct stored_announcements *t, const struct state *s, const uint8_t *topic)
{
	if (find_topic(t, topic) == t->len && append_topic(t, topic) == 0)
		write_topics(t, s);
}

uint32_t
stored_announcements_del(
    struct stored_announcements *t, const struct state *s, const uint8_t *topic)
{
	uint32_t i = find_topic(t, topic);

	if (i == t->len)
		return UINT32_MAX;
	t->len--;
	memmove(t->list[i], t->list + i + 1, (size_t)(t->len - i) * TOPIC_LEN);
	write_topics(t, s);
	return i;
}
