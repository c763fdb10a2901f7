/* SPDX-License-Identifier: ISC */
/*
 * Checks the file of tunnels: what is stored is read as the same, and a line
 * that is damaged in any way gives no tunnel, and in particular none that more
 * keys may use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "t.h"
#include "tunnel/tunnel_file.h"
#include "tunnel/tunnels.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { FOUND_MAX = 8 };

static struct {
	char dir[64];
	struct state state;
	struct keyring keyring;
	struct tunnels tunnels;
	struct tunnel_spec found[FOUND_MAX];
	unsigned found_len;
} rig;

static void
setup(void)
{
	snprintf(rig.dir, sizeof rig.dir, "/tmp/test_tunnel_file.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.dir));
	ck_assert_int_eq(state_open(&rig.state, rig.dir), 0);
	keyring_init(&rig.keyring, &rig.state);
	rig.tunnels.keyring = &rig.keyring;
	TAILQ_INIT(&rig.tunnels.list);
	rig.found_len = 0;
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
	ck_assert_int_eq(state_list(&rig.state, "", remove_file, NULL), 0);
	state_close(&rig.state);
	ck_assert_int_eq(rmdir(rig.dir), 0);
}

static void
on_found(void *owner, const struct tunnel_spec *spec)
{
	ck_assert_ptr_eq(owner, &rig);
	ck_assert_uint_lt(rig.found_len, FOUND_MAX);
	rig.found[rig.found_len++] = *spec;
}

static void
load_text(const char *text)
{
	rig.found_len = 0;
	ck_assert_int_eq(
	    state_write(&rig.state, "tunnels", text, strlen(text)), 0);
	ck_assert_int_eq(tunnel_file_load(&rig.state, on_found, &rig), 0);
}

START_TEST(stored_tunnels_are_read_as_the_same)
{
	static const char *const targets[] = {"22", "[::1]:5432", "/run/a b"};
	struct tunnel list[3] = {{.spec.kind = TUNNEL_EXPOSED,
				     .spec.name = "ssh",
				     .spec.allow = {{1}, {2, 3}},
				     .spec.allow_len = 2},
	    {.spec.kind = TUNNEL_EXPOSED, .spec.name = "db"},
	    /* The name of a key may be this. */
	    {.spec.kind = TUNNEL_FORWARDED,
		.spec.name = "-",
		.spec.peer = {7}}};
	struct fault f;

	for (int i = 0; i < 3; i++) {
		list[i].number = (uint32_t)i + 1;
		ck_assert_int_eq(
		    tunnel_address_parse(&list[i].spec.address, targets[i], &f),
		    0);
		TAILQ_INSERT_TAIL(&rig.tunnels.list, &list[i], link);
	}
	ck_assert_int_eq(tunnel_file_save(&rig.tunnels, &f), 0);
	ck_assert_int_eq(tunnel_file_load(&rig.state, on_found, &rig), 0);
	ck_assert_uint_eq(rig.found_len, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_mem_eq(
		    &rig.found[i], &list[i].spec, sizeof list[i].spec);
	/* One that is being removed is not stored. */
	list[1].ending = true;
	ck_assert_int_eq(tunnel_file_save(&rig.tunnels, &f), 0);
	rig.found_len = 0;
	ck_assert_int_eq(tunnel_file_load(&rig.state, on_found, &rig), 0);
	ck_assert_uint_eq(rig.found_len, 2);
}
END_TEST

START_TEST(good_lines_stay_beside_bad_ones)
{
	load_text("rubbish\nexpose web public 127.0.0.1:80\n\nforward * " KEY
		  " 127.0.0.1:81\nexpose cut pub");
	ck_assert_uint_eq(rig.found_len, 2);
	ck_assert_str_eq(rig.found[0].name, "web");
	ck_assert_uint_eq(rig.found[0].allow_len, 0);
	ck_assert_int_eq(rig.found[1].kind, TUNNEL_FORWARDED);
	ck_assert_str_eq(rig.found[1].name, "");
}
END_TEST

static const char *const bad_lines[] = {
    "expose web 127.0.0.1:80\n",
    "expose web  127.0.0.1:80\n",
    "expose * public 127.0.0.1:80\n",
    "expose web Public 127.0.0.1:80\n",
    "expose web " KEY ", 127.0.0.1:80\n",
    "expose web ," KEY " 127.0.0.1:80\n",
    "expose web " KEY "0 127.0.0.1:80\n",
    "expose web public 0.0.0.0:80\n",
    "expose web public 80 \n",
    "expose aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa public 127.0.0.1:80\n",
    "forward * public 127.0.0.1:80\n",
    "forward * " KEY "," KEY " 127.0.0.1:80\n",
    "forward " KEY " 127.0.0.1:80\n",
    "Forward * " KEY " 127.0.0.1:80\n",
    "expose web public 127.0.0.1:80",
};

START_TEST(bad_line_gives_no_tunnel)
{
	load_text(bad_lines[_i]);
	ck_assert_uint_eq(rig.found_len, 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("tunnel_file", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, stored_tunnels_are_read_as_the_same);
	tcase_add_test(tc, good_lines_stay_beside_bad_ones);
	tcase_add_loop_test(tc, bad_line_gives_no_tunnel, 0, T_ROWS(bad_lines));
	return s;
}
