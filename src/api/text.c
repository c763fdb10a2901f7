/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "base/err.h"
#include "base/wire.h"

/* Zooko's z-base-32: characters that are easier to read are more frequent. */
static const char z32_digits[] = "ybndrfg8ejkmcpqxot1uwisza345h769";

const char *
text_z32(char out[TEXT_Z32_MAX], const uint8_t key[TEXT_KEY_LEN])
{
	uint32_t bits = 0;
	unsigned held = 0, at = 0;

	for (unsigned i = 0; i < TEXT_KEY_LEN; i++) {
		bits = bits << 8 | key[i];
		for (held += 8; held >= 5; held -= 5)
			out[at++] = z32_digits[bits >> (held - 5) & 31];
	}
	/* One bit is left of 256; four zero bits pad it. */
	out[at++] = z32_digits[bits << (5 - held) & 31];
	out[at] = '\0';
	return out;
}

/* RFC 4648, in lower case. */
#define B32_PADDING "===="
static const char b32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";

/* Decodes z-base-32 of any length up to cap bytes and sets *len. */
static int
decode_z32(uint8_t *out, size_t cap, size_t *len, const char *text)
{
	uint32_t bits = 0;
	unsigned held = 0;

	*len = 0;
	for (; *text != '\0'; text++) {
		const char *digit = strchr(z32_digits, *text);

		if (digit == NULL)
			return ERR_MALFORMED;
		bits = bits << 5 | (uint32_t)(digit - z32_digits);
		held += 5;
		if (held < 8)
			continue;
		if (*len == cap)
			return ERR_MALFORMED;
		held -= 8;
		out[(*len)++] = (uint8_t)(bits >> held);
	}
	/* Each key has one text form: non-zero padding is a typing error. */
	if (held >= 5 || (bits & ((1u << held) - 1)) != 0)
		return ERR_MALFORMED;
	return 0;
}

const char *
text_hex(char out[TEXT_HEX_MAX], const uint8_t key[TEXT_KEY_LEN])
{
	return sodium_bin2hex(out, TEXT_HEX_MAX, key, TEXT_KEY_LEN);
}

static int
decode_hex(uint8_t *out, size_t cap, size_t *len, const char *text)
{
	const char *end;

	if (sodium_hex2bin(out, cap, text, strlen(text), NULL, len, &end) !=
		0 ||
	    *end != '\0')
		return ERR_MALFORMED;
	return 0;
}

/*
 * Decodes base32 of RFC 4648 in upper or lower case. The last of 52 characters
 * has four bits of padding: it is y or o in z-base-32, a or q here, so that no
 * text is valid in both.
 */
static int
decode_b32(uint8_t *out, size_t cap, size_t *len, const char *text)
{
	char z32[TEXT_Z32_MAX];

	for (unsigned i = 0; i < TEXT_Z32_LEN; i++) {
		char c = text[i];
		const char *digit;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		digit = strchr(b32_digits, c);
		if (c == '\0' || digit == NULL)
			return ERR_MALFORMED;
		z32[i] = z32_digits[digit - b32_digits];
	}
	z32[TEXT_Z32_LEN] = '\0';
	return decode_z32(out, cap, len, z32);
}

int
text_key_parse(uint8_t key[TEXT_KEY_LEN], const char *text)
{
	uint8_t buf[TEXT_KEY_LEN];
	size_t len = 0;
	int err = ERR_MALFORMED;

	if (strlen(text) == TEXT_Z32_LEN) {
		err = decode_z32(buf, sizeof buf, &len, text);
		if (err != 0)
			err = decode_b32(buf, sizeof buf, &len, text);
	} else if (strlen(text) == TEXT_Z32_LEN + sizeof B32_PADDING - 1 &&
		   strcmp(text + TEXT_Z32_LEN, B32_PADDING) == 0)
		err = decode_b32(buf, sizeof buf, &len, text);
	else if (strlen(text) == TEXT_HEX_LEN)
		err = decode_hex(buf, sizeof buf, &len, text);
	if (err == 0)
		memcpy(key, buf, sizeof buf);
	return err;
}

/* The encodings of keys: names and digits. */
struct key_encoding {
	const char *name, *digits;
};

/* Returns the encoding that a text seems to have. Only base32 has capitals. */
static struct key_encoding
guess_encoding(const char *text)
{
	static const struct key_encoding hex = {"hex",
					     "0123456789abcdefABCDEF"},
					 z32 = {"z-base-32", z32_digits},
					 b32 = {"base32",
					     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "abcdefghijklmnopqrstuvwxyz"
					     "234567"};

	if (strlen(text) == TEXT_HEX_LEN)
		return hex;
	return strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL ? b32 : z32;
}

const char *
text_key_problem(char out[TEXT_PROBLEM_MAX], const char *text)
{
	size_t len = strlen(text);
	struct key_encoding e = guess_encoding(text);
	size_t good = strspn(text, e.digits);

	if (strstr(text, "://") != NULL)
		snprintf(out, TEXT_PROBLEM_MAX,
		    ": leave out its prefix, such as hs://");
	else if (len != TEXT_Z32_LEN && len != TEXT_HEX_LEN)
		snprintf(out, TEXT_PROBLEM_MAX, ": it has %zu character%s", len,
		    len == 1 ? "" : "s");
	else if (text[good] > ' ' && text[good] < 0x7f)
		snprintf(out, TEXT_PROBLEM_MAX,
		    ": its character %zu, '%c', is not one of %s", good + 1,
		    text[good], e.name);
	else if (good < len)
		snprintf(out, TEXT_PROBLEM_MAX,
		    ": its character %zu is not one of %s", good + 1, e.name);
	else
		snprintf(out, TEXT_PROBLEM_MAX,
		    ": its last character cannot end a key");
	return out;
}

int
text_address_parse(struct text_address *a, const char *text)
{
	enum { FLAG_NODES = 1 };
	uint8_t buf[512];
	size_t len, n;
	struct rd r;
	const uint8_t *key;

	*a = (struct text_address){.nodes_len = 0};
	/* A z-base-32 text of hex digits alone is practically impossible. */
	if (decode_hex(buf, sizeof buf, &len, text) != 0 &&
	    decode_z32(buf, sizeof buf, &len, text) != 0)
		return ERR_MALFORMED;
	r = rd_init(buf, len);
	key = rd_take(&r, TEXT_KEY_LEN);
	if (key == NULL)
		return ERR_MALFORMED;
	memcpy(a->key, key, TEXT_KEY_LEN);
	if (rd_left(&r) == 0 || !(rd_uint(&r) & FLAG_NODES))
		return rd_ok(&r) ? 0 : ERR_MALFORMED;
	n = rd_count(&r, ADDR_WIRE4_LEN);
	for (; n > 0 && a->nodes_len < TEXT_NODES_MAX; n--)
		a->nodes[a->nodes_len++] = rd_addr4(&r);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

int
text_topic_parse(uint8_t topic[TEXT_KEY_LEN], const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return ERR_MALFORMED;
	if (len == TEXT_HEX_LEN && text_key_parse(topic, text) == 0)
		return 0;
	crypto_generichash(
	    topic, TEXT_KEY_LEN, (const uint8_t *)text, len, NULL, 0);
	return 0;
}

char *
text_b64(const void *p, size_t len)
{
	size_t cap =
	    sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	char *out = malloc(cap);

	if (out == NULL)
		return NULL;
	return sodium_bin2base64(
	    out, cap, p, len, sodium_base64_VARIANT_ORIGINAL);
}

/* Returns the decoded length of a valid base64 text. */
static size_t
decoded_len(const char *text, size_t text_len)
{
	size_t len = text_len / 4 * 3;

	for (size_t i = 0; i < 2 && len > 0 && text[text_len - 1 - i] == '=';
	     i++)
		len--;
	return len;
}

int
text_b64_parse(uint8_t *out, size_t cap, size_t *len, const char *text)
{
	size_t text_len = strlen(text);

	/* libsodium does not distinguish a text that is too long. */
	if (decoded_len(text, text_len) > cap)
		return ERR_SIZE;
	/* Without an end pointer, bytes after the padding are an error. */
	if (sodium_base642bin(out, cap, text, text_len, NULL, len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_MALFORMED;
	return 0;
}
