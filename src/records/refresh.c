/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "records/refresh.h"

struct refresh {
	struct cache_entry entry; /* by token */
	struct renewal renewal;
};

size_t
refreshes_bytes_max(const struct limits *l)
{
	return cache_bytes_max(sizeof(struct refresh), l->refreshes);
}

void
refreshes_init(struct refreshes *rf, const struct limits *l,
    const struct hash_key *key, struct stats *st)
{
	struct cache_limits cl = cache_limits_of(l, l->refreshes);

	cache_init(&rf->entries, sizeof(struct refresh), &cl, key, st, NULL);
}

void
refreshes_fini(struct refreshes *rf)
{
	cache_fini(&rf->entries);
}

void
refreshes_set_limits(struct refreshes *rf, const struct limits *l)
{
	struct cache_limits cl = cache_limits_of(l, l->refreshes);

	cache_set_limits(&rf->entries, &cl);
}

int
refreshes_set(struct refreshes *rf, const struct writer *w,
    const uint8_t token[HASH_LEN], const struct renewal *rn)
{
	uint32_t at = cache_set(&rf->entries, w, token, 1);
	struct refresh *e;

	if (at == 0)
		return ERR_MEMORY;
	e = cache_at(&rf->entries, at);
	e->renewal = *rn;
	return 0;
}

bool
refreshes_take(struct refreshes *rf, uint32_t now_s,
    const uint8_t shown[HASH_LEN], struct renewal *rn)
{
	uint8_t token[HASH_LEN];
	const struct refresh *e;
	uint32_t at;

	hash_blake2b(token, shown, HASH_LEN);
	at = cache_find(&rf->entries, now_s, token);
	if (at == 0)
		return false;
	e = cache_at(&rf->entries, at);
	*rn = e->renewal;
	cache_del(&rf->entries, at);
	return true;
}
