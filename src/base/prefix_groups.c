/* SPDX-License-Identifier: ISC */
#include "base/prefix_groups.h"

#include <stddef.h>

#include "base/err.h"

struct prefix_group {
	struct pool_index_link link;
	uint64_t prefix;
	struct chain members; /* oldest first */
	uint32_t len;
};

size_t
prefix_groups_bytes_max(uint32_t cells)
{
	return pool_bytes_max(sizeof(struct prefix_group), cells) +
	       pool_index_bytes_max(cells);
}

void
prefix_groups_init(struct prefix_groups *g, const struct hash_key *key,
    const struct pool *cells, size_t offset)
{
	*g = (struct prefix_groups){
	    .key = key, .cells = cells, .offset = offset};
	/* A group has a member, so the limit of the cells bounds the groups. */
	pool_init(&g->pool, sizeof(struct prefix_group), UINT32_MAX);
	pool_index_init(
	    &g->index, &g->pool, offsetof(struct prefix_group, link));
}

void
prefix_groups_fini(struct prefix_groups *g)
{
	pool_index_fini(&g->index);
	pool_fini(&g->pool);
}

static struct prefix_group *
group_at(const struct prefix_groups *g, uint32_t i)
{
	return pool_at(&g->pool, i);
}

static struct prefix_member *
member_at(const struct prefix_groups *g, uint32_t at)
{
	return (void *)((uint8_t *)pool_at(g->cells, at) + g->offset);
}

static uint32_t
find_group(const struct prefix_groups *g, const struct addr *a)
{
	uint64_t prefix = addr_prefix_key(a);
	uint32_t i = pool_index_first(&g->index, hash_u64(g->key, prefix));

	while (i != 0 && group_at(g, i)->prefix != prefix)
		i = pool_index_next(&g->index, i);
	return i;
}

/* Returns a new group without members, or 0 if memory is short. */
static uint32_t
add_group(struct prefix_groups *g, const struct addr *a)
{
	uint64_t prefix = addr_prefix_key(a);
	uint32_t i = pool_get(&g->pool);

	if (i == 0)
		return 0;
	group_at(g, i)->prefix = prefix;
	if (pool_index_add(&g->index, i, hash_u64(g->key, prefix)) != 0) {
		pool_put(&g->pool, i);
		return 0;
	}
	return i;
}

int
prefix_groups_add(struct prefix_groups *g, uint32_t at, const struct addr *a)
{
	uint32_t i = find_group(g, a);
	struct prefix_group *group;

	if (i == 0 && (i = add_group(g, a)) == 0)
		return ERR_MEMORY;
	group = group_at(g, i);
	group->len++;
	chain_push(&group->members, g->cells,
	    g->offset + offsetof(struct prefix_member, chain), at);
	member_at(g, at)->group = i;
	return 0;
}

void
prefix_groups_remove(struct prefix_groups *g, uint32_t at)
{
	struct prefix_member *m = member_at(g, at);
	uint32_t i = m->group;
	struct prefix_group *group;

	if (i == 0)
		return;
	m->group = 0;
	group = group_at(g, i);
	chain_del(&group->members, g->cells,
	    g->offset + offsetof(struct prefix_member, chain), at);
	if (--group->len > 0)
		return;
	pool_index_del(&g->index, i);
	pool_put(&g->pool, i);
}

uint32_t
prefix_groups_count(const struct prefix_groups *g, const struct addr *a)
{
	uint32_t i = find_group(g, a);

	return i != 0 ? group_at(g, i)->len : 0;
}

uint32_t
prefix_groups_oldest(const struct prefix_groups *g, const struct addr *a)
{
	uint32_t i = find_group(g, a);

	return i != 0 ? group_at(g, i)->members.first : 0;
}
