/* SPDX-License-Identifier: ISC */
/*
 * Checks that files of the state directory are complete after a full disk or
 * kill -9, and that a key is never lost, readable by others or replaced without
 * an order. Works on a temporary directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/identity.h"
#include "store/node_cache.h"
#include "store/state.h"
#include "store/stored_announcements.h"
#include "t.h"

static char dir[64];
static struct state state;

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/test_state.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(state_open(&state, dir), 0);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void
teardown(void)
{
	state_close(&state);
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Returns the identity of the node, or NULL with *f set. */
static struct identity *
open_key(const struct state *s, bool *saved, struct fault *f)
{
	struct identity *id;

	return identity_open(s, IDENTITY_FILE, &id, saved, f) == 0 ? id : NULL;
}

/* Returns the bytes of the file that were read. */
static size_t
read_file(const char *name, void *buf, size_t max)
{
	size_t len;

	ck_assert_int_eq(state_read(&state, name, buf, max, &len, NULL), 0);
	return len;
}

static bool
file_exists(const char *name)
{
	return faccessat(state.dir, name, F_OK, 0) == 0;
}

START_TEST(directory_is_made_private_and_locked)
{
	char path[128];
	struct state a, b;
	struct stat st;

	snprintf(path, sizeof path, "%s/x/y", dir);
	ck_assert_int_eq(state_open(&a, path), 0);
	ck_assert_int_ge(a.dir, 0);
	ck_assert_int_eq(fstat(a.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(state_open(&b, path), ERR_BUSY);
	ck_assert_int_eq(b.dir, -1);
	state_close(&a);
	ck_assert_int_eq(state_open(&b, path), 0);
	state_close(&b);
}
END_TEST

START_TEST(unusable_directory_holds_nothing)
{
	struct state s;
	bool saved = true;
	char byte;
	struct fault f;
	size_t len;
	struct identity *id;

	ck_assert_int_eq(state_open(&s, "/dev/null/x"), 0);
	ck_assert_int_eq(s.dir, -1);
	ck_assert_int_eq(
	    state_read(&s, "x", &byte, 1, &len, NULL), ERR_NOT_FOUND);
	ck_assert_int_eq(state_write(&s, "x", "a", 1), ERR_FILE);
	/* The identity is created for this run, and not saved. */
	id = open_key(&s, &saved, &f);
	ck_assert_ptr_nonnull(id);
	ck_assert(!saved);
	identity_free(id);
}
END_TEST

START_TEST(full_disk_keeps_the_old_file)
{
	struct rlimit none = {0, 0};
	char buf[8];

	ck_assert_int_eq(state_write(&state, "x", "old", 3), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(state_write(&state, "x", "newer", 5), ERR_FILE);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_uint_eq(read_file("x", buf, sizeof buf), 3);
	ck_assert_mem_eq(buf, "old", 3);
	ck_assert(!file_exists("x.new"));
}
END_TEST

/* Writes runs of one letter until it is killed. */
static void
write_until_killed(void)
{
	static char text[64 * 1024];

	for (int i = 0;; i++) {
		memset(text, 'a' + i % 26, sizeof text);
		if (state_write(&state, "x", text,
			1 + (size_t)i % sizeof text * 997 % sizeof text) != 0)
			_exit(1);
	}
}

START_TEST(kill_leaves_whole_files)
{
	static char text[64 * 1024];
	struct prng r = prng_seeded(7);
	size_t len;
	int status;

	ck_assert_int_eq(state_write(&state, "x", "a", 1), 0);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0)
			write_until_killed();
		usleep(prng_below(&r, 5000));
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		len = read_file("x", text, sizeof text);
		ck_assert_uint_gt(len, 0);
		for (size_t k = 0; k < len; k++)
			ck_assert_int_eq(text[k], text[0]);
	}
	ck_assert_int_eq(state_write(&state, "x", "end", 3), 0);
	ck_assert(!file_exists("x.new"));
}
END_TEST

START_TEST(key_is_made_once)
{
	struct fault f;
	uint8_t public_key[KEY_LEN];
	bool saved = false;
	struct stat st;
	struct identity *id = open_key(&state, &saved, &f);

	ck_assert_ptr_nonnull(id);
	ck_assert(saved);
	memcpy(public_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	ck_assert_int_eq(fstatat(state.dir, "key", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 65);
	id = open_key(&state, &saved, &f);
	ck_assert_ptr_nonnull(id);
	ck_assert(saved);
	ck_assert_mem_eq(identity_pair(id)->public_key, public_key, KEY_LEN);
	identity_free(id);
}
END_TEST

START_TEST(new_key_keeps_the_old)
{
	struct fault f;
	char name[32], digits[17];
	uint8_t old_key[KEY_LEN], new_key[KEY_LEN];
	bool saved;
	struct identity *id = open_key(&state, &saved, &f);

	ck_assert_ptr_nonnull(id);
	memcpy(old_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	ck_assert_int_eq(identity_replace(&state, new_key, &f), 0);
	ck_assert_mem_ne(old_key, new_key, KEY_LEN);
	sodium_bin2hex(digits, sizeof digits, old_key, 8);
	snprintf(name, sizeof name, "key.%s", digits);
	ck_assert(file_exists(name));
	id = open_key(&state, &saved, &f);
	ck_assert_ptr_nonnull(id);
	ck_assert_mem_eq(identity_pair(id)->public_key, new_key, KEY_LEN);
	identity_free(id);
	/* Restores the old key, as an operator would. */
	ck_assert_int_eq(renameat(state.dir, name, state.dir, "key"), 0);
	id = open_key(&state, &saved, &f);
	ck_assert_mem_eq(identity_pair(id)->public_key, old_key, KEY_LEN);
	identity_free(id);
}
END_TEST

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct {
	const char *text, *err;
	mode_t mode;
} key_files[] = {
    {SEED "\n", NULL, 0600},
    {SEED, NULL, 0400},
    {"", "not a line of 64 hex digits", 0600},
    {SEED "0\n", "not a line of 64 hex digits", 0600},
    {SEED "\n\n", "not a line of 64 hex digits", 0600},
    {"x" SEED, "not a line of 64 hex digits", 0600},
    {SEED "\n", "open to others", 0640},
    {SEED "\n", "open to others", 0604},
};

START_TEST(key_file)
{
	struct fault f;
	const char *text = key_files[_i].text;
	struct identity *id;
	char after[128];
	bool saved;

	ck_assert_int_eq(state_write(&state, "key", text, strlen(text)), 0);
	ck_assert_int_eq(fchmodat(state.dir, "key", key_files[_i].mode, 0), 0);
	id = open_key(&state, &saved, &f);
	if (key_files[_i].err == NULL) {
		ck_assert_ptr_nonnull(id);
		t_assert_hex(identity_pair(id)->public_key, KEY_LEN,
		    "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc86641"
		    "25531b8");
		identity_free(id);
	} else {
		ck_assert_ptr_null(id);
		ck_assert_ptr_nonnull(strstr(f.text, key_files[_i].err));
	}
	/* The file is never changed. */
	ck_assert_uint_eq(read_file("key", after, sizeof after), strlen(text));
	ck_assert_mem_eq(after, text, strlen(text));
}
END_TEST

START_TEST(nodes_are_read_tolerantly)
{
	static const char text[] = "192.0.2.1:49737\n\nrubbish\n192.0.2.2\n"
				   "192.0.2.3:0\n192.0.2.4:5\n"
				   "224.0.0.1:5\n192.0.2.5:6";
	struct addr nodes[NODE_CACHE_MAX];
	struct addr first = addr_v4(192, 0, 2, 1, 49737);
	struct addr last = addr_v4(192, 0, 2, 5, 6);
	char many[NODE_CACHE_MAX * 2 * 16];
	size_t len = 0;

	ck_assert_uint_eq(node_cache_load(&state, nodes), 0);
	ck_assert_int_eq(
	    state_write(&state, "nodes", text, sizeof text - 1), 0);
	ck_assert_uint_eq(node_cache_load(&state, nodes), 3);
	ck_assert(addr_equal(&nodes[0], &first));
	ck_assert(addr_equal(&nodes[2], &last));
	while (len + 16 <= sizeof many) {
		memcpy(many + len, "192.0.2.1:49737\n", 16);
		len += 16;
	}
	ck_assert_int_eq(state_write(&state, "nodes", many, len), 0);
	ck_assert_uint_eq(node_cache_load(&state, nodes), NODE_CACHE_MAX);
}
END_TEST

/* Adds an announcement of the node's identity. */
static int
add_topic(struct stored_announcements *t, const uint8_t *topic)
{
	struct stored_announcement a = {
	    .owner = {.daemon = true}, .saved = true};

	memcpy(a.topic, topic, TOPIC_LEN);
	return stored_announcements_add(t, &state, &a);
}

START_TEST(announcements_survive)
{
	uint8_t topic[3][TOPIC_LEN] = {{1}, {2}, {3}};
	struct stored_announcements a;
	struct keyring keyring;
	char text[4 * (2 * TOPIC_LEN + 1)];
	size_t len;

	keyring_init(&keyring, &state);
	stored_announcements_load(&a, &state, &keyring, 2);
	ck_assert_uint_eq(a.len, 0);
	ck_assert_int_eq(add_topic(&a, topic[0]), 0);
	ck_assert_int_eq(add_topic(&a, topic[1]), 0);
	ck_assert_int_eq(add_topic(&a, topic[2]), ERR_LIMIT);
	stored_announcements_fini(&a);
	stored_announcements_load(&a, &state, &keyring, 10);
	ck_assert_uint_eq(a.len, 2);
	ck_assert_mem_eq(a.list[1].topic, topic[1], TOPIC_LEN);
	stored_announcements_del(&a, &state, topic[2], NULL);
	stored_announcements_del(&a, &state, topic[0], NULL);
	stored_announcements_fini(&a);
	stored_announcements_load(&a, &state, &keyring, 10);
	ck_assert_uint_eq(a.len, 1);
	ck_assert_mem_eq(a.list[0].topic, topic[1], TOPIC_LEN);
	stored_announcements_fini(&a);
	/* An invalid line is ignored, the others are read. */
	len = read_file("announcements", text, sizeof text);
	ck_assert_uint_eq(len, 65);
	memcpy(text + 65, text, 65);
	text[3] = 'x';
	ck_assert_int_eq(state_write(&state, "announcements", text, 130), 0);
	stored_announcements_load(&a, &state, &keyring, 10);
	ck_assert_uint_eq(a.len, 1);
	stored_announcements_fini(&a);
	keyring_fini(&keyring);
}
END_TEST

#define TOPIC_TEXT                                                             \
	"0707070707070707070707070707070707070707070707070707070707070707"

static const struct {
	const char *line;
	bool valid, daemon;
	uid_t uid;
	const char *name;
} lines[] = {
    {TOPIC_TEXT, true, true, 0, ""},
    {TOPIC_TEXT " daemon web", true, true, 0, "web"},
    {TOPIC_TEXT " 1000 default", false, false, 0, ""},
    {TOPIC_TEXT " 4294967295", true, false, 4294967295, ""},
    {TOPIC_TEXT " 4294967296", false, false, 0, ""},
    {TOPIC_TEXT " -1", false, false, 0, ""},
    {TOPIC_TEXT " 1000 ", false, false, 0, ""},
    {TOPIC_TEXT " 1000 gone", false, false, 0, ""},
    {TOPIC_TEXT " 1000 ../key", false, false, 0, ""},
    {TOPIC_TEXT " 1000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false,
	false, 0, ""},
    {TOPIC_TEXT "1000", false, false, 0, ""},
    {TOPIC_TEXT " daemonx", false, false, 0, ""},
    {"07", false, false, 0, ""},
    {"", false, false, 0, ""},
};

/* Lines of the file with owners and names, right and wrong. */
START_TEST(announcement_line)
{
	struct keyring_owner daemon = {.daemon = true};
	struct stored_announcements a;
	struct keyring keyring;
	struct fault f;
	uint8_t key[KEY_LEN];
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	char text[256];
	int len = snprintf(text, sizeof text, "%s\n", lines[_i].line);

	keyring_init(&keyring, &state);
	ck_assert_int_eq(keyring_make(&keyring, &daemon, "web", key, &f), 0);
	ck_assert_int_eq(
	    state_write(&state, "announcements", text, (size_t)len), 0);
	stored_announcements_load(&a, &state, &keyring, 10);
	ck_assert_uint_eq(a.len, lines[_i].valid);
	if (a.len > 0) {
		ck_assert(a.list[0].owner.daemon == lines[_i].daemon);
		ck_assert_uint_eq(a.list[0].owner.uid, lines[_i].uid);
		ck_assert_str_eq(a.list[0].name, lines[_i].name);
		ck_assert(
		    (a.list[0].keys != NULL) == (*lines[_i].name != '\0'));
	}
	/* Reading the list makes no key, the default one included. */
	ck_assert_uint_eq(
	    keyring_list(&keyring, &(struct keyring_owner){.uid = 1000}, names),
	    0);
	stored_announcements_fini(&a);
	keyring_fini(&keyring);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("state", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, directory_is_made_private_and_locked);
	tcase_add_test(tc, unusable_directory_holds_nothing);
	tcase_add_test(tc, full_disk_keeps_the_old_file);
	tcase_add_test(tc, kill_leaves_whole_files);
	tcase_add_test(tc, key_is_made_once);
	tcase_add_test(tc, new_key_keeps_the_old);
	tcase_add_loop_test(tc, key_file, 0, T_ROWS(key_files));
	tcase_add_test(tc, nodes_are_read_tolerantly);
	tcase_add_test(tc, announcements_survive);
	tcase_add_loop_test(tc, announcement_line, 0, T_ROWS(lines));
	return s;
}
