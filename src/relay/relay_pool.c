/* SPDX-License-Identifier: ISC */
#include "relay/relay_pool.h"

#include <string.h>

enum {
	RETRY_US =
	    60 * 1000000, /* after the first failure, then four times that */
	REFUSED_S_MIN = 60,
	REFUSED_S_MAX = 24 * 60 * 60,
	PREFIX4_LEN = 2, /* bytes of the address: a /16, or a /32 */
	PREFIX6_LEN = 4,
};

void
relay_pool_init(struct relay_pool *p, struct world *w)
{
	p->world = w;
	p->len = 0;
}

static struct known_relay *
find_entry(struct relay_pool *p, const uint8_t *key)
{
	for (uint32_t i = 0; i < p->len; i++)
		if (memcmp(p->entries[i].key, key, KEY_LEN) == 0)
			return &p->entries[i];
	return NULL;
}

/* Returns a random entry for which accepts() holds, or NULL. */
static struct known_relay *
draw_entry(struct relay_pool *p,
    bool (*accepts)(const struct relay_pool *p, const struct known_relay *e))
{
	struct known_relay *drawn = NULL;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < p->len; i++)
		if (accepts(p, &p->entries[i]) &&
		    world_below(p->world, ++seen) == 0)
			drawn = &p->entries[i];
	return drawn;
}

static bool
is_replaceable(const struct relay_pool *p, const struct known_relay *e)
{
	(void)p;
	return e->state == KNOWN_RELAY_FOUND || e->state == KNOWN_RELAY_FAILED;
}

bool
relay_pool_add(struct relay_pool *p, const uint8_t key[KEY_LEN])
{
	struct known_relay *e;

	if (find_entry(p, key) != NULL)
		return false;
	e = p->len < RELAY_POOL_MAX ? &p->entries[p->len++]
				    : draw_entry(p, is_replaceable);
	if (e == NULL)
		return false;
	*e = (struct known_relay){.state = KNOWN_RELAY_FOUND};
	memcpy(e->key, key, KEY_LEN);
	return true;
}

static bool
may_be_dialed(const struct relay_pool *p, const struct known_relay *e)
{
	return e->state != KNOWN_RELAY_PROVING && p->world->now_us >= e->due_us;
}

const uint8_t *
relay_pool_take(struct relay_pool *p)
{
	struct known_relay *e = draw_entry(p, may_be_dialed);

	if (e == NULL)
		return NULL;
	e->state = KNOWN_RELAY_PROVING;
	return e->key;
}

void
relay_pool_proved(struct relay_pool *p, const uint8_t key[KEY_LEN],
    const struct addr *addr, uint64_t rtt_us)
{
	struct known_relay *e = find_entry(p, key);

	if (e == NULL)
		return;
	e->state = KNOWN_RELAY_PROVED;
	e->failures = 0;
	e->addr = *addr;
	e->rtt_us = rtt_us;
	e->due_us = p->world->now_us + RELAY_PROVED_S * UINT64_C(1000000);
}

void
relay_pool_failed(struct relay_pool *p, const uint8_t key[KEY_LEN])
{
	struct known_relay *e = find_entry(p, key);

	/* Several connections that end in one outage are one failure. */
	if (e == NULL ||
	    (e->state == KNOWN_RELAY_FAILED && p->world->now_us < e->due_us))
		return;
	if (++e->failures == RELAY_FAILURES_MAX) {
		*e = p->entries[--p->len];
		return;
	}
	e->state = KNOWN_RELAY_FAILED;
	e->addr.family = ADDR_NONE;
	e->due_us =
	    p->world->now_us + ((uint64_t)RETRY_US << (2 * (e->failures - 1)));
}

void
relay_pool_refused(
    struct relay_pool *p, const uint8_t key[KEY_LEN], uint64_t retry_s)
{
	struct known_relay *e = find_entry(p, key);

	if (e == NULL)
		return;
	if (retry_s < REFUSED_S_MIN)
		retry_s = REFUSED_S_MIN;
	if (retry_s > REFUSED_S_MAX)
		retry_s = REFUSED_S_MAX;
	/* It is alive, so this is no failure that lets it be forgotten. */
	e->state = KNOWN_RELAY_FAILED;
	e->addr.family = ADDR_NONE;
	e->due_us = p->world->now_us + retry_s * UINT64_C(1000000);
}

void
relay_pool_put_back(struct relay_pool *p, const uint8_t key[KEY_LEN])
{
	struct known_relay *e = find_entry(p, key);

	if (e != NULL)
		e->state = e->addr.family != ADDR_NONE ? KNOWN_RELAY_PROVED
						       : KNOWN_RELAY_FOUND;
}

uint32_t
relay_pool_proving(const struct relay_pool *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->len; i++)
		n += p->entries[i].state == KNOWN_RELAY_PROVING;
	return n;
}

uint32_t
relay_pool_fresh(const struct relay_pool *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->len; i++)
		n += p->entries[i].state == KNOWN_RELAY_PROVED &&
		     p->world->now_us < p->entries[i].due_us;
	return n;
}

/* ---- the choice ---- */

static bool
is_usable(const struct known_relay *e, const uint8_t *own, const uint8_t *peer)
{
	return e->addr.family != ADDR_NONE &&
	       memcmp(e->key, own, KEY_LEN) != 0 &&
	       memcmp(e->key, peer, KEY_LEN) != 0;
}

static bool
same_prefix(const struct addr *a, const struct addr *b)
{
	size_t len = a->family == ADDR_V6 ? PREFIX6_LEN : PREFIX4_LEN;

	return a->family == b->family && memcmp(a->ip, b->ip, len) == 0;
}

/* Adds a relay to those chosen from; of two in one prefix the nearer stays. */
static uint32_t
add_choice(
    const struct known_relay **list, uint32_t len, const struct known_relay *e)
{
	for (uint32_t i = 0; i < len; i++) {
		if (!same_prefix(&list[i]->addr, &e->addr))
			continue;
		if (e->rtt_us < list[i]->rtt_us)
			list[i] = e;
		return len;
	}
	list[len] = e;
	return len + 1;
}

const uint8_t *
relay_pool_choose(struct relay_pool *p, const uint8_t own[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	const struct known_relay *list[RELAY_POOL_MAX];
	uint64_t least_us = UINT64_MAX;
	uint32_t len = 0, near = 0;

	for (uint32_t i = 0; i < p->len; i++)
		if (is_usable(&p->entries[i], own, peer))
			len = add_choice(list, len, &p->entries[i]);
	for (uint32_t i = 0; i < len; i++)
		if (list[i]->rtt_us < least_us)
			least_us = list[i]->rtt_us;
	for (uint32_t i = 0; i < len; i++)
		if (list[i]->rtt_us <= least_us + least_us / 2)
			list[near++] = list[i];
	return near > 0 ? list[world_below(p->world, near)]->key : NULL;
}
