/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/world.h"
#include "punch/holepunch_payload.h"

enum {
	FLAG_CONNECTED = 1,
	FLAG_PUNCHING = 2,
	FLAG_ADDRS = 4,
	FLAG_REMOTE = 8,
	FLAG_TOKEN = 16,
	FLAG_REMOTE_TOKEN = 32,
};

static void
read_addrs(struct rd *r, struct holepunch_payload *c)
{
	size_t n = rd_count(r, ADDR_WIRE4_LEN);

	c->has_addrs = true;
	for (size_t i = 0; i < n; i++) {
		struct addr a = rd_addr4(r);

		if (i < HOLEPUNCH_ADDRS_MAX)
			c->addrs[c->addrs_len++] = a;
	}
}

static bool
read_token(struct rd *r, uint8_t token[HOLEPUNCH_TOKEN_LEN])
{
	const uint8_t *p = rd_take(r, HOLEPUNCH_TOKEN_LEN);

	if (p != NULL)
		memcpy(token, p, HOLEPUNCH_TOKEN_LEN);
	return p != NULL;
}

int
holepunch_payload_decode(
    struct holepunch_payload *c, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint64_t flags = rd_uint(&r);

	*c = (struct holepunch_payload){.error = rd_uint(&r)};
	c->firewall = rd_uint(&r);
	c->round = rd_uint(&r);
	c->connected = (flags & FLAG_CONNECTED) != 0;
	c->punching = (flags & FLAG_PUNCHING) != 0;
	if (flags & FLAG_ADDRS)
		read_addrs(&r, c);
	if (flags & FLAG_REMOTE)
		c->remote = rd_addr4(&r);
	if (flags & FLAG_TOKEN)
		c->has_token = read_token(&r, c->token);
	if (flags & FLAG_REMOTE_TOKEN)
		c->has_remote_token = read_token(&r, c->remote_token);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

static uint64_t
flags_of(const struct holepunch_payload *c)
{
	return (c->connected ? FLAG_CONNECTED : 0U) |
	       (c->punching ? FLAG_PUNCHING : 0U) |
	       (c->has_addrs ? FLAG_ADDRS : 0U) |
	       (c->remote.family != ADDR_NONE ? FLAG_REMOTE : 0U) |
	       (c->has_token ? FLAG_TOKEN : 0U) |
	       (c->has_remote_token ? FLAG_REMOTE_TOKEN : 0U);
}

size_t
holepunch_payload_encode(
    const struct holepunch_payload *c, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	if (c->round > HOLEPUNCH_ROUND_MAX)
		return 0;
	wr_uint(&w, flags_of(c));
	wr_uint(&w, c->error);
	wr_uint(&w, c->firewall);
	wr_uint(&w, c->round);
	if (c->has_addrs) {
		wr_uint(&w, c->addrs_len);
		for (uint8_t i = 0; i < c->addrs_len; i++)
			wr_addr4(&w, &c->addrs[i]);
	}
	if (c->remote.family != ADDR_NONE)
		wr_addr4(&w, &c->remote);
	if (c->has_token)
		wr_raw(&w, c->token, HOLEPUNCH_TOKEN_LEN);
	if (c->has_remote_token)
		wr_raw(&w, c->remote_token, HOLEPUNCH_TOKEN_LEN);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

size_t
holepunch_payload_seal(const struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN],
    const uint8_t nonce[HOLEPUNCH_NONCE_LEN], uint8_t *box)
{
	uint8_t plain[HOLEPUNCH_PLAIN_MAX];
	size_t len = holepunch_payload_encode(c, plain, sizeof plain);

	if (len > 0) {
		memcpy(box, nonce, HOLEPUNCH_NONCE_LEN);
		crypto_secretbox_easy(
		    box + HOLEPUNCH_NONCE_LEN, plain, len, nonce, secret);
		len += HOLEPUNCH_BOX_OVERHEAD;
	}
	sodium_memzero(plain, sizeof plain);
	return len;
}

int
holepunch_payload_open(struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], struct bytes box)
{
	uint8_t plain[DGRAM_MAX];
	int err = ERR_SIGNATURE;

	if (box.len <= HOLEPUNCH_BOX_OVERHEAD || box.len > sizeof plain)
		return ERR_SIZE;
	if (crypto_secretbox_open_easy(plain, box.p + HOLEPUNCH_NONCE_LEN,
		box.len - HOLEPUNCH_NONCE_LEN, box.p, secret) == 0)
		err = holepunch_payload_decode(
		    c, plain, box.len - HOLEPUNCH_BOX_OVERHEAD);
	sodium_memzero(plain, sizeof plain);
	return err;
}

void
holepunch_token_derive(uint8_t token[HOLEPUNCH_TOKEN_LEN],
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], const struct addr *host)
{
	char text[ADDR_TEXT_MAX];

	addr_format_host(host, text);
	crypto_generichash(token, HOLEPUNCH_TOKEN_LEN, (const uint8_t *)text,
	    strlen(text), secret, HOLEPUNCH_SECRET_LEN);
}

bool
holepunch_payload_echoes_token(const struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], const struct addr *host)
{
	uint8_t token[HOLEPUNCH_TOKEN_LEN];

	if (!c->has_remote_token)
		return false;
	holepunch_token_derive(token, secret, host);
	return sodium_memcmp(token, c->remote_token, sizeof token) == 0;
}
