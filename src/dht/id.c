/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "base/wire.h"
#include "dht/id.h"

void
id_of_addr(uint8_t id[ID_LEN], const struct addr *a)
{
	uint8_t buf[ADDR_WIRE4_LEN];
	struct wr w = wr_init(buf, sizeof buf);

	wr_addr4(&w, a);
	crypto_generichash(id, ID_LEN, buf, sizeof buf, NULL, 0);
}

unsigned
id_shared_bits(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN])
{
	for (unsigned i = 0; i < ID_LEN; i++) {
		unsigned x = a[i] ^ b[i];

		if (x != 0)
			return i * 8 + (unsigned)__builtin_clz(x) - 24;
	}
	return ID_BITS;
}

int
id_compare(const uint8_t target[ID_LEN], const uint8_t a[ID_LEN],
    const uint8_t b[ID_LEN])
{
	for (unsigned i = 0; i < ID_LEN; i++) {
		int d = (a[i] ^ target[i]) - (b[i] ^ target[i]);

		if (d != 0)
			return d;
	}
	return 0;
}
