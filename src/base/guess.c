/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include "base/guess.h"

enum { NAME_MAX_LEN = 64 };

static unsigned
least_of(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Computes the Levenshtein distance; b has at most NAME_MAX_LEN bytes. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1], diagonal, up;
	size_t b_len = strlen(b);

	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; *a != '\0'; a++, i++) {
		diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			up = row[j];
			row[j] = least_of(row[j - 1] + 1, up + 1,
			    diagonal + (*a != b[j - 1]));
			diagonal = up;
		}
	}
	return row[b_len];
}

const char *
guess_name(const char *name, const char *(*nth)(unsigned i))
{
	size_t len = strlen(name);
	unsigned best = len < 6 ? 2 : (unsigned)len / 3;
	const char *guess = NULL, *key;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (unsigned i = 0; (key = nth(i)) != NULL; i++) {
		unsigned d = edit_distance(name, key);

		if (d < best || (d == best && guess == NULL)) {
			best = d;
			guess = key;
		}
	}
	return guess;
}
