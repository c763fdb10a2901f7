/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "records/forward.h"
#include "records/stored.h"

struct forward {
	struct cache_entry entry; /* by target */
	struct addr to;
	struct stored_peer peer;
};

size_t
forwards_bytes_max(const struct limits *l)
{
	return cache_bytes_max(sizeof(struct forward), l->forwards);
}

void
forwards_init(struct forwards *f, const struct limits *l,
    const struct hash_key *key, struct stats *st)
{
	struct cache_limits cl = cache_limits_of(l, l->forwards);

	cache_init(&f->entries, sizeof(struct forward), &cl, key, st, NULL);
}

void
forwards_fini(struct forwards *f)
{
	cache_fini(&f->entries);
}

void
forwards_set_limits(struct forwards *f, const struct limits *l)
{
	struct cache_limits cl = cache_limits_of(l, l->forwards);

	cache_set_limits(&f->entries, &cl);
}

static struct source_host *
host_of(const struct forwards *f, const struct forward *e)
{
	return sources_host(&f->entries.sources, e->entry.item.source);
}

int
forwards_set(struct forwards *f, const struct writer *w, const uint8_t *target,
    const struct peer_record *p)
{
	uint32_t at = cache_set(&f->entries, w, target, 1);
	struct forward *e;

	if (at == 0)
		return ERR_MEMORY;
	e = cache_at(&f->entries, at);
	e->to = *w->from;
	stored_peer_set(&e->peer, p);
	host_of(f, e)->last_seen_s = w->now_s;
	return 0;
}

void
forwards_del(struct forwards *f, uint32_t now_s, const uint8_t *target)
{
	uint32_t at = cache_find(&f->entries, now_s, target);

	if (at != 0)
		cache_del(&f->entries, at);
}

bool
forwards_find(const struct forwards *f, uint32_t now_s, const uint8_t *target,
    struct peer_record *p, struct addr *to)
{
	uint32_t at = cache_find(&f->entries, now_s, target);
	const struct forward *e;

	if (at == 0)
		return false;
	e = cache_at(&f->entries, at);
	if (now_s - host_of(f, e)->last_seen_s >= FORWARD_SILENT_S)
		return false;
	if (p != NULL)
		*p = stored_peer_get(&e->peer);
	if (to != NULL)
		*to = e->to;
	return true;
}

void
forwards_note_host(struct forwards *f, const struct addr *from, uint32_t now_s)
{
	uint32_t host;

	if (cache_len(&f->entries) == 0)
		return;
	host = sources_find(&f->entries.sources, from);
	if (host != 0)
		sources_host(&f->entries.sources, host)->last_seen_s = now_s;
}
