/* SPDX-License-Identifier: ISC */
/*
 * Named keys of local users: each has its own, they are the same after a
 * restart, a name cannot lead out of the directory, and what was lent is one
 * copy and is gone when the last borrower has given it back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "store/keyring.h"
#include "t.h"

static const struct keyring_owner daemon_owner = {.daemon = true};
static const struct keyring_owner alice = {.uid = 1000};
static const struct keyring_owner bob = {.uid = 100}; /* a prefix of hers */

static char dir[64], err[ERR_REASON_MAX];
static char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
static struct state state;
static struct keyring ring;

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/test_keyring.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(state_open(&state, dir), 0);
	keyring_init(&ring, &state);
}

static void
remove_one(void *owner, const char *name)
{
	(void)owner;
	(void)unlinkat(state.dir, name, 0);
}

static void
teardown(void)
{
	keyring_fini(&ring);
	ck_assert_int_eq(state_list(&state, "", remove_one, NULL), 0);
	state_close(&state);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
make(const struct keyring_owner *o, const char *name, uint8_t key[KEY_LEN])
{
	ck_assert_msg(keyring_make(&ring, o, name, key, err) == 0, "%s", err);
}

START_TEST(name_is_its_owners)
{
	const struct keyring_owner *owners[] = {&daemon_owner, &alice, &bob};
	uint8_t keys[3][KEY_LEN], key[KEY_LEN];

	for (int i = 0; i < 3; i++)
		make(owners[i], "web", keys[i]);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
		    keyring_show(&ring, owners[i], "web", key, err), 0);
		ck_assert_mem_eq(key, keys[i], KEY_LEN);
		ck_assert_uint_eq(keyring_list(&ring, owners[i], names), 1);
		ck_assert_mem_ne(keys[i], keys[(i + 1) % 3], KEY_LEN);
	}
}
END_TEST

START_TEST(key_file_is_private)
{
	uint8_t key[KEY_LEN];
	struct stat st;

	make(&alice, "web", key);
	ck_assert_int_eq(fstatat(state.dir, "identity.1000.web", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(fchmodat(state.dir, "identity.1000.web", 0644, 0), 0);
	ck_assert_int_eq(keyring_show(&ring, &alice, "web", key, err), -1);
	ck_assert_ptr_nonnull(strstr(err, "open to others"));
}
END_TEST

START_TEST(key_is_never_replaced)
{
	uint8_t key[KEY_LEN], again[KEY_LEN];

	make(&alice, "web", key);
	ck_assert_int_eq(keyring_make(&ring, &alice, "web", again, err), -1);
	ck_assert_int_eq(keyring_show(&ring, &alice, "web", again, err), 0);
	ck_assert_mem_eq(key, again, KEY_LEN);
}
END_TEST

static const char *const bad_names[] = {
    "",
    "..",
    ".",
    "a/b",
    "../key",
    "A",
    "a b",
    "a.b",
    "\xc3\xa4",
    "123456789012345678901234567890123",
};

START_TEST(bad_name_is_refused)
{
	uint8_t key[KEY_LEN];

	ck_assert_int_eq(
	    keyring_make(&ring, &alice, bad_names[_i], key, err), -1);
	ck_assert_ptr_nonnull(strstr(err, "small letters"));
	ck_assert_int_eq(
	    keyring_show(&ring, &alice, bad_names[_i], key, err), -1);
	ck_assert_ptr_null(keyring_named(&ring, &alice, bad_names[_i], err));
}
END_TEST

START_TEST(names_are_sorted_and_bounded)
{
	uint8_t key[KEY_LEN];
	char name[16];

	for (int i = 0; i < KEYRING_NAMES_MAX; i++) {
		snprintf(
		    name, sizeof name, "k%02d", (i * 37) % KEYRING_NAMES_MAX);
		make(&alice, name, key);
	}
	ck_assert_int_eq(keyring_make(&ring, &alice, "more", key, err), -1);
	ck_assert_uint_eq(
	    keyring_list(&ring, &alice, names), KEYRING_NAMES_MAX);
	for (int i = 1; i < KEYRING_NAMES_MAX; i++)
		ck_assert_int_lt(strcmp(names[i - 1], names[i]), 0);
	make(&bob, "more", key); /* others are not concerned */
}
END_TEST

START_TEST(default_is_made_when_needed)
{
	const struct key_pair *a, *b;
	uint8_t key[KEY_LEN];

	ck_assert_ptr_null(keyring_named(&ring, &alice, "web", err));
	a = keyring_named(&ring, &alice, KEYRING_DEFAULT, err);
	ck_assert_ptr_nonnull(a);
	b = keyring_named(&ring, &bob, KEYRING_DEFAULT, err);
	ck_assert_mem_ne(a->public_key, b->public_key, KEY_LEN);
	memcpy(key, a->public_key, KEY_LEN);
	keyring_return(&ring, a);
	keyring_return(&ring, b);
	a = keyring_named(&ring, &alice, KEYRING_DEFAULT, err);
	ck_assert_mem_eq(a->public_key, key, KEY_LEN);
	keyring_return(&ring, a);
}
END_TEST

START_TEST(one_copy_is_lent)
{
	uint8_t seed[KEY_SEED_LEN] = {7};
	const struct key_pair *a = keyring_seed(&ring, seed, err);
	const struct key_pair *b = keyring_seed(&ring, seed, err);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_eq(a, b);
	keyring_return(&ring, a);
	ck_assert(!TAILQ_EMPTY(&ring.lent));
	ck_assert_mem_eq(
	    b->public_key, keyring_seed(&ring, seed, err)->public_key, KEY_LEN);
	keyring_return(&ring, b);
	keyring_return(&ring, b);
	ck_assert(TAILQ_EMPTY(&ring.lent));
}
END_TEST

/* Who has nowhere to keep a key must not think that it was kept. */
START_TEST(key_that_cannot_be_kept_is_not_made)
{
	struct state nowhere = {.dir = -1, .lock = -1};
	struct keyring lost;
	const struct key_pair *pair;
	uint8_t key[KEY_LEN];

	keyring_init(&lost, &nowhere);
	ck_assert_int_eq(keyring_make(&lost, &alice, "web", key, err), -1);
	ck_assert_ptr_nonnull(strstr(err, "cannot be written"));
	/* To connect once, one for the moment will do. */
	pair = keyring_named(&lost, &alice, KEYRING_DEFAULT, err);
	ck_assert_ptr_nonnull(pair);
	keyring_return(&lost, pair);
	keyring_fini(&lost);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("keyring", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, name_is_its_owners);
	tcase_add_test(tc, key_file_is_private);
	tcase_add_test(tc, key_is_never_replaced);
	tcase_add_loop_test(tc, bad_name_is_refused, 0, T_ROWS(bad_names));
	tcase_add_test(tc, names_are_sorted_and_bounded);
	tcase_add_test(tc, default_is_made_when_needed);
	tcase_add_test(tc, one_copy_is_lent);
	tcase_add_test(tc, key_that_cannot_be_kept_is_not_made);
	return s;
}
