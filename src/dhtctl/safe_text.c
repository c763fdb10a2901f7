/* SPDX-License-Identifier: ISC */
#include "dhtctl/safe_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CODE_TEXT_MAX = 12 };

/* Decodes one character of at most len bytes. Returns its length, or 0 if the
 * bytes are not UTF-8. */
static size_t
decode_char(const uint8_t *p, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 || n > len)
		return 0;
	*code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

/* Returns whether a terminal acts on the character, or shows others elsewhere
 * than where they are. */
static bool
is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
	    {0x00, 0x08}, {0x0a, 0x1f}, {0x7f, 0x9f},
	    {0xad, 0xad},     /* soft hyphen */
	    {0x61c, 0x61c},   /* Arabic letter mark */
	    {0x180e, 0x180e}, /* Mongolian vowel separator */
	    {0x200b, 0x200f}, /* zero width, marks of direction */
	    {0x2028, 0x202e}, /* separators, embeddings, overrides */
	    {0x2060, 0x206f}, /* invisible operators, isolates */
	    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}, /* tags */
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

size_t
safe_text(char *out, const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	char *start = out;
	uint32_t code;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = decode_char(p + i, len - i, &code);
		if (n == 0) {
			out +=
			    snprintf(out, SAFE_TEXT_FACTOR + 1, "<%02X>", p[i]);
			n = 1;
		} else if (is_unsafe(code)) {
			out += snprintf(
			    out, CODE_TEXT_MAX, "<U+%02X>", (unsigned)code);
		} else {
			memcpy(out, p + i, n);
			out += n;
		}
	}
	*out = '\0';
	return (size_t)(out - start);
}
