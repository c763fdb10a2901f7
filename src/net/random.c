/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "net/random.h"

void
random_get(struct random_pool *p, void *out, size_t len)
{
	if (len > sizeof p->bytes) {
		randombytes_buf(out, len);
		return;
	}
	if (len > p->left) {
		randombytes_buf(p->bytes, sizeof p->bytes);
		p->left = sizeof p->bytes;
	}
	p->left -= len;
	memcpy(out, p->bytes + p->left, len);
	sodium_memzero(p->bytes + p->left, len);
}
