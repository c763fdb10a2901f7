/* SPDX-License-Identifier: ISC */
/*
 * Stores the results of signatures and point multiplications and returns them
 * instead of computing them again, in this or any other input: keys from seeds
 * repeat all the time, and took half of it. Wraps functions of libsodium (ld
 * --wrap) that depend on their arguments alone.
 */
#include <sodium.h>

#include "base/hash.h"
#include "fuzz.h"

enum { SLOTS = 4096, IN_MAX = 192, OUT_MAX = 96 };

struct slot {
	int verdict;
	uint16_t in_len, out_len; /* in_len 0: empty */
	uint8_t in[IN_MAX], out[OUT_MAX];
};

int __real_crypto_scalarmult_ed25519_noclamp(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult_ed25519_noclamp(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_crypto_sign_seed_keypair(
    unsigned char *pk, unsigned char *sk, const unsigned char *seed);
int __wrap_crypto_sign_seed_keypair(
    unsigned char *pk, unsigned char *sk, const unsigned char *seed);
int __real_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_len,
    const unsigned char *m, unsigned long long len, const unsigned char *sk);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_len,
    const unsigned char *m, unsigned long long len, const unsigned char *sk);

/* Returns the slot of these bytes, or an empty one for them. */
static struct slot *
slot_of(
    char kind, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	static const struct hash_key key = {{1}};
	static struct slot slots[SLOTS];
	uint8_t in[IN_MAX] = {(uint8_t)kind};
	size_t len = 1 + a_len + b_len;
	struct slot *s;

	MUST(len <= sizeof in);
	memcpy(in + 1, a, a_len);
	memcpy(in + 1 + a_len, b, b_len);
	s = &slots[hash_bytes(&key, in, len) % SLOTS];
	if (s->in_len != len || memcmp(s->in, in, len) != 0) {
		memcpy(s->in, in, len);
		s->in_len = (uint16_t)len;
		s->out_len = 0;
	}
	return s;
}

int
__wrap_crypto_scalarmult_ed25519_noclamp(
    unsigned char *q, const unsigned char *n, const unsigned char *p)
{
	struct slot *s = slot_of('m', n, crypto_scalarmult_ed25519_SCALARBYTES,
	    p, crypto_scalarmult_ed25519_BYTES);

	if (s->out_len == 0) {
		s->out_len = crypto_scalarmult_ed25519_BYTES;
		s->verdict =
		    __real_crypto_scalarmult_ed25519_noclamp(s->out, n, p);
	}
	memcpy(q, s->out, s->out_len);
	return s->verdict;
}

int
__wrap_crypto_sign_seed_keypair(
    unsigned char *pk, unsigned char *sk, const unsigned char *seed)
{
	struct slot *s = slot_of('k', seed, crypto_sign_SEEDBYTES, seed, 0);

	if (s->out_len == 0) {
		s->out_len =
		    crypto_sign_PUBLICKEYBYTES + crypto_sign_SECRETKEYBYTES;
		s->verdict = __real_crypto_sign_seed_keypair(
		    s->out, s->out + crypto_sign_PUBLICKEYBYTES, seed);
	}
	memcpy(pk, s->out, crypto_sign_PUBLICKEYBYTES);
	memcpy(sk, s->out + crypto_sign_PUBLICKEYBYTES,
	    crypto_sign_SECRETKEYBYTES);
	return s->verdict;
}

int
__wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_len,
    const unsigned char *m, unsigned long long len, const unsigned char *sk)
{
	struct slot *s = slot_of('s', sk, crypto_sign_SECRETKEYBYTES, m, len);

	if (s->out_len == 0) {
		s->out_len = crypto_sign_BYTES;
		s->verdict =
		    __real_crypto_sign_detached(s->out, NULL, m, len, sk);
	}
	memcpy(sig, s->out, crypto_sign_BYTES);
	if (sig_len != NULL)
		*sig_len = crypto_sign_BYTES;
	return s->verdict;
}
