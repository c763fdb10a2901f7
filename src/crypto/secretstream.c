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

/* Ciphertext of a message, contiguous or in pieces. */
struct ciphertext {
	const struct bytes *pieces;
	unsigned n;
	size_t len;
};

/*
 * Computes the MAC of the block of the tag and the ciphertext. The padding is
 * libsodium's: as many zeros as the ciphertext is longer than a multiple of 16.
 */
static bool
compute_mac(const struct first_blocks *f, struct bulk_cipher *b,
    const struct ciphertext *text, uint8_t mac[BULK_MAC_LEN])
{
	uint8_t end[PAD_MAX + LENGTHS_LEN] = {0};
	size_t pad = text->len % 16;
	struct wr w = wr_init(end + pad, LENGTHS_LEN);
	struct bytes parts[SECRETSTREAM_PIECES_MAX + 2];
	unsigned n = 0;

	parts[n++] = (struct bytes){f->tag, sizeof f->tag};
	for (unsigned i = 0; i < text->n; i++)
		parts[n++] = text->pieces[i];
	parts[n++] = (struct bytes){end, pad + LENGTHS_LEN};

	/* Two numbers of 64 bits: the additional data has no length. */
	wr_le32(&w, 0);
	wr_le32(&w, 0);
	wr_le32(&w, (uint32_t)(BULK_BLOCK_LEN + text->len));
	wr_le32(&w, 0);
	return b->ops->authenticate(b, f->mac_key, parts, n, mac);
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
	const struct bytes piece = {text, len};
	struct first_blocks f;
	bool ok = draw_first_blocks(&f, s, tag, len) &&
		  b->ops->encrypt(b, text, p, len) &&
		  compute_mac(&f, b, &(struct ciphertext){&piece, 1, len}, mac);

	out[0] = f.tag[0];
	sodium_memzero(&f, sizeof f);
	if (ok)
		advance_state(s, mac, tag);
	return ok;
}

/* Computes the first blocks and the MAC that the message must have. */
static bool
prepare_pull(struct first_blocks *f, uint8_t *tag, const struct secretstream *s,
    const struct ciphertext *text, uint8_t mac[BULK_MAC_LEN])
{
	const uint8_t sealed = *tag;

	if (!draw_first_blocks(f, s, sealed, text->len))
		return false;
	*tag = f->tag[0];
	f->tag[0] = sealed;
	return compute_mac(f, s->bulk, text, mac);
}

static bool
decrypt_text(struct bulk_cipher *b, uint8_t *out, const struct ciphertext *text)
{
	for (unsigned i = 0; i < text->n; i++) {
		const struct bytes *piece = &text->pieces[i];

		if (!b->ops->encrypt(b, out, piece->p, piece->len))
			return false;
		out += piece->len;
	}
	return true;
}

/*
 * Decrypts a text to out, which may be the text's own memory, given the
 * encrypted tag and the MAC that came with it. Returns 0, ERR_SIGNATURE,
 * ERR_MEMORY, or ERR_BUSY if nothing was done.
 */
static int
pull_bulk(struct secretstream *s, uint8_t *out, const struct ciphertext *text,
    uint8_t tag, const uint8_t *sealed_mac)
{
	struct first_blocks f;
	uint8_t mac[BULK_MAC_LEN];
	int err = 0;

	if (!prepare_pull(&f, &tag, s, text, mac))
		err = ERR_BUSY;
	else if (sodium_memcmp(mac, sealed_mac, sizeof mac) != 0)
		err = ERR_SIGNATURE;
	else if (!decrypt_text(s->bulk, out, text))
		err = ERR_MEMORY;
	else
		advance_state(s, mac, tag);
	sodium_memzero(&f, sizeof f);
	sodium_memzero(mac, sizeof mac);
	return err;
}

/* Returns true if the bulk cipher may be used for a sealed message. */
static bool
takes_bulk(const struct secretstream *s, size_t len)
{
	return s->bulk != NULL &&
	       len >= s->bulk->len_min + SECRETSTREAM_SEAL_LEN;
}

/* Takes n bytes off the front of the pieces. */
static void
take_front(struct bytes *pieces, unsigned n, uint8_t *out, size_t len)
{
	for (unsigned i = 0; i < n && len > 0; i++) {
		size_t here = pieces[i].len < len ? pieces[i].len : len;

		memcpy(out, pieces[i].p, here);
		pieces[i].p += here;
		pieces[i].len -= here;
		out += here;
		len -= here;
	}
}

/* Takes n bytes off the end of the pieces. */
static void
take_end(struct bytes *pieces, unsigned n, uint8_t *out, size_t len)
{
	while (n-- > 0 && len > 0) {
		size_t here = pieces[n].len < len ? pieces[n].len : len;

		len -= here;
		pieces[n].len -= here;
		memcpy(out + len, pieces[n].p + pieces[n].len, here);
	}
}

int
secretstream_pull_pieces(struct secretstream *s, uint8_t *out,
    const struct bytes *pieces, unsigned n, size_t len)
{
	struct bytes rest[SECRETSTREAM_PIECES_MAX];
	uint8_t tag = 0, mac[BULK_MAC_LEN] = {0};
	struct ciphertext text = {rest, n, len - SECRETSTREAM_SEAL_LEN};

	if (!takes_bulk(s, len) || n == 0 || n > SECRETSTREAM_PIECES_MAX)
		return ERR_BUSY;
	memcpy(rest, pieces, n * sizeof *rest);
	take_front(rest, n, &tag, sizeof tag);
	take_end(rest, n, mac, sizeof mac);
	return pull_bulk(s, out + SECRETSTREAM_TAG_LEN, &text, tag, mac);
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
	uint8_t *text = sealed + SECRETSTREAM_TAG_LEN;
	int err = ERR_BUSY;

	if (len < SECRETSTREAM_SEAL_LEN)
		return ERR_SIGNATURE;
	if (takes_bulk(s, len)) {
		size_t n = len - SECRETSTREAM_SEAL_LEN;
		const struct bytes piece = {text, n};

		err = pull_bulk(s, text, &(struct ciphertext){&piece, 1, n},
		    sealed[0], text + n);
	}
	if (err != ERR_BUSY)
		return err;
	if (crypto_secretstream_xchacha20poly1305_pull(&s->state,
		sealed + SECRETSTREAM_TAG_LEN, NULL, NULL, sealed, len, NULL,
		0) != 0)
		return ERR_SIGNATURE;
	return 0;
}
