/* SPDX-License-Identifier: ISC */
#include "peer/slot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum {
	/* Positions in the lists of idle slots are brought up to date at most
	 * so often, because data may move with each packet. */
	TOUCH_US = 1000000,
};

struct slot_scope {
	struct slot_holders holders[CONN_SLOT_HOLDER_KINDS];
	uint32_t len;
	bool released; /* its owner is gone */
};

/* What a newcomer holds, or would hold, of each kind. */
struct slot_counts {
	uint32_t of[CONN_SLOT_HOLDER_KINDS];
};

struct slot_scope *
slot_scope_new(const struct hash_key *hash_key)
{
	struct slot_scope *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
		slot_holders_init(&s->holders[kind], hash_key);
	return s;
}

static void
free_unused(struct slot_scope *s)
{
	if (!s->released || s->len > 0)
		return;
	for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
		slot_holders_fini(&s->holders[kind]);
	free(s);
}

void
slot_scope_release(struct slot_scope *s)
{
	if (s == NULL)
		return;
	s->released = true;
	free_unused(s);
}

uint32_t
slot_scope_len(const struct slot_scope *s)
{
	return s->len;
}

static void
write_prefix_id(uint8_t id[KEY_LEN], const struct addr *addr)
{
	uint64_t prefix = addr_prefix_key(addr);

	memset(id, 0, KEY_LEN);
	memcpy(id, &prefix, sizeof prefix);
}

static uint32_t
count_slots(const struct slot_scope *s, enum slot_holder_kind kind,
    const uint8_t id[KEY_LEN], bool with_exempt)
{
	const struct slot_holder *h = slot_holder_find(&s->holders[kind], id);

	if (h == NULL)
		return 0;
	return h->len + (with_exempt ? h->exempt_len : 0);
}

uint32_t
slot_scope_key_len(const struct slot_scope *s, const uint8_t *key)
{
	return count_slots(s, CONN_SLOT_KEY, key, true);
}

static size_t
list_slots(const struct slot_links *list, struct slot *out[])
{
	const struct slot_link *link;
	size_t n = 0;

	TAILQ_FOREACH (link, list, entry) {
		if (n == SLOTS_OF_KIND_MAX)
			break;
		out[n++] = link->slot;
	}
	return n;
}

size_t
slot_scope_idle(const struct slot_scope *s, const uint8_t *key,
    struct slot *out[SLOTS_IDLE_MAX])
{
	const struct slot_holder *h =
	    slot_holder_find(&s->holders[CONN_SLOT_KEY], key);
	size_t n;

	if (h == NULL)
		return 0;
	n = list_slots(&h->unclaimed, out);
	n += list_slots(&h->claimed, out + n);
	return n + list_slots(&h->exempt, out + n);
}

/* ---- eviction ---- */

/* Returns the slot of a holder that gives way first. */
static struct slot *
first_of_holder(const struct slot_holder *h)
{
	struct slot_link *link = TAILQ_FIRST(&h->unclaimed);

	if (link == NULL)
		link = TAILQ_FIRST(&h->claimed);
	return link->slot;
}

/* Returns a number that is lower for what gives way earlier. */
static int
rank_slot(const struct slot *p, uint64_t now_us)
{
	if (p->state != CONN_SLOT_CLAIMED)
		return 0;
	return now_us - p->moved_us >= CONN_SLOT_IDLE_US ? 1 : 2;
}

static uint32_t
largest_count(const struct slot_scope *s, enum slot_holder_kind kind)
{
	const struct slot_holder *h = slot_holder_largest(&s->holders[kind]);

	return h != NULL ? h->len : 0;
}

/*
 * Returns the slot that gives way to a peer which will hold `mine`, or NULL: of
 * the prefix or of the key that holds the most, if it will still hold as much
 * as the peer. `promised` slots of it are given to others already. The peer
 * must not be the largest holder of the other kind: one key in many prefixes
 * would displace everybody.
 */
static struct slot *
find_victim(const struct slot_scope *s, const struct slot_counts *mine,
    uint32_t promised, uint64_t now_us)
{
	struct slot *victim = NULL;

	for (int kind = CONN_SLOT_HOLDER_KINDS - 1; kind >= 0; kind--) {
		int other = CONN_SLOT_HOLDER_KINDS - 1 - kind;
		uint32_t most = largest_count(s, kind);
		struct slot *p;

		if (most <= (uint64_t)mine->of[kind] + promised ||
		    largest_count(s, other) < mine->of[other])
			continue;
		p = first_of_holder(slot_holder_largest(&s->holders[kind]));
		if (victim == NULL ||
		    rank_slot(p, now_us) < rank_slot(victim, now_us))
			victim = p;
	}
	return victim;
}

bool
slot_scope_admits(const struct slot_scope *s, const struct slot_limits *l,
    const struct slot_peer *peer, uint64_t now_us, struct slot **victim)
{
	struct slot_counts mine = {{0}};
	uint8_t prefix[KEY_LEN];

	*victim = NULL;
	if (s->len < l->max / 2)
		return true;
	if (!peer->exempt) {
		write_prefix_id(prefix, peer->addr);
		mine.of[CONN_SLOT_KEY] =
		    count_slots(s, CONN_SLOT_KEY, peer->key, false);
		mine.of[CONN_SLOT_PREFIX] =
		    count_slots(s, CONN_SLOT_PREFIX, prefix, false);
		if (mine.of[CONN_SLOT_KEY] >= l->key_max ||
		    mine.of[CONN_SLOT_PREFIX] >= l->prefix_max)
			return false;
	}
	if (s->len < l->max)
		return true;
	for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
		mine.of[kind]++; /* with the new slot */
	*victim = find_victim(s, &mine, s->len - l->max, now_us);
	return *victim != NULL;
}

struct slot *
slot_victim(const struct slot *p, enum slot_level level,
    const struct slot_limits *l, uint64_t now_us)
{
	const struct slot_scope *s = p->scopes[level];
	struct slot_counts mine = {{0}};

	if (p->state == CONN_SLOT_EMPTY || s->len <= l->max)
		return NULL;
	for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS && !p->exempt; kind++)
		if (p->links[level][kind].holder != NULL)
			mine.of[kind] = p->links[level][kind].holder->len;
	return find_victim(s, &mine, 0, now_us);
}

/* ---- one slot ---- */

static int
link_slot(struct slot *p, enum slot_level level, enum slot_holder_kind kind,
    const uint8_t id[KEY_LEN])
{
	return slot_holder_add(&p->scopes[level]->holders[kind], id,
	    &p->links[level][kind], p, p->state == CONN_SLOT_CLAIMED);
}

static void
unlink_slot(struct slot *p, enum slot_level level, enum slot_holder_kind kind)
{
	slot_holder_remove(
	    &p->scopes[level]->holders[kind], &p->links[level][kind]);
}

int
slot_reserve(struct slot *p, struct slot_scope *listener,
    struct slot_scope *node, const struct slot_peer *peer)
{
	uint8_t prefix[KEY_LEN];
	int err = 0;

	assert(p->state == CONN_SLOT_EMPTY);
	p->state = CONN_SLOT_RESERVED;
	p->exempt = peer->exempt;
	p->scopes[CONN_SLOT_LISTENER] = listener;
	p->scopes[CONN_SLOT_NODE] = node;
	write_prefix_id(prefix, peer->addr);
	for (int level = 0; level < CONN_SLOT_LEVELS; level++) {
		p->scopes[level]->len++;
		if (err == 0)
			err = link_slot(p, level, CONN_SLOT_KEY, peer->key);
		if (err == 0)
			err = link_slot(p, level, CONN_SLOT_PREFIX, prefix);
	}
	if (err != 0)
		slot_leave(p);
	return err;
}

void
slot_open(struct slot *p, const struct addr *addr, uint64_t now_us)
{
	uint8_t prefix[KEY_LEN];

	if (p->state != CONN_SLOT_RESERVED)
		return;
	p->state = CONN_SLOT_UNCLAIMED;
	p->moved_us = now_us;
	write_prefix_id(prefix, addr);
	for (int level = 0; level < CONN_SLOT_LEVELS; level++) {
		struct slot_link *link = &p->links[level][CONN_SLOT_PREFIX];

		if (memcmp(link->holder->id, prefix, KEY_LEN) == 0)
			continue;
		unlink_slot(p, level, CONN_SLOT_PREFIX);
		/* Without memory it counts for its key alone. */
		if (link_slot(p, level, CONN_SLOT_PREFIX, prefix) != 0)
			link->holder = NULL;
	}
}

void
slot_claim(struct slot *p, uint64_t now_us)
{
	if (p->state != CONN_SLOT_UNCLAIMED)
		return;
	p->state = CONN_SLOT_CLAIMED;
	p->moved_us = now_us;
	for (int level = 0; level < CONN_SLOT_LEVELS; level++)
		for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
			slot_holder_claim(&p->links[level][kind]);
}

void
slot_moved(struct slot *p, uint64_t now_us)
{
	if (p->state != CONN_SLOT_CLAIMED || now_us - p->moved_us < TOUCH_US)
		return;
	p->moved_us = now_us;
	for (int level = 0; level < CONN_SLOT_LEVELS; level++)
		for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
			slot_holder_touch(&p->links[level][kind]);
}

void
slot_leave(struct slot *p)
{
	if (p->state == CONN_SLOT_EMPTY)
		return;
	for (int level = 0; level < CONN_SLOT_LEVELS; level++) {
		for (int kind = 0; kind < CONN_SLOT_HOLDER_KINDS; kind++)
			unlink_slot(p, level, kind);
		p->scopes[level]->len--;
		free_unused(p->scopes[level]);
	}
	p->state = CONN_SLOT_EMPTY;
}
