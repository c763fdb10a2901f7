/* SPDX-License-Identifier: ISC */
/*
 * Goal: an entry of the bootstrap list is read as the reference reads it, and
 * refused where the reference reads nonsense. Method: the golden vectors, then
 * rows of our own.
 */
#include <string.h>

#include "base/err.h"
#include "dht/bootstrap.h"
#include "t.h"

static struct bootstrap_entry
parsed(const char *text)
{
	struct bootstrap_entry e;

	if (bootstrap_parse(&e, text) != 0)
		ck_abort_msg("refused: %s", text);
	return e;
}

/* "ip@name", "ip" or "name", as the vectors have it. */
static void
assert_host(const struct bootstrap_entry *e, const char *host)
{
	const char *at = strchr(host, '@');
	char ip[ADDR_TEXT_MAX] = "";
	struct addr a;

	if (e->addr.family != ADDR_NONE)
		addr_format_host(&e->addr, ip);
	if (at != NULL) {
		ck_assert_int_eq(strncmp(ip, host, (size_t)(at - host)), 0);
		ck_assert_uint_eq(strlen(ip), (size_t)(at - host));
		ck_assert_str_eq(e->name, at + 1);
	} else if (addr_parse(&a, host, 0) == 0) {
		ck_assert_str_eq(ip, host);
		ck_assert_str_eq(e->name, "");
	} else {
		ck_assert_int_eq(e->addr.family, ADDR_NONE);
		ck_assert_str_eq(e->name, host);
	}
}

START_TEST(reads_the_vectors)
{
	const json_t *row = t_row("rpc.json", "bootstrap_parse", _i);
	const json_t *input = t_get(row, "input");
	struct bootstrap_entry e = {.port = 7};
	bool ok = t_bool(row, "ok");
	char text[300];

	/* The configuration is text; pairs of host and port it has not. */
	if (json_is_object(input))
		snprintf(text, sizeof text, "%s:%d", t_string(input, "host"),
		    (int)t_uint(input, "port"));
	else if (json_is_integer(input))
		snprintf(
		    text, sizeof text, "%d", (int)json_integer_value(input));
	else
		snprintf(text, sizeof text, "%s", json_string_value(input));
	/* QUIRK: the reference takes "a:b:c" for port NaN. */
	if (ok && !json_is_integer(t_get(row, "port")))
		ok = false;
	ck_assert_int_eq(bootstrap_parse(&e, text), ok ? 0 : ERR_MALFORMED);
	if (!ok) {
		ck_assert_uint_eq(e.port, 7); /* untouched */
		return;
	}
	ck_assert_uint_eq(e.port, t_uint(row, "port"));
	if (e.addr.family != ADDR_NONE)
		ck_assert_uint_eq(e.addr.port, e.port);
	assert_host(&e, t_string(row, "host"));
}
END_TEST

static const char *const refused[] = {
    "",
    ":",
    ":1",
    "host:",
    "host:0",
    "host:65536",
    "host:99999999999999999999",
    "host:-1",
    "host:+1",
    "host: 1",
    "host:1 ",
    "host:1x",
    "0",
    "65536",
    "1.5",
    "a b:1",
    "@name:1",
    "name@1.2.3.4:1",
    "1.2.3.4@:1",
    "1.2.3@name:1",
    "1.2.3.4@a@b:1",
    "-name:1",
    ".name:1",
    "[::1]:1",
    "2001:db8::1:1",
    "name/x:1",
};

START_TEST(refuses)
{
	struct bootstrap_entry e;

	if (bootstrap_parse(&e, refused[_i]) != ERR_MALFORMED)
		ck_abort_msg("taken: \"%s\"", refused[_i]);
}
END_TEST

START_TEST(bounds_the_name)
{
	char text[BOOTSTRAP_NAME_MAX + 8];
	struct bootstrap_entry e;

	memset(text, 'a', sizeof text);
	memcpy(text + BOOTSTRAP_NAME_MAX - 1, ":1", 3);
	e = parsed(text);
	ck_assert_uint_eq(strlen(e.name), BOOTSTRAP_NAME_MAX - 1);

	memset(text, 'a', sizeof text);
	memcpy(text + BOOTSTRAP_NAME_MAX, ":1", 3);
	ck_assert_int_eq(bootstrap_parse(&e, text), ERR_MALFORMED);
}
END_TEST

START_TEST(knows_the_public_list)
{
	for (unsigned i = 0; i < 3; i++) {
		struct bootstrap_entry e = parsed(bootstrap_public[i]);

		ck_assert_int_eq(addr_scope(&e.addr), ADDR_PUBLIC);
		ck_assert_str_ne(e.name, "");
		ck_assert_uint_eq(e.port, 49737);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("bootstrap", &tc);

	tcase_add_loop_test(
	    tc, reads_the_vectors, 0, t_rows("rpc.json", "bootstrap_parse"));
	tcase_add_loop_test(tc, refuses, 0, T_ROWS(refused));
	tcase_add_test(tc, bounds_the_name);
	tcase_add_test(tc, knows_the_public_list);
	return s;
}
