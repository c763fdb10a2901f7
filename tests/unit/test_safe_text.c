/* SPDX-License-Identifier: ISC */
/*
 * Goal: text of strangers cannot make a terminal act, nor show other text than
 * it is. Method: a table of texts and what becomes of them; every byte and pair
 * of bytes, whose result is printable.
 */
#include <string.h>

#include "dhtctl/safe_text.h"
#include "t.h"

static const struct {
	const char *in, *out;
} rows[] = {
    {"", ""},
    {"plain\ttext", "plain\ttext"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
	"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\x1b[31mred\r\n", "<U+1B>[31mred<U+0D><U+0A>"},
    {"\x7f\xc2\x9b", "<U+7F><U+9B>"},
    {"a\xe2\x80\xae z", "a<U+202E> z"},
    {"\xe2\x81\xa6\xef\xbb\xbf", "<U+2066><U+FEFF>"},
    {"\xff\xc0\xaf\xed\xa0\x80", "<FF><C0><AF><ED><A0><80>"},
    {"\xe2\x82", "<E2><82>"},
    {"\xf4\x90\x80\x80", "<F4><90><80><80>"},
};

START_TEST(text)
{
	size_t len = strlen(rows[_i].in);
	char *exact = (char *)t_copy(rows[_i].in, len);
	char out[256];

	ck_assert_uint_eq(safe_text(out, exact, len), strlen(rows[_i].out));
	ck_assert_str_eq(out, rows[_i].out);
	free(exact);
}
END_TEST

START_TEST(bytes)
{
	char out[2 * SAFE_TEXT_FACTOR + 1];

	for (unsigned i = 0; i < 1 << 16; i++) {
		const char in[2] = {(char)(i >> 8), (char)i};
		size_t len = safe_text(out, in, sizeof in);

		ck_assert_uint_lt(len, sizeof out);
		for (size_t k = 0; k < len; k++)
			ck_assert((uint8_t)out[k] >= 0x20 || out[k] == '\t');
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("safe_text", &tc);

	tcase_add_loop_test(tc, text, 0, T_ROWS(rows));
	tcase_add_test(tc, bytes);
	return s;
}
