/* SPDX-License-Identifier: ISC */
/*
 * t.h - shared by the unit tests: bytes from hex, the golden vectors, damage.
 *
 * A test program defines t_suite(); t_main.c runs it. All returned bytes are
 * heap copies of exactly their length, so that AddressSanitizer detects the
 * first byte read beyond. Failures end the test that called. Uses: base.
 */
#ifndef TEST_T_H
#define TEST_T_H

#include <check.h>

/*
 * Check writes a record for each assertion that holds, and its parent process
 * reads them all in quadratic time: a loop of a million assertions takes a
 * minute. Only the line of the last one before a crash is lost without.
 */
#define _mark_point(file, line) ((void)0)
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "world/prng.h"

/* Returns the program's tests. */
Suite *t_suite(void);

/*
 * With T_ONLY=N in the environment only the N-th test of a program is added,
 * each round of a loop being one: cuts the range to it.
 */
void t_select(int *start, int *end);

#undef tcase_add_test
#undef tcase_add_test_raise_signal
#undef tcase_add_loop_test
#undef tcase_add_loop_test_raise_signal
#define tcase_add_test(tc, test) tcase_add_loop_test(tc, test, 0, 1)
#define tcase_add_test_raise_signal(tc, test, signal)                          \
	tcase_add_loop_test_raise_signal(tc, test, signal, 0, 1)
#define tcase_add_loop_test(tc, test, start, end)                              \
	tcase_add_loop_test_raise_signal(tc, test, 0, start, end)
#define tcase_add_loop_test_raise_signal(tc, test, signal, start, end)         \
	do {                                                                   \
		int t_from = (start), t_to = (end);                            \
                                                                               \
		t_select(&t_from, &t_to);                                      \
		if (t_from < t_to)                                             \
			_tcase_add_test(tc, test, signal, 0, t_from, t_to);    \
	} while (0)

/* Returns the end of a table, for tcase_add_loop_test(). */
#define T_ROWS(rows) ((int)(sizeof(rows) / sizeof *(rows)))

/* Creates a suite of one case, to which t_suite() adds its tests. */
Suite *t_suite_new(const char *name, TCase **tc);

/* Decodes hex; skips spaces. The caller frees the bytes. */
uint8_t *t_hex(const char *hex, size_t *len);

/* Copies exactly len bytes, also none. The caller frees the copy. */
uint8_t *t_copy(const void *p, size_t len);

/* Fails unless the len bytes at p are those of the hex text. */
void t_assert_hex(const void *p, size_t len, const char *hex);

/* Returns the key that starts with n; its other bytes are 0. */
const uint8_t *t_key(uint8_t n);

/* ---- golden vectors, from tests/vectors ---- */

/* Reads the file of that name once and keeps it for the life of the program. */
const json_t *t_vectors(const char *file);

/* Return the number of rows of a section, and the i-th row. */
int t_rows(const char *file, const char *section);
const json_t *t_row(const char *file, const char *section, int i);

/* Do the same for files in which each of "vectors" names its kind. */
int t_kinds(const char *file, const char *kind);
const json_t *t_kind(const char *file, const char *kind, int i);

/* Return a member of a row; fail unless it exists and has the type. */
const json_t *t_get(const json_t *object, const char *name);
const char *t_string(const json_t *object, const char *name);
uint64_t t_uint(const json_t *object, const char *name);

bool t_bool(const json_t *object, const char *name);

/* Decodes a member in hex; returns NULL if it is null. The caller frees it. */
uint8_t *t_bytes(const json_t *object, const char *name, size_t *len);

/* Decodes an address, {"host": "192.0.2.1", "port": 1}. */
struct addr t_addr(const json_t *value);

/* ---- damage ---- */

/* Takes exact bytes; must neither crash nor read beyond them. */
typedef void t_taker(const uint8_t *buf, size_t len, void *arg);

/*
 * Passes every proper prefix of the row to take(), and the row with each bit
 * flipped.
 */
void t_damage(const uint8_t *row, size_t len, t_taker *take, void *arg);

#endif
