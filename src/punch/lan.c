/* SPDX-License-Identifier: ISC */
#include "punch/lan.h"

enum { OCTETS_SURE = 3 };

static int
equal_octets(const struct addr *a, const struct addr *b)
{
	int n = 0;

	if (a->family != ADDR_V4 || b->family != ADDR_V4)
		return 0;
	while (n < OCTETS_SURE && a->ip[n] == b->ip[n])
		n++;
	return n;
}

const struct addr *
lan_match(const struct addr *mine, size_t mine_len, const struct addr *theirs,
    size_t theirs_len)
{
	const struct addr *best = NULL;
	int most = 0;

	for (size_t i = 0; i < mine_len; i++)
		for (size_t j = 0; j < theirs_len; j++) {
			int n = equal_octets(&mine[i], &theirs[j]);

			if (n == OCTETS_SURE)
				return &theirs[j];
			if (n > most) {
				most = n;
				best = &theirs[j];
			}
		}
	return best;
}
