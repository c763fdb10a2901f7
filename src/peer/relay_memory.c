/* SPDX-License-Identifier: ISC */
#include "peer/relay_memory.h"

#include <string.h>

struct remembered_key {
	struct pool_index_link link; /* first: the index finds it */
	struct chain_link used;
	uint8_t key[KEY_LEN];
	uint8_t len;
	struct addr addrs[RELAY_MEMORY_PER_KEY];
};

void
relay_memory_init(
    struct relay_memory *r, uint32_t max, const struct hash_key *key)
{
	*r = (struct relay_memory){.hash_key = key};
	pool_init(&r->pool, sizeof(struct remembered_key), max);
	pool_index_init(
	    &r->index, &r->pool, offsetof(struct remembered_key, link));
}

void
relay_memory_fini(struct relay_memory *r)
{
	pool_index_fini(&r->index);
	pool_fini(&r->pool);
}

static uint32_t
find_key(const struct relay_memory *r, const uint8_t *key)
{
	uint32_t at =
	    pool_index_first(&r->index, hash_bytes(r->hash_key, key, KEY_LEN));

	while (at != 0) {
		const struct remembered_key *c = pool_at(&r->pool, at);

		if (memcmp(c->key, key, KEY_LEN) == 0)
			break;
		at = pool_index_next(&r->index, at);
	}
	return at;
}

static void
remove_entry(struct relay_memory *r, uint32_t at)
{
	chain_del(
	    &r->used, &r->pool, offsetof(struct remembered_key, used), at);
	pool_index_del(&r->index, at);
	pool_put(&r->pool, at);
}

void
relay_memory_set_max(struct relay_memory *r, uint32_t max)
{
	r->pool.limit = max;
	while (r->pool.len > max)
		remove_entry(r, r->used.first);
}

static struct remembered_key *
move_to_end(struct relay_memory *r, uint32_t at)
{
	chain_del(
	    &r->used, &r->pool, offsetof(struct remembered_key, used), at);
	chain_push(
	    &r->used, &r->pool, offsetof(struct remembered_key, used), at);
	return pool_at(&r->pool, at);
}

static struct remembered_key *
add_entry(struct relay_memory *r, const uint8_t *key)
{
	struct remembered_key *c;
	uint32_t at;

	if (r->pool.len >= r->pool.limit)
		remove_entry(r, r->used.first);
	at = pool_get(&r->pool);
	if (at == 0)
		return NULL;
	if (pool_index_add(
		&r->index, at, hash_bytes(r->hash_key, key, KEY_LEN)) != 0) {
		pool_put(&r->pool, at);
		return NULL;
	}
	chain_push(
	    &r->used, &r->pool, offsetof(struct remembered_key, used), at);
	c = pool_at(&r->pool, at);
	memcpy(c->key, key, KEY_LEN);
	return c;
}

void
relay_memory_put(struct relay_memory *r, const uint8_t *key,
    const struct addr *addrs, size_t len)
{
	uint32_t at = find_key(r, key);
	struct remembered_key *c;

	if (len == 0)
		return;
	c = at != 0 ? move_to_end(r, at) : add_entry(r, key);
	if (c == NULL)
		return;
	c->len =
	    (uint8_t)(len < RELAY_MEMORY_PER_KEY ? len : RELAY_MEMORY_PER_KEY);
	memcpy(c->addrs, addrs, c->len * sizeof *addrs);
}

size_t
relay_memory_get(struct relay_memory *r, const uint8_t *key, struct addr *out)
{
	uint32_t at = find_key(r, key);
	const struct remembered_key *c;

	if (at == 0)
		return 0;
	c = move_to_end(r, at);
	memcpy(out, c->addrs, c->len * sizeof *out);
	return c->len;
}

void
relay_memory_forget(
    struct relay_memory *r, const uint8_t *key, const struct addr *addr)
{
	uint32_t at = find_key(r, key);
	struct remembered_key *c;
	uint8_t kept = 0;

	if (at == 0)
		return;
	c = pool_at(&r->pool, at);
	for (uint8_t i = 0; i < c->len; i++)
		if (!addr_equal(&c->addrs[i], addr))
			c->addrs[kept++] = c->addrs[i];
	c->len = kept;
	if (kept == 0)
		remove_entry(r, at);
}
