/* SPDX-License-Identifier: ISC */
/*
 * Checks the addresses of tunnels: which texts are read, that no text of a
 * user leads elsewhere than it says, and that sockets listen and connect.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "t.h"
#include "tunnel/tunnel_address.h"

START_TEST(reads_every_form)
{
	static const struct {
		const char *text, *canonical;
	} good[] = {
	    {"22", "127.0.0.1:22"},
	    {"0", "127.0.0.1:0"},
	    {"65535", "127.0.0.1:65535"},
	    {"localhost:80", "127.0.0.1:80"},
	    {"192.0.2.1:8080", "192.0.2.1:8080"},
	    {"[::1]:5432", "[::1]:5432"},
	    {"/run/a b.sock", "/run/a b.sock"},
	};
	struct tunnel_address a, again;
	struct fault f;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(tunnel_address_parse(&a, good[i].text, &f) == 0,
		    "%s: %s", good[i].text, f.text);
		ck_assert_str_eq(a.text, good[i].canonical);
		/* What is stored, with the port of a socket, is read as the
		 * same. */
		if (a.addr.family != ADDR_NONE && a.addr.port == 0)
			continue;
		ck_assert_int_eq(tunnel_address_parse(&again, a.text, &f), 0);
		ck_assert_mem_eq(&again, &a, sizeof a);
	}
}
END_TEST

START_TEST(refuses_all_else)
{
	static const char *const bad[] = {"", "65536", "-1", "+1", " 22", "22 ",
	    "127.0.0.1", "127.0.0.1:", "::1", "[::1]", "[::1]:", "a.example:80",
	    "localhost", "localhost:", "localhost:65536", "run/a.sock",
	    "1.2.3.4:80\n", "/run/a\nb"};
	char path[TUNNEL_ADDRESS_MAX + 1];
	struct tunnel_address a;
	struct fault f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		f.err = 0;
		ck_assert_msg(tunnel_address_parse(&a, bad[i], &f) == ERR_VALUE,
		    "%s", bad[i]);
		ck_assert_int_eq(f.err, ERR_VALUE);
	}
	memset(path, 'a', sizeof path - 1);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(tunnel_address_parse(&a, path, &f), ERR_VALUE);
	path[sizeof path - 2] = '\0';
	ck_assert_int_eq(tunnel_address_parse(&a, path, &f), 0);
}
END_TEST

START_TEST(targets_are_single_hosts)
{
	static const char *const bad[] = {"0", "0.0.0.0:80", "224.0.0.1:80",
	    "255.255.255.255:80", "[::]:80", "[ff02::1]:80"};
	struct tunnel_address a;
	struct fault f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(tunnel_address_parse(&a, bad[i], &f), 0);
		ck_assert_int_eq(
		    tunnel_address_check_target(&a, &f), ERR_VALUE);
	}
	ck_assert_int_eq(tunnel_address_parse(&a, "/run/a.sock", &f), 0);
	ck_assert_int_eq(tunnel_address_check_target(&a, &f), 0);
}
END_TEST

/* Listens, connects and accepts at the address. */
static void
check_pair(struct tunnel_address *a, int *listening)
{
	struct fault f;
	int to;

	*listening = tunnel_address_listen(a, &f);
	ck_assert_msg(*listening >= 0, "%s", f.text);
	ck_assert(a->addr.family == ADDR_NONE || a->addr.port != 0);
	to = tunnel_address_connect(a);
	ck_assert_int_ge(to, 0);
	close(to);
}

START_TEST(listens_at_a_free_port)
{
	struct tunnel_address a, same;
	struct fault f;
	int listening;

	ck_assert_int_eq(tunnel_address_parse(&a, "0", &f), 0);
	check_pair(&a, &listening);
	same = a;
	ck_assert_int_eq(tunnel_address_listen(&same, &f), ERR_ADDRESS_USED);
	close(listening);
}
END_TEST

START_TEST(replaces_a_socket_without_a_server)
{
	char dir[] = "/tmp/tunnel-XXXXXX", path[64];
	struct tunnel_address a;
	struct fault f;
	int first, second;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/socket", dir);
	ck_assert_int_eq(tunnel_address_parse(&a, path, &f), 0);
	check_pair(&a, &first);
	ck_assert_int_eq(tunnel_address_listen(&a, &f), ERR_ADDRESS_USED);
	close(first);
	check_pair(&a, &second);
	close(second);
	tunnel_address_remove(&a);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("tunnel_address", &tc);

	tcase_add_test(tc, reads_every_form);
	tcase_add_test(tc, refuses_all_else);
	tcase_add_test(tc, targets_are_single_hosts);
	tcase_add_test(tc, listens_at_a_free_port);
	tcase_add_test(tc, replaces_a_socket_without_a_server);
	return s;
}
