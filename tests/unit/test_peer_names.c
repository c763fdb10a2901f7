/* SPDX-License-Identifier: ISC */
/*
 * Checks the names of peers: whose name goes first, limits, the file, and that
 * a failure to write changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/peer_names.h"
#include "t.h"

static const struct keyring_owner daemon_owner = {.daemon = true};
static const struct keyring_owner alice = {.uid = 1000};
static const struct keyring_owner bob = {.uid = 100};
static const uint8_t first[KEY_LEN] = {1}, second[KEY_LEN] = {2};

static struct {
	char dir[64];
	struct state state;
	struct peer_names names;
	struct fault fault;
} rig;

static void
setup(void)
{
	snprintf(rig.dir, sizeof rig.dir, "/tmp/test_peer_names.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.dir));
	ck_assert_int_eq(state_open(&rig.state, rig.dir), 0);
	ck_assert_int_eq(peer_names_load(&rig.names, &rig.state), 0);
}

static void
remove_file(void *owner, const char *name)
{
	(void)owner;
	(void)unlinkat(rig.state.dir, name, 0);
}

static void
teardown(void)
{
	peer_names_fini(&rig.names);
	ck_assert_int_eq(state_list(&rig.state, "", remove_file, NULL), 0);
	state_close(&rig.state);
	ck_assert_int_eq(rmdir(rig.dir), 0);
}

static int
add_name(const struct keyring_owner *o, const char *name, const uint8_t *key)
{
	return peer_names_add(&rig.names, o, name, key, &rig.fault);
}

static void
restart(void)
{
	peer_names_fini(&rig.names);
	ck_assert_int_eq(peer_names_load(&rig.names, &rig.state), 0);
}

static const uint8_t *
key_of(const struct keyring_owner *o, const char *name)
{
	const struct peer_name *one = peer_names_find(&rig.names, o, name);

	return one != NULL ? one->key : NULL;
}

START_TEST(own_name_goes_first)
{
	ck_assert_int_eq(add_name(&daemon_owner, "nas", first), 0);
	ck_assert_int_eq(add_name(&alice, "nas", second), 0);
	ck_assert_int_eq(add_name(&alice, "laptop", first), 0);
	restart();
	ck_assert_mem_eq(key_of(&alice, "nas"), second, KEY_LEN);
	ck_assert_mem_eq(key_of(&bob, "nas"), first, KEY_LEN);
	ck_assert_ptr_null(key_of(&bob, "laptop"));
	ck_assert_ptr_null(key_of(&daemon_owner, "laptop"));
	/* The list has each name once, as the user may use it. */
	ck_assert_mem_eq(
	    peer_names_next(&rig.names, &alice, 0)->key, second, KEY_LEN);
	ck_assert_ptr_null(peer_names_next(&rig.names, &bob, 1));
	ck_assert_int_eq(
	    peer_names_remove(&rig.names, &alice, "nas", &rig.fault), 0);
	ck_assert_int_eq(peer_names_remove(&rig.names, &bob, "nas", &rig.fault),
	    ERR_UNKNOWN);
	restart();
	ck_assert_mem_eq(key_of(&alice, "nas"), first, KEY_LEN);
}
END_TEST

START_TEST(name_keeps_its_meaning)
{
	ck_assert_int_eq(add_name(&alice, "nas", first), 0);
	ck_assert_int_eq(add_name(&alice, "nas", first), 0);
	ck_assert_int_eq(add_name(&alice, "nas", second), ERR_EXISTS);
	ck_assert_mem_eq(key_of(&alice, "nas"), first, KEY_LEN);
	ck_assert_int_eq(add_name(&alice, "N", first), ERR_VALUE);
	ck_assert_int_eq(add_name(&alice, "a b", first), ERR_VALUE);
}
END_TEST

START_TEST(each_user_has_a_share)
{
	char name[16];

	for (int i = 0; i < PEER_NAMES_USER_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		ck_assert_int_eq(add_name(&alice, name, first), 0);
	}
	ck_assert_int_eq(add_name(&alice, "one-more", first), ERR_LIMIT);
	ck_assert_int_eq(add_name(&bob, "one-more", first), 0);
	restart();
	ck_assert_uint_eq(rig.names.len, PEER_NAMES_USER_MAX + 1);
}
END_TEST

START_TEST(failure_to_write_changes_nothing)
{
	ck_assert_int_eq(add_name(&alice, "one", first), 0);
	ck_assert_int_eq(add_name(&alice, "two", second), 0);
	rig.names.state = &(const struct state){.dir = -1, .lock = -1};
	ck_assert_int_eq(add_name(&alice, "three", first), ERR_FILE);
	ck_assert_int_eq(
	    peer_names_remove(&rig.names, &alice, "one", &rig.fault), ERR_FILE);
	ck_assert_uint_eq(rig.names.len, 2);
	ck_assert_mem_eq(key_of(&alice, "one"), first, KEY_LEN);
	ck_assert_mem_eq(key_of(&alice, "two"), second, KEY_LEN);
}
END_TEST

START_TEST(bad_lines_are_ignored)
{
	static const char text[] =
	    "daemon nas 0100000000000000000000000000000000000000000000000000000"
	    "000000000\n"
	    "daemon nas 0200000000000000000000000000000000000000000000000000000"
	    "000000000\n"
	    "daemon  "
	    "01000000000000000000000000000000000000000000000000000000000"
	    "00000\n"
	    "-1 bad 01000000000000000000000000000000000000000000000000000000000"
	    "00000\n"
	    "daemon short 01\n"
	    "1000 Bad 010000000000000000000000000000000000000000000000000000000"
	    "0000000\n"
	    "1000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	    "01000000000000000000000000000"
	    "00000000000000000000000000000000000\n";

	ck_assert_int_eq(
	    state_write(&rig.state, "names", text, sizeof text - 1), 0);
	restart();
	ck_assert_uint_eq(rig.names.len, 1);
	ck_assert_mem_eq(key_of(&bob, "nas"), first, KEY_LEN);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("peer_names", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, own_name_goes_first);
	tcase_add_test(tc, name_keeps_its_meaning);
	tcase_add_test(tc, each_user_has_a_share);
	tcase_add_test(tc, failure_to_write_changes_nothing);
	tcase_add_test(tc, bad_lines_are_ignored);
	return s;
}
