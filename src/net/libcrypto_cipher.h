/* SPDX-License-Identifier: ISC */
/*
 * libcrypto_cipher.h - the bulk cipher of crypto/bulk_cipher.h on OpenSSL's
 * libcrypto.
 *
 * The library is loaded, without its configuration file, with the first frame
 * of LIBCRYPTO_LOAD_MIN bytes, so that a process without bulk streams does not
 * map it. Where it is not installed every frame is left to libsodium. Uses:
 * base, crypto, libcrypto.
 */
#ifndef NET_LIBCRYPTO_CIPHER_H
#define NET_LIBCRYPTO_CIPHER_H

#include "crypto/bulk_cipher.h"

enum {
	/* Plaintext bytes. Below the first the cost of a new key exceeds what
	 * the faster cipher saves. */
	LIBCRYPTO_LEN_MIN = 512,
	LIBCRYPTO_LOAD_MIN = 8192,
};

/*
 * Returns a cipher that has not loaded the library yet, or NULL without memory
 * or if libcrypto was disabled at build time. Free with
 * libcrypto_cipher_free().
 */
struct bulk_cipher *libcrypto_cipher_new(void);

/* Wipes the keys and unloads the library. b may be NULL. */
void libcrypto_cipher_free(struct bulk_cipher *b);

#endif
