/* SPDX-License-Identifier: ISC */
/*
 * Checks the named keys of local users: users do not see each other's, keys are
 * the same after a restart, no name leads out of the directory, and a lent key
 * is one copy that is wiped when the last borrower returns it. The keyring
 * works on a temporary directory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/keyring.h"
#include "t.h"

static const struct keyring_owner daemon_owner = {.daemon = true};
static const struct keyring_owner alice = {.uid = 1000};
static const struct keyring_owner bob = {.uid = 100}; /* a prefix of hers */

static char dir[64];
static struct fault fault;
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

static const struct key_pair *
lend_named(struct keyring *k, const struct keyring_owner *o, const char *name)
{
	const struct key_pair *pair;

	bool saved;

	return keyring_lend_named(k, o, name, &pair, &saved, &fault) == 0
		   ? pair
		   : NULL;
}

static const struct key_pair *
lend_seed(const uint8_t seed[KEY_SEED_LEN])
{
	const struct key_pair *pair;

	ck_assert_int_eq(keyring_lend_seed(&ring, seed, &pair, &fault), 0);
	return pair;
}

static void
make_key(const struct keyring_owner *o, const char *name, uint8_t key[KEY_LEN])
{
	ck_assert_msg(
	    keyring_make(&ring, o, name, key, &fault) == 0, "%s", fault.text);
}

START_TEST(name_is_its_owners)
{
	const struct keyring_owner *owners[] = {&daemon_owner, &alice, &bob};
	uint8_t keys[3][KEY_LEN], key[KEY_LEN];

	for (int i = 0; i < 3; i++)
		make_key(owners[i], "web", keys[i]);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
		    keyring_show(&ring, owners[i], "web", key, &fault), 0);
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

	make_key(&alice, "web", key);
	ck_assert_int_eq(fstatat(state.dir, "identity.1000.web", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(fchmodat(state.dir, "identity.1000.web", 0644, 0), 0);
	ck_assert_int_eq(
	    keyring_show(&ring, &alice, "web", key, &fault), ERR_VALUE);
	ck_assert_ptr_nonnull(strstr(fault.text, "open to others"));
}
END_TEST

START_TEST(key_is_never_replaced)
{
	uint8_t key[KEY_LEN], again[KEY_LEN];

	make_key(&alice, "web", key);
	ck_assert_int_eq(
	    keyring_make(&ring, &alice, "web", again, &fault), ERR_VALUE);
	ck_assert_int_eq(keyring_show(&ring, &alice, "web", again, &fault), 0);
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
	    keyring_make(&ring, &alice, bad_names[_i], key, &fault), ERR_VALUE);
	ck_assert_ptr_nonnull(strstr(fault.text, "small letters"));
	ck_assert_int_eq(
	    keyring_show(&ring, &alice, bad_names[_i], key, &fault), ERR_VALUE);
	ck_assert_ptr_null(lend_named(&ring, &alice, bad_names[_i]));
}
END_TEST

START_TEST(names_are_sorted_and_bounded)
{
	uint8_t key[KEY_LEN];
	char name[16];

	for (int i = 0; i < KEYRING_NAMES_MAX; i++) {
		snprintf(
		    name, sizeof name, "k%02d", (i * 37) % KEYRING_NAMES_MAX);
		make_key(&alice, name, key);
	}
	ck_assert_int_eq(
	    keyring_make(&ring, &alice, "more", key, &fault), ERR_VALUE);
	ck_assert_uint_eq(
	    keyring_list(&ring, &alice, names), KEYRING_NAMES_MAX);
	for (int i = 1; i < KEYRING_NAMES_MAX; i++)
		ck_assert_int_lt(strcmp(names[i - 1], names[i]), 0);
	make_key(&bob, "more", key); /* the limit is one per user */
}
END_TEST

START_TEST(default_is_made_when_needed)
{
	const struct key_pair *a, *b;
	uint8_t key[KEY_LEN];

	ck_assert_ptr_null(lend_named(&ring, &alice, "web"));
	a = lend_named(&ring, &alice, KEYRING_DEFAULT);
	ck_assert_ptr_nonnull(a);
	b = lend_named(&ring, &bob, KEYRING_DEFAULT);
	ck_assert_mem_ne(a->public_key, b->public_key, KEY_LEN);
	memcpy(key, a->public_key, KEY_LEN);
	keyring_return(&ring, a);
	keyring_return(&ring, b);
	a = lend_named(&ring, &alice, KEYRING_DEFAULT);
	ck_assert_mem_eq(a->public_key, key, KEY_LEN);
	keyring_return(&ring, a);
}
END_TEST

START_TEST(one_copy_is_lent)
{
	uint8_t seed[KEY_SEED_LEN] = {7};
	const struct key_pair *a = lend_seed(seed);
	const struct key_pair *b = lend_seed(seed);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_eq(a, b);
	keyring_return(&ring, a);
	ck_assert(!TAILQ_EMPTY(&ring.lent));
	ck_assert_mem_eq(b->public_key, lend_seed(seed)->public_key, KEY_LEN);
	keyring_return(&ring, b);
	keyring_return(&ring, b);
	ck_assert(TAILQ_EMPTY(&ring.lent));
}
END_TEST

/* Without a state directory, creating a key fails instead of losing it. */
START_TEST(key_that_cannot_be_saved_is_refused)
{
	struct state nowhere = {.dir = -1, .lock = -1};
	struct keyring lost;
	const struct key_pair *pair;
	uint8_t key[KEY_LEN];

	keyring_init(&lost, &nowhere);
	ck_assert_int_eq(
	    keyring_make(&lost, &alice, "web", key, &fault), ERR_FILE);
	ck_assert_ptr_nonnull(strstr(fault.text, "cannot be written"));
	/* The default key is created for this run. */
	pair = lend_named(&lost, &alice, KEYRING_DEFAULT);
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
	tcase_add_test(tc, key_that_cannot_be_saved_is_refused);
	return s;
}
