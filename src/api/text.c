/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "base/err.h"

/* Ordered so that easier characters come more often (Zooko, z-base-32). */
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
	/* 256 bits leave one, padded with four of zero. */
	out[at++] = z32_digits[bits << (5 - held) & 31];
	out[at] = '\0';
	return out;
}

static int
z32_parse(uint8_t key[TEXT_KEY_LEN], const char *text)
{
	uint8_t buf[TEXT_KEY_LEN];
	uint32_t bits = 0;
	unsigned held = 0, at = 0;

	for (unsigned i = 0; i < TEXT_Z32_LEN; i++) {
		const char *digit = strchr(z32_digits, text[i]);

		if (digit == NULL)
			return ERR_MALFORMED;
		bits = bits << 5 | (uint32_t)(digit - z32_digits);
		held += 5;
		if (held >= 8) {
			held -= 8;
			buf[at++] = (uint8_t)(bits >> held);
		}
	}
	/* One key has one text: padding that is not zero is a typing error. */
	if ((bits & ((1u << held) - 1)) != 0)
		return ERR_MALFORMED;
	memcpy(key, buf, sizeof buf);
	return 0;
}

const char *
text_hex(char out[TEXT_HEX_MAX], const uint8_t key[TEXT_KEY_LEN])
{
	return sodium_bin2hex(out, TEXT_HEX_MAX, key, TEXT_KEY_LEN);
}

static int
hex_parse(uint8_t key[TEXT_KEY_LEN], const char *text)
{
	uint8_t buf[TEXT_KEY_LEN];
	const char *end;
	size_t len;

	if (sodium_hex2bin(
		buf, sizeof buf, text, TEXT_HEX_LEN, NULL, &len, &end) != 0 ||
	    len != sizeof buf || end != text + TEXT_HEX_LEN)
		return ERR_MALFORMED;
	memcpy(key, buf, sizeof buf);
	return 0;
}

int
text_key_parse(uint8_t key[TEXT_KEY_LEN], const char *text)
{
	switch (strlen(text)) {
	case TEXT_Z32_LEN:
		return z32_parse(key, text);
	case TEXT_HEX_LEN:
		return hex_parse(key, text);
	default:
		return ERR_MALFORMED;
	}
}

int
text_topic_parse(uint8_t topic[TEXT_KEY_LEN], const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return ERR_MALFORMED;
	if (len == TEXT_HEX_LEN && hex_parse(topic, text) == 0)
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

/* What a text of good base64 stands for, in bytes. */
static size_t
b64_len(const char *text, size_t text_len)
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

	/* Asked first, as libsodium does not tell one failure from another. */
	if (b64_len(text, text_len) > cap)
		return ERR_SIZE;
	/* Without an `end`, what follows the padding is a failure, too. */
	if (sodium_base642bin(out, cap, text, text_len, NULL, len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_MALFORMED;
	return 0;
}
