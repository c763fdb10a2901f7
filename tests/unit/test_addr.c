/* SPDX-License-Identifier: ISC */
/*
 * Checks that addresses are parsed, formatted, classified (RFC 6890) and keyed.
 * Each row is a text.
 */
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "t.h"

static struct addr
parsed(const char *text)
{
	struct addr a;

	if (addr_parse(&a, text, 1) != 0)
		ck_abort_msg("not an address: %s", text);
	return a;
}

static const struct {
	const char *text, *out; /* out NULL: refused */
} texts[] = {
    {"192.0.2.1:49737", "192.0.2.1:49737"},
    {"192.0.2.1", "192.0.2.1:7"},
    {"0.0.0.0:1", "0.0.0.0:1"},
    {"255.255.255.255:65535", "255.255.255.255:65535"},
    {"[2001:db8::1]:49737", "[2001:db8::1]:49737"},
    {"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]:7"},
    {"[::]:1", "[::]:1"},
    {"[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	"[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"", NULL},
    {":1", NULL},
    {"192.0.2.1:", NULL},
    {"192.0.2.1:0", NULL},
    {"192.0.2.1:65536", NULL},
    {"192.0.2.1:4294967297", NULL},
    {"192.0.2.1:18446744073709551617", NULL},
    {"192.0.2.1:-1", NULL},
    {"192.0.2.1:+1", NULL},
    {"192.0.2.1: 1", NULL},
    {"192.0.2.1:1x", NULL},
    {"192.0.2.1:1:2", NULL},
    {"192.0.2.256:1", NULL},
    {"192.0.2:1", NULL},
    {"192.0.2.1.1:1", NULL},
    {" 192.0.2.1:1", NULL},
    {"example.org:1", NULL},
    {"[192.0.2.1]:1", NULL},
    {"[2001:db8::1", NULL},
    {"[2001:db8::1]x", NULL},
    {"[2001:db8::1]:", NULL},
    {"[2001:db8::1]1", NULL},
    {"[fe80::1%lo]:1", NULL},
    {"[]:1", NULL},
    {"2001:db8::1", NULL},
    {"1111111111111111111111111111111111111111111111111111111111111111:1",
	NULL},
};

START_TEST(parses)
{
	struct addr a;
	char buf[ADDR_TEXT_MAX];
	int err = addr_parse(&a, texts[_i].text, 7);

	if (texts[_i].out == NULL) {
		ck_assert_msg(
		    err == ERR_MALFORMED, "taken: %s", texts[_i].text);
		return;
	}
	ck_assert_msg(err == 0, "refused: %s", texts[_i].text);
	ck_assert_str_eq(addr_format(&a, buf), texts[_i].out);
}
END_TEST

START_TEST(formats_host)
{
	struct addr a = parsed("192.0.2.1:5"), b = parsed("[2001:db8::1]:5");
	char buf[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_format_host(&a, buf), "192.0.2.1");
	ck_assert_str_eq(addr_format_host(&b, buf), "2001:db8::1");
}
END_TEST

static const struct {
	const char *text;
	enum addr_scope scope;
} scopes[] = {
    {"1.0.0.0", ADDR_PUBLIC},
    {"9.255.255.255", ADDR_PUBLIC},
    {"10.0.0.0", ADDR_PRIVATE},
    {"10.255.255.255", ADDR_PRIVATE},
    {"11.0.0.0", ADDR_PUBLIC},
    {"100.63.255.255", ADDR_PUBLIC},
    {"100.64.0.0", ADDR_PRIVATE},
    {"100.127.255.255", ADDR_PRIVATE},
    {"100.128.0.0", ADDR_PUBLIC},
    {"126.255.255.255", ADDR_PUBLIC},
    {"127.0.0.1", ADDR_LOOPBACK},
    {"127.255.255.255", ADDR_LOOPBACK},
    {"128.0.0.0", ADDR_PUBLIC},
    {"169.253.255.255", ADDR_PUBLIC},
    {"169.254.0.0", ADDR_LINK},
    {"169.255.0.0", ADDR_PUBLIC},
    {"172.15.255.255", ADDR_PUBLIC},
    {"172.16.0.0", ADDR_PRIVATE},
    {"172.31.255.255", ADDR_PRIVATE},
    {"172.32.0.0", ADDR_PUBLIC},
    {"192.167.255.255", ADDR_PUBLIC},
    {"192.168.0.0", ADDR_PRIVATE},
    {"192.169.0.0", ADDR_PUBLIC},
    {"203.0.113.10", ADDR_PUBLIC},
    {"0.0.0.0", ADDR_UNUSABLE},
    {"0.1.2.3", ADDR_UNUSABLE},
    {"223.255.255.255", ADDR_PUBLIC},
    {"224.0.0.0", ADDR_UNUSABLE},
    {"240.0.0.1", ADDR_UNUSABLE},
    {"255.255.255.255", ADDR_UNUSABLE},
    {"[::]", ADDR_UNUSABLE},
    {"[::1]", ADDR_LOOPBACK},
    {"[2001:db8::1]", ADDR_PUBLIC},
    {"[fbff::1]", ADDR_PUBLIC},
    {"[fc00::1]", ADDR_PRIVATE},
    {"[fdff::1]", ADDR_PRIVATE},
    {"[fe7f::1]", ADDR_PUBLIC},
    {"[fe80::1]", ADDR_LINK},
    {"[febf::1]", ADDR_LINK},
    {"[ff02::1]", ADDR_UNUSABLE},
};

START_TEST(has_scope)
{
	struct addr a = parsed(scopes[_i].text);

	ck_assert_int_eq(addr_scope(&a), scopes[_i].scope);
	ck_assert_int_eq(addr_usable(&a), scopes[_i].scope != ADDR_UNUSABLE);
	a.port = 0;
	ck_assert(!addr_usable(&a));
}
END_TEST

START_TEST(nothing_is_unusable)
{
	struct addr none = {.port = 1};

	ck_assert_int_eq(addr_scope(&none), ADDR_UNUSABLE);
	ck_assert(!addr_usable(&none));
}
END_TEST

/* The limits of ranges in the reference. */
START_TEST(class_row)
{
	const json_t *v = t_kind("holepunch.json", "address_class", _i);
	const json_t *out = t_get(v, "out");
	struct addr a = parsed(t_string(t_get(v, "in"), "ip"));
	enum addr_scope scope = addr_scope(&a);

	a.port = 1;
	ck_assert_int_eq(addr_reserved(&a), t_bool(out, "reserved"));
	ck_assert_int_eq(addr_global(&a), !t_bool(out, "bogon"));
	ck_assert_int_eq(
	    scope != ADDR_PUBLIC && !addr_reserved(&a), t_bool(out, "private"));
}
END_TEST

static const struct {
	const char *a, *b;
	bool equal, host, prefix;
} kin[] = {
    {"192.0.2.1:1", "192.0.2.1:1", true, true, true},
    {"192.0.2.1:1", "192.0.2.1:2", false, true, true},
    {"192.0.2.1:1", "192.0.2.2:1", false, false, true},
    {"192.0.2.1:1", "192.0.3.1:1", false, false, false},
    {"192.0.2.1:1", "192.1.2.1:1", false, false, false},
    {"192.0.2.1:1", "193.0.2.1:1", false, false, false},
    {"[2001:db8::1]:1", "[2001:db8::1]:1", true, true, true},
    {"[2001:db8::1]:1", "[2001:db8::1]:2", false, true, true},
    {"[2001:db8::1]:1", "[2001:db8:0:ff::1]:1", false, false, true},
    {"[2001:db8::1]:1", "[2001:db8:0:100::1]:1", false, false, false},
    /* The same four bytes in another family. */
    {"1.2.3.4:1", "[102:304::]:1", false, false, false},
    {"0.0.0.0:1", "[::]:1", false, false, false},
};

START_TEST(are_kin)
{
	struct addr a = parsed(kin[_i].a), b = parsed(kin[_i].b);

	ck_assert_int_eq(addr_equal(&a, &b), kin[_i].equal);
	ck_assert_int_eq(addr_same_host(&a, &b), kin[_i].host);
	ck_assert_int_eq(addr_same_prefix(&a, &b), kin[_i].prefix);
	ck_assert_int_eq(
	    addr_prefix_key(&a) == addr_prefix_key(&b), kin[_i].prefix);
	ck_assert_int_eq(addr_host_key(&a) == addr_host_key(&b), kin[_i].host);
}
END_TEST

START_TEST(host_of_v6_is_its_64)
{
	struct addr a = parsed("[2001:db8:1:2::1]");
	struct addr b = parsed("[2001:db8:1:2:ffff::2]");
	struct addr c = parsed("[2001:db8:1:3::1]");

	ck_assert_uint_eq(addr_host_key(&a), addr_host_key(&b));
	ck_assert_uint_ne(addr_host_key(&a), addr_host_key(&c));
	ck_assert(!addr_same_host(&a, &b));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("addr", &tc);

	tcase_add_loop_test(tc, parses, 0, T_ROWS(texts));
	tcase_add_test(tc, formats_host);
	tcase_add_loop_test(tc, has_scope, 0, T_ROWS(scopes));
	tcase_add_test(tc, nothing_is_unusable);
	tcase_add_loop_test(
	    tc, class_row, 0, t_kinds("holepunch.json", "address_class"));
	tcase_add_loop_test(tc, are_kin, 0, T_ROWS(kin));
	tcase_add_test(tc, host_of_v6_is_its_64);
	return s;
}
