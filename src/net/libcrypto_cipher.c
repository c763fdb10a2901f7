/* SPDX-License-Identifier: ISC */
#include "net/libcrypto_cipher.h"

#ifdef HAVE_LIBCRYPTO

#include <dlfcn.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"

/* The name carries the version of the interface, that of the headers used. */
#define LIBRARY_NAME "libcrypto.so.3"

/* The functions of libcrypto that are called. */
#define FUNCTION_LIST(X)                                                       \
	X(OPENSSL_init_crypto)                                                 \
	X(EVP_CIPHER_fetch)                                                    \
	X(EVP_CIPHER_free)                                                     \
	X(EVP_CIPHER_CTX_new)                                                  \
	X(EVP_CIPHER_CTX_free)                                                 \
	X(EVP_CIPHER_CTX_reset)                                                \
	X(EVP_EncryptInit_ex)                                                  \
	X(EVP_EncryptUpdate)                                                   \
	X(EVP_MAC_fetch)                                                       \
	X(EVP_MAC_free)                                                        \
	X(EVP_MAC_CTX_new)                                                     \
	X(EVP_MAC_CTX_free)                                                    \
	X(EVP_MAC_init)                                                        \
	X(EVP_MAC_update)                                                      \
	X(EVP_MAC_final)

struct libcrypto {
	void *handle;
#define MEMBER(name) __typeof__(&name) name;
	FUNCTION_LIST(MEMBER)
#undef MEMBER
	EVP_CIPHER *chacha20;
	EVP_MAC *poly1305;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
};

struct libcrypto_cipher {
	struct bulk_cipher cipher;
	struct libcrypto *library; /* NULL: not loaded */
	bool unavailable;          /* loading has failed */
	bool keyed;                /* the context of ChaCha20 holds a key */
};

enum {
	IV_LEN = 16, /* block counter, little-endian, then the nonce */
};

/* ---- loading ---- */

static bool
find_functions(struct libcrypto *l)
{
	const struct {
		const char *name;
		size_t offset;
	} functions[] = {
#define ROW(name) {#name, offsetof(struct libcrypto, name)},
	    FUNCTION_LIST(ROW)
#undef ROW
	};

	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(l->handle, functions[i].name);

		if (f == NULL)
			return false;
		/* POSIX: the pointer has the form of one to a function. */
		memcpy((uint8_t *)l + functions[i].offset, &f, sizeof f);
	}
	return true;
}

static bool
create_contexts(struct libcrypto *l)
{
	if (l->OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return false;
	l->chacha20 = l->EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
	l->poly1305 = l->EVP_MAC_fetch(NULL, "POLY1305", NULL);
	if (l->chacha20 == NULL || l->poly1305 == NULL)
		return false;
	l->cipher = l->EVP_CIPHER_CTX_new();
	l->mac = l->EVP_MAC_CTX_new(l->poly1305);
	return l->cipher != NULL && l->mac != NULL;
}

static void
unload_library(struct libcrypto *l)
{
	/* All of these accept NULL, and none exists without the functions. */
	if (l->EVP_MAC_final != NULL) {
		l->EVP_CIPHER_CTX_free(l->cipher);
		l->EVP_MAC_CTX_free(l->mac);
		l->EVP_CIPHER_free(l->chacha20);
		l->EVP_MAC_free(l->poly1305);
	}
	if (l->handle != NULL)
		dlclose(l->handle);
	free(l);
}

/* Returns the library ready for use, or NULL. */
static struct libcrypto *
load_library(void)
{
	struct libcrypto *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->handle = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL);
	if (l->handle == NULL || !find_functions(l) || !create_contexts(l)) {
		unload_library(l);
		return NULL;
	}
	return l;
}

/* ---- the operations ---- */

static struct libcrypto_cipher *
cipher_of(struct bulk_cipher *b)
{
	return container_of(b, struct libcrypto_cipher, cipher);
}

/* Loads the library if the frame is long enough to be worth it. */
static bool
is_ready(struct libcrypto_cipher *c, size_t len)
{
	if (c->library != NULL)
		return true;
	if (c->unavailable || len < LIBCRYPTO_LOAD_MIN)
		return false;
	c->library = load_library();
	c->unavailable = c->library == NULL;
	return !c->unavailable;
}

static bool
start_stream(struct bulk_cipher *b, const uint8_t key[BULK_KEY_LEN],
    const uint8_t nonce[BULK_NONCE_LEN], size_t len)
{
	struct libcrypto_cipher *c = cipher_of(b);
	uint8_t iv[IV_LEN] = {0};

	if (len > INT_MAX || !is_ready(c, len))
		return false;
	memcpy(iv + IV_LEN - BULK_NONCE_LEN, nonce, BULK_NONCE_LEN);
	c->keyed = true;
	return c->library->EVP_EncryptInit_ex(c->library->cipher,
		   c->library->chacha20, NULL, key, iv) == 1;
}

static bool
encrypt_next(struct bulk_cipher *b, uint8_t *out, const uint8_t *in, size_t len)
{
	struct libcrypto *l = cipher_of(b)->library;
	int n = 0;

	return l->EVP_EncryptUpdate(l->cipher, out, &n, in, (int)len) == 1 &&
	       (size_t)n == len;
}

static bool
authenticate_parts(struct bulk_cipher *b, const uint8_t key[BULK_KEY_LEN],
    const struct bytes *parts, unsigned n, uint8_t mac[BULK_MAC_LEN])
{
	struct libcrypto *l = cipher_of(b)->library;
	size_t len = 0;

	if (l->EVP_MAC_init(l->mac, key, BULK_KEY_LEN, NULL) != 1)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (l->EVP_MAC_update(l->mac, parts[i].p, parts[i].len) != 1)
			return false;
	return l->EVP_MAC_final(l->mac, mac, &len, BULK_MAC_LEN) == 1 &&
	       len == BULK_MAC_LEN;
}

/* The key of Poly1305 serves one frame, and its final call wipes it. */
static void
wipe_keys(struct bulk_cipher *b)
{
	struct libcrypto_cipher *c = cipher_of(b);

	if (c->keyed)
		c->library->EVP_CIPHER_CTX_reset(c->library->cipher);
	c->keyed = false;
}

static const struct bulk_cipher_ops ops = {
    .start = start_stream,
    .encrypt = encrypt_next,
    .authenticate = authenticate_parts,
    .wipe = wipe_keys,
};

struct bulk_cipher *
libcrypto_cipher_new(void)
{
	struct libcrypto_cipher *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->cipher.ops = &ops;
	c->cipher.len_min = LIBCRYPTO_LEN_MIN;
	return &c->cipher;
}

void
libcrypto_cipher_free(struct bulk_cipher *b)
{
	if (b == NULL)
		return;
	if (cipher_of(b)->library != NULL)
		unload_library(cipher_of(b)->library);
	free(cipher_of(b));
}

#else /* HAVE_LIBCRYPTO */

#include <stddef.h>

struct bulk_cipher *
libcrypto_cipher_new(void)
{
	return NULL;
}

void
libcrypto_cipher_free(struct bulk_cipher *b)
{
	(void)b;
}

#endif
