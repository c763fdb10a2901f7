/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t.h"

enum { HANG_S = 240 };

Suite *
t_suite_new(const char *name, TCase **tc)
{
	Suite *s = suite_create(name);

	*tc = tcase_create(name);
	/* For one that hangs; no test is to fail because a machine is busy. */
	tcase_set_timeout(*tc, HANG_S);
	suite_add_tcase(s, *tc);
	return s;
}

void
t_select(int *start, int *end)
{
	static long before; /* tests seen so far */
	const char *only = getenv("T_ONLY");
	long wanted = only == NULL ? 0 : strtol(only, NULL, 10) - 1 - before;
	long len = *end - *start;

	before += len;
	if (only == NULL)
		return;
	*start += wanted >= 0 && wanted < len ? (int)wanted : (int)len;
	*end = *start + (wanted >= 0 && wanted < len);
}

const uint8_t *
t_key(uint8_t n)
{
	static uint8_t keys[256][32];

	keys[n][0] = n;
	return keys[n];
}

uint8_t *
t_copy(const void *p, size_t len)
{
	uint8_t *copy = malloc(len);

	/* malloc(0) may be NULL, which a decoder need not take. */
	if (copy == NULL)
		copy = malloc(1);
	ck_assert_ptr_nonnull(copy);
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

uint8_t *
t_hex(const char *hex, size_t *len)
{
	size_t max = strlen(hex) / 2;
	uint8_t *room = malloc(max + 1), *exact;
	const char *end;

	ck_assert_ptr_nonnull(room);
	if (sodium_hex2bin(room, max, hex, strlen(hex), " ", len, &end) != 0 ||
	    *end != '\0')
		ck_abort_msg("not hex: %s", hex);
	exact = t_copy(room, *len);
	free(room);
	return exact;
}

void
t_assert_hex(const void *p, size_t len, const char *hex)
{
	size_t want_len;
	uint8_t *want = t_hex(hex, &want_len);

	ck_assert_uint_eq(len, want_len);
	ck_assert_mem_eq(p, want, len);
	free(want);
}

const json_t *
t_vectors(const char *file)
{
	static char read[64]; /* each program wants one file or two */
	static json_t *json;
	char path[4096];
	json_error_t err;

	if (json != NULL && strcmp(read, file) == 0)
		return json;
	json_decref(json);
	snprintf(path, sizeof path, "%s/%s", T_VECTORS, file);
	json = json_load_file(path, 0, &err);
	if (json == NULL)
		ck_abort_msg("%s:%d: %s", path, err.line, err.text);
	snprintf(read, sizeof read, "%s", file);
	return json;
}

int
t_rows(const char *file, const char *section)
{
	return (int)json_array_size(t_get(t_vectors(file), section));
}

const json_t *
t_row(const char *file, const char *section, int i)
{
	const json_t *rows = t_get(t_vectors(file), section);

	return json_array_get(rows, (size_t)i);
}

const json_t *
t_kind(const char *file, const char *kind, int i)
{
	size_t at;
	json_t *v;

	json_array_foreach(t_get(t_vectors(file), "vectors"), at,
	    v) if (strcmp(t_string(v, "kind"), kind) == 0 && i-- == 0) return v;
	return NULL;
}

int
t_kinds(const char *file, const char *kind)
{
	int n = 0;

	while (t_kind(file, kind, n) != NULL)
		n++;
	return n;
}

const json_t *
t_get(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	if (v == NULL)
		ck_abort_msg("the vector has no \"%s\"", name);
	return v;
}

const char *
t_string(const json_t *object, const char *name)
{
	const char *s = json_string_value(t_get(object, name));

	if (s == NULL)
		ck_abort_msg("\"%s\" of the vector is no string", name);
	return s;
}

uint64_t
t_uint(const json_t *object, const char *name)
{
	const json_t *v = t_get(object, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		ck_abort_msg("\"%s\" of the vector is no number", name);
	return (uint64_t)json_integer_value(v);
}

bool
t_bool(const json_t *object, const char *name)
{
	const json_t *v = t_get(object, name);

	if (!json_is_boolean(v))
		ck_abort_msg("\"%s\" of the vector is not true or false", name);
	return json_is_true(v);
}

struct addr
t_addr(const json_t *value)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, t_string(value, "host"), 0), 0);
	a.port = (uint16_t)t_uint(value, "port");
	return a;
}

uint8_t *
t_bytes(const json_t *object, const char *name, size_t *len)
{
	*len = 0;
	if (json_is_null(t_get(object, name)))
		return NULL;
	return t_hex(t_string(object, name), len);
}

void
t_damage(const uint8_t *row, size_t len, t_taker *take, void *arg)
{
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *buf = t_copy(row, cut);

		take(buf, cut, arg);
		free(buf);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		uint8_t *buf = t_copy(row, len);

		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		take(buf, len, arg);
		free(buf);
	}
}
