/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "log/log.h"
#include "store/stored_announcements.h"

#define TOPICS_FILE "announcements"

enum { LINE_LEN = 2 * TOPIC_LEN + 1 };

/* Where the topic is, or t->len. */
static uint32_t
find(const struct stored_announcements *t, const uint8_t *topic)
{
	uint32_t i = 0;

	while (i < t->len && memcmp(t->list[i], topic, TOPIC_LEN) != 0)
		i++;
	return i;
}

static int
append(struct stored_announcements *t, const uint8_t *topic)
{
	uint32_t cap = t->cap == 0 ? 16 : 2 * t->cap;
	void *list;

	if (t->len >= t->max)
		return -1;
	if (t->len == t->cap) {
		list = realloc(t->list, (size_t)cap * TOPIC_LEN);
		if (list == NULL)
			return -1;
		t->list = list;
		t->cap = cap;
	}
	memcpy(t->list[t->len++], topic, TOPIC_LEN);
	return 0;
}

/* One line; false if it is no topic. */
static bool
take_line(struct stored_announcements *t, const char *line)
{
	uint8_t topic[TOPIC_LEN];
	size_t len;

	if (sodium_hex2bin(topic, sizeof topic, line, LINE_LEN - 1, NULL, &len,
		NULL) != 0 ||
	    len != sizeof topic || line[LINE_LEN - 1] != '\n')
		return false;
	return find(t, topic) < t->len || append(t, topic) == 0;
}

void
stored_announcements_load(
    struct stored_announcements *t, const struct state *s, uint32_t max)
{
	size_t room = (size_t)max * LINE_LEN, bad = 0;
	char *text = malloc(room);
	ssize_t len;

	*t = (struct stored_announcements){.max = max};
	if (text == NULL)
		return;
	len = state_read(s, TOPICS_FILE, text, room, NULL);
	if (len < 0 && errno != ENOENT)
		log_error("the kept announcements cannot be read: %m");
	for (ssize_t at = 0; at + LINE_LEN <= len; at += LINE_LEN)
		if (!take_line(t, text + at))
			bad++;
	free(text);
	if (bad > 0)
		log_warning(
		    "%zu lines of the kept announcements make no sense", bad);
}

void
stored_announcements_fini(struct stored_announcements *t)
{
	free(t->list);
}

static void
store(const struct stored_announcements *t, const struct state *s)
{
	size_t room = (size_t)t->len * LINE_LEN + 1;
	char *text = malloc(room), *p = text;

	if (text == NULL || s->dir < 0) {
		free(text);
		return;
	}
	for (uint32_t i = 0; i < t->len; i++, p += LINE_LEN) {
		sodium_bin2hex(p, LINE_LEN, t->list[i], TOPIC_LEN);
		p[LINE_LEN - 1] = '\n';
	}
	if (state_write(s, TOPICS_FILE, text, room - 1) != 0)
		log_error("the announcements cannot be kept: %m");
	free(text);
}

void
stored_announcements_add(
    struct stored_announcements *t, const struct state *s, const uint8_t *topic)
{
	if (find(t, topic) == t->len && append(t, topic) == 0)
		store(t, s);
}

uint32_t
stored_announcements_del(
    struct stored_announcements *t, const struct state *s, const uint8_t *topic)
{
	uint32_t i = find(t, topic);

	if (i == t->len)
		return UINT32_MAX;
	t->len--;
	memmove(t->list[i], t->list + i + 1, (size_t)(t->len - i) * TOPIC_LEN);
	store(t, s);
	return i;
}
