/* SPDX-License-Identifier: ISC */
/*
 * t.h - what the unit tests share: bytes from hex, the golden vectors, damage.
 *
 * A test program defines t_suite(); t_main.c runs it. All bytes handed out are
 * heap copies of exactly their length, so that AddressSanitizer sees the first
 * byte read beyond. Failures end the test that called. Uses: base.
 */
#ifndef TEST_T_H
#define TEST_T_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The program's tests. */
Suite *t_suite(void);

/* The end of a table, for tcase_add_loop_test(). */
#define T_ROWS(rows) ((int)(sizeof(rows) / sizeof *(rows)))

/* A suite of one case, to which t_suite() adds its tests. */
Suite *t_suite_new(const char *name, TCase **tc);

/* The bytes that hex stands for; spaces are skipped. Free them. */
uint8_t *t_hex(const char *hex, size_t *len);

/* A copy of exactly len bytes, also of none. Free it. */
uint8_t *t_copy(const void *p, size_t len);

/* Fails unless the len bytes at p are those of the hex text. */
void t_assert_hex(const void *p, size_t len, const char *hex);

/* ---- golden vectors, from tests/vectors ---- */

/* The file of that name, read once and kept for the life of the program. */
const json_t *t_vectors(const char *file);

/* How many rows a section has, and the i-th of them. */
int t_rows(const char *file, const char *section);
const json_t *t_row(const char *file, const char *section, int i);

/* The same for files in which each of "vectors" names its kind. */
int t_kinds(const char *file, const char *kind);
const json_t *t_kind(const char *file, const char *kind, int i);

/* A member of a row; it must exist and be what is asked for. */
const json_t *t_get(const json_t *object, const char *name);
const char *t_string(const json_t *object, const char *name);
uint64_t t_uint(const json_t *object, const char *name);

bool t_bool(const json_t *object, const char *name);

/* The bytes of a member in hex; NULL if the member is null. Free them. */
uint8_t *t_bytes(const json_t *object, const char *name, size_t *len);

/* An address, {"host": "192.0.2.1", "port": 1}. */
struct addr t_addr(const json_t *value);

/* ---- damage ---- */

/* Takes exact bytes; must neither crash nor read beyond them. */
typedef void t_taker(const uint8_t *buf, size_t len, void *arg);

/* Hands out every proper prefix of the row, and the row with each bit flipped.
 */
void t_damage(const uint8_t *row, size_t len, t_taker *take, void *arg);

/* ---- random numbers for tests, the same on every run ---- */

struct t_random {
	uint64_t state;
};

uint32_t t_random(struct t_random *r);
uint32_t t_below(struct t_random *r, uint32_t n);

#endif
