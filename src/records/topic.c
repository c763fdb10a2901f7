/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "records/stored.h"
#include "records/topic.h"

/* The most that a bump may be ahead of our clock, protocol 02 §6.2. */
enum { BUMP_AHEAD_MS = 60000 };

/* The capacity of the first array of a topic with more than one record. */
enum { MANY_MIN = 4 };

/* Records are unordered: choosing one at random costs the same in any topic. */
struct topic {
	struct pool_index_link index;
	uint8_t target[HASH_LEN];
	union {
		uint32_t one; /* cap 0: most topics have a single record */
		uint32_t *many;
	} records;
	uint64_t bump;
	uint32_t len, cap;
};

struct topic_record {
	struct cache_item item;
	uint32_t topic, place; /* among the records of the topic */
	struct stored_peer peer;
};

static struct topic *
topic_at(const struct topics *t, uint32_t at)
{
	return pool_at(&t->cells, at);
}

static struct topic_record *
record_at(const struct topics *t, uint32_t at)
{
	return cache_at(&t->records, at);
}

static struct source_host *
host_of(const struct topics *t, const struct topic_record *r)
{
	return sources_host(&t->records.sources, r->item.source);
}

static struct source_prefix *
prefix_of(const struct topics *t, const struct topic_record *r)
{
	return sources_prefix(&t->records.sources, host_of(t, r)->prefix);
}

/* ---- the records of a topic ---- */

static uint32_t *
members_of(struct topic *tp)
{
	return tp->cap == 0 ? &tp->records.one : tp->records.many;
}

static void
set_member(const struct topics *t, struct topic *tp, uint32_t i, uint32_t at)
{
	members_of(tp)[i] = at;
	record_at(t, at)->place = i;
}

static void
swap_members(const struct topics *t, struct topic *tp, uint32_t i, uint32_t j)
{
	uint32_t at = members_of(tp)[i];

	set_member(t, tp, i, members_of(tp)[j]);
	set_member(t, tp, j, at);
}

/* Grows the array for one more record. Returns false if memory is short. */
static bool
grow_topic(struct topic *tp)
{
	uint32_t cap = tp->cap > 0 ? 2 * tp->cap : MANY_MIN;
	uint32_t *many;

	if (tp->len == 0 || tp->len < tp->cap)
		return true;
	many =
	    realloc(tp->cap > 0 ? tp->records.many : NULL, cap * sizeof *many);
	if (many == NULL)
		return false;
	if (tp->cap == 0)
		many[0] = tp->records.one;
	tp->records.many = many;
	tp->cap = cap;
	return true;
}

/* Shrinks an array of which a quarter is used: otherwise topics that had many
 * records once would hold the memory of all of them. */
static void
trim_topic(struct topic *tp)
{
	uint32_t cap = tp->cap / 2;
	uint32_t *many;

	if (tp->cap <= MANY_MIN || tp->len > tp->cap / 4)
		return;
	many = realloc(tp->records.many, cap * sizeof *many);
	if (many == NULL)
		return;
	tp->records.many = many;
	tp->cap = cap;
}

static void
free_topic(struct topics *t, uint32_t topic)
{
	struct topic *tp = topic_at(t, topic);

	if (tp->cap > 0)
		free(tp->records.many);
	pool_index_del(&t->index, topic);
	pool_put(&t->cells, topic);
}

/* Removes a record from its topic, and the topic if that is empty now. */
static void
leave_topic(struct topics *t, uint32_t at)
{
	uint32_t topic = record_at(t, at)->topic;
	struct topic *tp;

	if (topic == 0)
		return;
	tp = topic_at(t, topic);
	set_member(t, tp, record_at(t, at)->place, members_of(tp)[tp->len - 1]);
	if (--tp->len == 0)
		free_topic(t, topic);
	else
		trim_topic(tp);
}

static void
record_gone(struct cache *c, uint32_t at)
{
	leave_topic((struct topics *)(void *)c, at);
}

size_t
topics_bytes_max(const struct limits *l)
{
	/* An array has space for four records per record at most. */
	return cache_bytes_max(sizeof(struct topic_record), l->records) +
	       pool_bytes_max(sizeof(struct topic), l->records) +
	       pool_index_bytes_max(l->records) +
	       l->records * heap_bytes(MANY_MIN * sizeof(uint32_t));
}

static void
set_own_limits(struct topics *t, const struct limits *l)
{
	/* Each topic has a record. */
	t->cells.limit = l->records;
	t->records_max = l->topic_records;
	t->serve_host = l->serve_host;
	t->serve_prefix = l->serve_prefix;
}

void
topics_init(struct topics *t, const struct limits *l,
    const struct hash_key *key, struct stats *st)
{
	struct cache_limits cl = cache_limits_of(l, l->records);

	*t = (struct topics){.key = key};
	cache_init(&t->records, sizeof(struct topic_record), &cl, key, st,
	    record_gone);
	pool_init(&t->cells, sizeof(struct topic), l->records);
	pool_index_init(&t->index, &t->cells, offsetof(struct topic, index));
	set_own_limits(t, l);
}

void
topics_fini(struct topics *t)
{
	cache_fini(&t->records);
	pool_index_fini(&t->index);
	pool_fini(&t->cells);
}

void
topics_set_limits(struct topics *t, const struct limits *l)
{
	struct cache_limits cl = cache_limits_of(l, l->records);

	set_own_limits(t, l);
	cache_set_limits(&t->records, &cl);
}

static uint32_t
topic_hash(const struct topics *t, const uint8_t *target)
{
	return hash_bytes(t->key, target, HASH_LEN);
}

static uint32_t
record_hash(const struct topics *t, const uint8_t *target, const uint8_t *key)
{
	uint8_t both[HASH_LEN + KEY_LEN];

	memcpy(both, target, HASH_LEN);
	memcpy(both + HASH_LEN, key, KEY_LEN);
	return hash_bytes(t->key, both, sizeof both);
}

static uint32_t
find_topic(const struct topics *t, const uint8_t *target)
{
	uint32_t i = pool_index_first(&t->index, topic_hash(t, target));

	while (i != 0 && memcmp(topic_at(t, i)->target, target, HASH_LEN) != 0)
		i = pool_index_next(&t->index, i);
	return i;
}

static uint32_t
find_or_add_topic(struct topics *t, const uint8_t *target)
{
	uint32_t i = find_topic(t, target);

	if (i != 0)
		return i;
	i = pool_get(&t->cells);
	if (i != 0 &&
	    pool_index_add(&t->index, i, topic_hash(t, target)) != 0) {
		pool_put(&t->cells, i);
		i = 0;
	}
	if (i != 0)
		memcpy(topic_at(t, i)->target, target, HASH_LEN);
	return i;
}

static bool
is_record(const struct topics *t, uint32_t at, const uint8_t *target,
    const uint8_t *key)
{
	const struct topic_record *r = record_at(t, at);

	return memcmp(r->peer.key, key, KEY_LEN) == 0 &&
	       memcmp(topic_at(t, r->topic)->target, target, HASH_LEN) == 0;
}

static uint32_t
find_record(const struct topics *t, uint32_t hash, const uint8_t *target,
    const uint8_t *key)
{
	uint32_t i = pool_index_first(&t->records.index, hash);

	while (i != 0 && !is_record(t, i, target, key))
		i = pool_index_next(&t->records.index, i);
	return i;
}

/* ---- a full topic ---- */

/* Counts the records of each source of a topic in the marks of the sources. */
static void
mark_sources(const struct topics *t, struct topic *tp)
{
	for (uint32_t i = 0; i < tp->len; i++) {
		const struct topic_record *r = record_at(t, members_of(tp)[i]);

		host_of(t, r)->mark = 0;
		prefix_of(t, r)->mark = 0;
	}
	for (uint32_t i = 0; i < tp->len; i++) {
		const struct topic_record *r = record_at(t, members_of(tp)[i]);

		host_of(t, r)->mark++;
		prefix_of(t, r)->mark++;
	}
}

/*
 * Returns whether a is to be evicted before b: that of the heavier /24, then of
 * the heavier host, then the older one.
 */
static bool
evict_before(const struct topics *t, const struct topic_record *a,
    const struct topic_record *b)
{
	uint32_t prefix_a = prefix_of(t, a)->mark;
	uint32_t prefix_b = prefix_of(t, b)->mark;
	uint32_t host_a = host_of(t, a)->mark, host_b = host_of(t, b)->mark;

	if (prefix_a != prefix_b)
		return prefix_a > prefix_b;
	if (host_a != host_b)
		return host_a > host_b;
	return a->item.since_s < b->item.since_s;
}

static uint32_t
find_topic_victim(const struct topics *t, struct topic *tp)
{
	uint32_t victim = members_of(tp)[0];

	mark_sources(t, tp);
	for (uint32_t i = 1; i < tp->len; i++)
		if (evict_before(t, record_at(t, members_of(tp)[i]),
			record_at(t, victim)))
			victim = members_of(tp)[i];
	return victim;
}

static void
shrink_topic(struct topics *t, const uint8_t *target)
{
	uint32_t topic = find_topic(t, target);

	if (topic == 0 || topic_at(t, topic)->len < t->records_max)
		return;
	cache_del(&t->records, find_topic_victim(t, topic_at(t, topic)));
	t->records.stats->records_evicted++;
}

/* ---- changes ---- */

static int
join_topic(struct topics *t, uint32_t at, const uint8_t *target)
{
	uint32_t topic = find_or_add_topic(t, target);
	struct topic *tp;

	if (topic == 0 || !grow_topic(topic_at(t, topic))) {
		cache_del(&t->records, at);
		return ERR_MEMORY;
	}
	tp = topic_at(t, topic);
	record_at(t, at)->topic = topic;
	set_member(t, tp, tp->len++, at);
	return 0;
}

static int
replace_record(struct topics *t, const struct writer *w, uint32_t at,
    const struct peer_record *p)
{
	if (!cache_renew(&t->records, w, at, 1))
		return ERR_MEMORY;
	stored_peer_set(&record_at(t, at)->peer, p);
	return 0;
}

int
topics_add(struct topics *t, const struct writer *w, const uint8_t *target,
    const struct peer_record *p)
{
	uint32_t hash = record_hash(t, target, p->key);
	uint32_t at = find_record(t, hash, target, p->key);

	if (at != 0)
		return replace_record(t, w, at, p);
	shrink_topic(t, target);
	at = cache_add(&t->records, w, hash, 1);
	if (at == 0)
		return ERR_MEMORY;
	stored_peer_set(&record_at(t, at)->peer, p);
	return join_topic(t, at, target);
}

void
topics_del(struct topics *t, const uint8_t *target, const uint8_t key[KEY_LEN])
{
	uint32_t at = find_record(t, record_hash(t, target, key), target, key);

	if (at != 0)
		cache_del(&t->records, at);
}

void
topics_bump(
    struct topics *t, const uint8_t *target, uint64_t bump, uint64_t unix_ms)
{
	uint32_t topic = find_topic(t, target);

	if (topic != 0 && bump > topic_at(t, topic)->bump &&
	    bump <= unix_ms + BUMP_AHEAD_MS)
		topic_at(t, topic)->bump = bump;
}

/* ---- sampling for a reply ---- */

/* A sample in progress: chosen records move to the front of the topic. */
struct topic_sample {
	const struct topics *topics;
	struct topic *topic;
	struct world *world;
	uint32_t now_s;
	uint32_t len; /* records chosen; their sources follow */
	uint32_t host[LOOKUP_PEERS_MAX], prefix[LOOKUP_PEERS_MAX];
};

/* Chooses the i-th record unless its sources have reached their maximum. */
static void
choose_record(
    struct topic_sample *s, uint32_t i, uint32_t host_max, uint32_t prefix_max)
{
	const struct topics *t = s->topics;
	uint32_t at = members_of(s->topic)[i], hosts = 0, prefixes = 0;
	uint32_t host = record_at(t, at)->item.source;
	uint32_t prefix = sources_host(&t->records.sources, host)->prefix;

	if (cache_expired(&t->records, at, s->now_s))
		return;
	for (uint32_t k = 0; k < s->len; k++) {
		hosts += s->host[k] == host;
		prefixes += s->prefix[k] == prefix;
	}
	if (hosts >= host_max || prefixes >= prefix_max)
		return;
	s->host[s->len] = host;
	s->prefix[s->len] = prefix;
	swap_members(t, s->topic, s->len++, i);
}

/* Chooses more records at random until the sample is full. */
static void
choose_records(struct topic_sample *s, uint32_t host_max, uint32_t prefix_max)
{
	uint32_t n = s->topic->len;

	for (uint32_t i = s->len; i < n && s->len < LOOKUP_PEERS_MAX; i++) {
		/* The order does not matter if all of them fit. */
		if (n > LOOKUP_PEERS_MAX)
			swap_members(s->topics, s->topic, i,
			    i + world_below(s->world, n - i));
		choose_record(s, i, host_max, prefix_max);
	}
}

void
topics_pick(struct topics *t, struct world *world, bool shares, uint32_t now_s,
    const uint8_t *target, struct topic_pick *out)
{
	uint32_t topic = find_topic(t, target);
	struct topic_sample s = {.topics = t, .world = world, .now_s = now_s};

	out->len = 0;
	out->bump = 0;
	if (topic == 0)
		return;
	s.topic = topic_at(t, topic);
	if (shares && s.topic->len > LOOKUP_PEERS_MAX) {
		/* Each source gets one record before any gets a second. */
		choose_records(&s, 1, 1);
		choose_records(&s, t->serve_host, t->serve_prefix);
	}
	/* Records over the maximum fill what space is left. */
	choose_records(&s, UINT32_MAX, UINT32_MAX);
	for (uint32_t i = 0; i < s.len; i++)
		out->peers[i] = stored_peer_get(
		    &record_at(t, members_of(s.topic)[i])->peer);
	out->len = s.len;
	out->bump = s.topic->bump;
}
