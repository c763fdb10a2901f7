/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "records/value.h"

struct value {
	struct cache_entry entry; /* by target */
	uint32_t len;
	uint64_t seq;
	uint8_t *bytes;
};

static void
free_bytes(struct values *v, struct value *e)
{
	v->bytes -= e->len;
	free(e->bytes);
	e->bytes = NULL;
	e->len = 0;
}

static void
value_gone(struct cache *c, uint32_t at)
{
	free_bytes((struct values *)(void *)c, cache_at(c, at));
}

size_t
values_bytes_max(const struct limits *l)
{
	return cache_bytes_max(sizeof(struct value), l->values) +
	       l->value_bytes + (size_t)l->values * heap_bytes(1);
}

static struct cache_limits
value_limits(const struct limits *l)
{
	struct cache_limits cl = cache_limits_of(l, l->values);

	cl.weight = l->value_bytes;
	cl.age_s = l->value_seconds;
	return cl;
}

void
values_init(struct values *v, const struct limits *l,
    const struct hash_key *key, struct stats *st)
{
	struct cache_limits cl = value_limits(l);

	v->bytes = 0;
	cache_init(&v->entries, sizeof(struct value), &cl, key, st, value_gone);
}

void
values_fini(struct values *v)
{
	cache_fini(&v->entries);
}

void
values_set_limits(struct values *v, const struct limits *l)
{
	struct cache_limits cl = value_limits(l);

	cache_set_limits(&v->entries, &cl);
}

int
values_set(struct values *v, const struct writer *w, const uint8_t *target,
    uint64_t seq, struct bytes value)
{
	/* malloc(0) may return NULL, hence one byte more. */
	uint8_t *bytes = malloc(value.len + 1);
	struct value *e;
	uint32_t at;

	if (bytes == NULL)
		return ERR_MEMORY;
	at = cache_set(
	    &v->entries, w, target, cache_weight(&v->entries, value.len));
	if (at == 0) {
		free(bytes);
		return ERR_MEMORY;
	}
	if (value.len > 0)
		memcpy(bytes, value.p, value.len);
	e = cache_at(&v->entries, at);
	free_bytes(v, e);
	e->bytes = bytes;
	e->len = (uint32_t)value.len;
	e->seq = seq;
	v->bytes += e->len;
	return 0;
}

bool
values_find(const struct values *v, uint32_t now_s, const uint8_t *target,
    uint64_t *seq, struct bytes *value)
{
	uint32_t at = cache_find(&v->entries, now_s, target);
	const struct value *e;

	if (at == 0)
		return false;
	e = cache_at(&v->entries, at);
	*seq = e->seq;
	*value = (struct bytes){e->bytes, e->len};
	return true;
}
