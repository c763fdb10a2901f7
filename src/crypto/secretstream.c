/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "crypto/secretstream.h"

enum {
	COUNTER_LEN = 4, /* of the nonce; the rest absorbs each MAC */
	CHAIN_LEN = BULK_NONCE_LEN - COUNTER_LEN,
	LENGTHS_LEN = 16,
	PAD_MAX = 15,
};

void
secretstream_init(struct secretstream *s, struct bulk_cipher *bulk,
    const uint8_t header[SECRETSTREAM_HEADER_LEN],
    const uint8_t key[BULK_KEY_LEN])
{
	s->bulk = bulk;
	/* init_push would read the system's randomness; the state of init_pull
	 * is the same. */
	crypto_secretstream_xchacha20poly1305_init_pull(&s->state, header, key);
}

/* ---- with the bulk cipher ---- */

/* The first two blocks of a message's key stream. */
struct first_blocks {
	uint8_t mac_key[BULK_BLOCK_LEN]; /* the second half is not used */
	uint8_t tag[BULK_BLOCK_LEN];     /* the tag, encrypted with zeros */
};

/* Starts the key stream and encrypts, or decrypts, the block of the tag. */
static bool
draw_first_blocks(struct first_blocks *f, const struct secretstream *s,
    uint8_t tag, size_t len)
{
	struct bulk_cipher *b = s->bulk;
	uint8_t blocks[2 * BULK_BLOCK_LEN] = {[BULK_BLOCK_LEN] = tag};
	bool ok = b->ops->start(b, s->state.k, s->state.nonce, len) &&
		  b->ops->encrypt(b, blocks, blocks, sizeof blocks);

	memcpy(f->mac_key, blocks, BULK_BLOCK_LEN);
	memcpy(f->tag, blocks + BULK_BLOCK_LEN, BULK_BLOCK_LEN);
	sodium_memzero(blocks, sizeof blocks);
	return ok;
}

/*
 * Computes the MAC of the block of the tag and the ciphertext. The padding is
 * libsodium's: as many zeros as the ciphertext is longer than a multiple of 16.
 */
static bool
compute_mac(const struct first_blocks *f, struct bulk_cipher *b,
    const uint8_t *text, size_t len, uint8_t mac[BULK_MAC_LEN])
{
	uint8_t end[PAD_MAX + LENGTHS_LEN] = {0};
	size_t pad = len % 16;
	struct wr w = wr_init(end + pad, LENGTHS_LEN);
	const struct bytes parts[] = {
	    {f->tag, sizeof f->tag},
	    {text, len},
	    {end, pad + LENGTHS_LEN},
	};

	/* Two numbers of 64 bits: the additional data has no length. */
	wr_le32(&w, 0);
	wr_le32(&w, 0);
	wr_le32(&w, (uint32_t)(BULK_BLOCK_LEN + len));
	wr_le32(&w, 0);
	return b->ops->authenticate(
	    b, f->mac_key, parts, sizeof parts / sizeof *parts, mac);
}

/* Advances the state after a message. */
static void
advance_state(
    struct secretstream *s, const uint8_t mac[BULK_MAC_LEN], uint8_t tag)
{
	uint8_t *nonce = s->state.nonce;

	for (unsigned i = 0; i < CHAIN_LEN; i++)
		nonce[COUNTER_LEN + i] ^= mac[i];
	sodium_increment(nonce, COUNTER_LEN);
	if ((tag & crypto_secretstream_xchacha20poly1305_TAG_REKEY) != 0 ||
	    sodium_is_zero(nonce, COUNTER_LEN))
		crypto_secretstream_xchacha20poly1305_rekey(&s->state);
}

/* Returns false if the bulk cipher has failed; the state is unchanged then. */
static bool
push_bulk(struct secretstream *s, uint8_t *out, const uint8_t *p, size_t len)
{
	struct bulk_cipher *b = s->bulk;
	const uint8_t tag = crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
	uint8_t *text = out + SECRETSTREAM_TAG_LEN, *mac = text + len;
	struct first_blocks f;
	bool ok = draw_first_blocks(&f, s, tag, len) &&
		  b->ops->encrypt(b, text, p, len) &&
		  compute_mac(&f, b, text, len, mac);

	out[0] = f.tag[0];
	sodium_memzero(&f, sizeof f);
	if (ok)
		advance_state(s, mac, tag);
	return ok;
}

/* Computes the first blocks and the MAC that the message must have. */
static bool
prepare_pull(struct first_blocks *f, uint8_t *tag, const struct secretstream *s,
    const uint8_t *sealed, size_t len, uint8_t mac[BULK_MAC_LEN])
{
	if (!draw_first_blocks(f, s, sealed[0], len))
		return false;
	*tag = f->tag[0];
	f->tag[0] = sealed[0];
	return compute_mac(f, s->bulk, sealed + SECRETSTREAM_TAG_LEN, len, mac);
}

/* Returns 0, ERR_SIGNATURE, ERR_MEMORY, or ERR_BUSY if nothing was done. */
static int
pull_bulk(struct secretstream *s, uint8_t *sealed, size_t len)
{
	uint8_t *text = sealed + SECRETSTREAM_TAG_LEN;
	struct first_blocks f;
	uint8_t mac[BULK_MAC_LEN], tag = 0;
	int err = 0;

	if (!prepare_pull(&f, &tag, s, sealed, len, mac))
		err = ERR_BUSY;
	else if (sodium_memcmp(mac, text + len, sizeof mac) != 0)
		err = ERR_SIGNATURE;
	else if (!s->bulk->ops->encrypt(s->bulk, text, text, len))
		err = ERR_MEMORY;
	else
		advance_state(s, mac, tag);
	sodium_memzero(&f, sizeof f);
	sodium_memzero(mac, sizeof mac);
	return err;
}

/* ---- either way ---- */

void
secretstream_push(
    struct secretstream *s, uint8_t *out, const uint8_t *p, size_t len)
{
	if (s->bulk != NULL && len >= s->bulk->len_min &&
	    push_bulk(s, out, p, len))
		return;
	crypto_secretstream_xchacha20poly1305_push(&s->state, out, NULL, p, len,
	    NULL, 0, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
}

int
secretstream_pull(struct secretstream *s, uint8_t *sealed, size_t len)
{
	int err = ERR_BUSY;

	if (len < SECRETSTREAM_SEAL_LEN)
		return ERR_SIGNATURE;
	if (s->bulk != NULL && len - SECRETSTREAM_SEAL_LEN >= s->bulk->len_min)
		err = pull_bulk(s, sealed, len - SECRETSTREAM_SEAL_LEN);
	if (err != ERR_BUSY)
		return err;
	if (crypto_secretstream_xchacha20poly1305_pull(&s->state,
		sealed + SECRETSTREAM_TAG_LEN, NULL, NULL, sealed, len, NULL,
		0) != 0)
		return ERR_SIGNATURE;
	return 0;
}
