/* SPDX-License-Identifier: ISC */
/*
 * Goal: what unvalidated sources store is bounded, limited to shares, and
 * expires.
 *
 * Method: topics, forwards and values are filled directly, by honest sources
 * and by floods, under a clock that the test sets. A checker compares all
 * counts of a cache with its cells after thousands of random operations. The
 * cache traces of the reference are replayed for the effects that others rely
 * on.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "world/sim_world.h"
#include "records/forward.h"
#include "records/refresh.h"
#include "records/topic.h"
#include "records/value.h"
#include "t.h"

#define VECTORS "records.json"

enum { HONEST = 20, LOOKUPS = 200 };

static const struct hash_key key = {{1, 2, 3}};

static struct addr
source(uint32_t host)
{
	return addr_v4((uint8_t)(host >> 24), (uint8_t)(host >> 16),
	    (uint8_t)(host >> 8), (uint8_t)host, 4000);
}

/* Returns 32 bytes that stand for a number. */
static const uint8_t *
name(uint8_t out[HASH_LEN], uint32_t n)
{
	memset(out, 0, HASH_LEN);
	memcpy(out, &n, sizeof n);
	return out;
}

static uint32_t
number(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof n);
	return n;
}

static int
announce(struct topics *t, uint32_t topic, uint32_t peer, uint32_t host,
    uint32_t now_s, bool shares)
{
	uint8_t target[HASH_LEN], pk[KEY_LEN];
	struct addr from = source(host);
	struct writer w = {.from = &from, .now_s = now_s, .shares = shares};
	struct peer_record p = {.key = name(pk, peer)};

	return topics_add(t, &w, name(target, topic), &p);
}

/* ---- the checker ---- */

static void
check_heap(const struct sources *s)
{
	for (uint32_t i = 0; i < s->prefixes.len; i++) {
		const struct source_prefix *p = sources_prefix(s, s->heap[i]);

		ck_assert_uint_eq(p->place, i);
		if (i > 0)
			ck_assert_uint_le(p->weight,
			    sources_prefix(s, s->heap[(i - 1) / 2])->weight);
	}
}

/*
 * Checks that every count is the sum of its parts and that all chains are
 * intact.
 */
static void
check_cache(const struct cache *c)
{
	const struct sources *s = &c->sources;
	uint32_t cells = 0, weight = 0, hosts = 0, by_host = 0, since = 0;
	const struct cache_item *it;

	for (uint32_t i = c->age.first; i != 0; i = it->age.next) {
		it = cache_at(c, i);
		ck_assert_uint_ge(it->since_s, since);
		since = it->since_s;
		weight += it->weight;
		cells++;
	}
	ck_assert_uint_eq(cells, cache_len(c));
	ck_assert_uint_eq(cells, c->index.len);
	ck_assert_uint_eq(weight, c->weight);
	ck_assert_uint_le(weight, c->limits.weight);
	ck_assert_uint_le(cells, c->limits.cells);
	check_heap(s);
	for (uint32_t i = 0; i < s->prefixes.len; i++) {
		const struct source_prefix *p = sources_prefix(s, s->heap[i]);
		const struct source_host *h;
		uint32_t of_prefix = 0;

		for (uint32_t j = p->hosts.first; j != 0; j = h->sibling.next) {
			uint32_t of_host = 0;

			h = sources_host(s, j);
			for (uint32_t k = h->items.first; k != 0;
			     k = it->host.next) {
				it = cache_at(c, k);
				ck_assert_uint_eq(it->source, j);
				of_host += it->weight;
				by_host++;
			}
			ck_assert_uint_eq(of_host, h->weight);
			ck_assert_uint_gt(of_host, 0);
			of_prefix += of_host;
			hosts++;
		}
		ck_assert_uint_eq(of_prefix, p->weight);
	}
	ck_assert_uint_eq(hosts, s->hosts.len);
	ck_assert_uint_eq(by_host, cells);
}

static size_t
pool_size(const struct pool *p)
{
	size_t table = p->chunks_len > 0;

	while (table < p->chunks_len)
		table *= 2;
	/* malloc adds 16 bytes to each chunk. */
	return p->chunks_len * (((size_t)p->cell << p->shift) + 16) +
	       table * sizeof *p->chunks;
}

static size_t
cache_size(const struct cache *c)
{
	return pool_size(&c->cells) + pool_size(&c->sources.hosts) +
	       pool_size(&c->sources.prefixes) +
	       (c->index.heads_len + c->sources.by_host.heads_len +
		   c->sources.by_prefix.heads_len + c->sources.heap_cap) *
		   sizeof(uint32_t);
}

/* ---- memory ---- */

START_TEST(memory_of_full_cache)
{
	struct topics t;
	struct limits l;
	struct stats st = {0};
	size_t size;

	limits_init(&l);
	topics_init(&t, &l, &key, &st);
	ck_assert_uint_eq(cache_size(&t.records) + pool_size(&t.cells), 0);
	for (uint32_t i = 0; i < l.records; i++)
		ck_assert_int_eq(announce(&t, i, i, 0x7f000001, 1, false), 0);
	ck_assert_uint_eq(cache_len(&t.records), l.records);
	ck_assert_uint_eq(topics_len(&t), l.records);
	size = cache_size(&t.records) + pool_size(&t.cells) +
	       t.index.heads_len * sizeof(uint32_t);
	ck_assert_uint_le(size, 11500 * 1024);
	topics_fini(&t);
}
END_TEST

/* ---- floods ---- */

struct flood {
	struct sim_world fw;
	struct topics t;
	struct stats st;
	struct limits l;
};

/* Adds twenty honest hosts, each of its own /24, to topic 0. */
static void
flood_init(struct flood *f)
{
	memset(f, 0, sizeof *f);
	sim_world_init(&f->fw, NULL, 11);
	limits_init(&f->l);
	f->l.records = f->l.forwards = 65536;
	f->l.refreshes = 16384;
	f->l.values = 32768;
	f->l.value_bytes = 16777216;
	topics_init(&f->t, &f->l, &key, &f->st);
	for (uint32_t i = 0; i < HONEST; i++)
		ck_assert_int_eq(
		    announce(&f->t, 0, i, 0x50000000 + i * 0x10000, 1, true),
		    0);
}

static void
flood_fini(struct flood *f)
{
	topics_fini(&f->t);
	sim_world_fini(&f->fw);
}

/* Counts the lookups that return each honest host; no peer appears twice. */
static void
flood_lookups(struct flood *f, uint32_t seen[HONEST])
{
	uint8_t target[HASH_LEN];
	struct topic_pick pick;

	memset(seen, 0, HONEST * sizeof *seen);
	for (int i = 0; i < LOOKUPS; i++) {
		topics_pick(&f->t, &f->fw.w, true, 1, name(target, 0), &pick);
		ck_assert_uint_eq(pick.len, LOOKUP_PEERS_MAX);
		for (size_t j = 0; j < pick.len; j++) {
			uint32_t n = number(pick.peers[j].key);

			if (n < HONEST)
				seen[n]++;
			for (size_t k = 0; k < j; k++)
				ck_assert_ptr_ne(
				    pick.peers[j].key, pick.peers[k].key);
		}
	}
}

static void
assert_honest_served(struct flood *f, uint32_t percent)
{
	uint32_t seen[HONEST];

	flood_lookups(f, seen);
	for (uint32_t i = 0; i < HONEST; i++)
		ck_assert_uint_ge(seen[i] * 100, LOOKUPS * percent);
}

/* A topic does not keep the memory of the most records that it ever had. */
START_TEST(topics_shrink)
{
	enum { TOPICS = 64, MANY = 1000 };
	struct flood f;
	size_t before = 0;

	flood_init(&f);
	for (uint32_t topic = 1; topic <= TOPICS; topic++) {
		uint8_t target[HASH_LEN], pk[KEY_LEN];

		for (uint32_t i = 0; i < MANY; i++)
			ck_assert_int_eq(announce(&f.t, topic, 1000 + i,
					     0x60000001, 1, false),
			    0);
		for (uint32_t i = 1; i < MANY; i++)
			topics_del(
			    &f.t, name(target, topic), name(pk, 1000 + i));
		if (topic == 1)
			before = mallinfo2().uordblks;
	}
	ck_assert_uint_lt(mallinfo2().uordblks, before + TOPICS * 1024);
	flood_fini(&f);
}
END_TEST

START_TEST(one_host_floods_a_topic)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 65536; i++)
		ck_assert_int_eq(
		    announce(&f.t, 0, 1000 + i, 0x60000001, 1, true), 0);
	check_cache(&f.t.records);
	/* Its share of the cache, 1 % of 65536. */
	ck_assert_uint_eq(cache_len(&f.t.records), HONEST + 655);
	ck_assert_uint_eq(f.st.records_evicted, 65536 - 655);
	assert_honest_served(&f, 90);
	flood_fini(&f);
}
END_TEST

START_TEST(one_prefix_floods_a_topic)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 6000; i++)
		announce(&f.t, 0, 1000 + i, 0x60000000 + i % 256, 1, true);
	check_cache(&f.t.records);
	/* The topic is full of it before its share of the cache is used up. */
	ck_assert_uint_eq(cache_len(&f.t.records), f.l.topic_records);
	assert_honest_served(&f, 90);
	flood_fini(&f);
}
END_TEST

START_TEST(one_prefix_floods_the_cache)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 65536; i++)
		announce(&f.t, 1 + i, i, 0x60000000 + i % 256, 1, true);
	check_cache(&f.t.records);
	ck_assert_uint_eq(cache_len(&f.t.records), HONEST + 2621);
	ck_assert_uint_eq(topics_len(&f.t), 1 + 2621);
	assert_honest_served(&f, 100);
	flood_fini(&f);
}
END_TEST

/* Many sources fill the cache: the largest ones are evicted for new ones. */
START_TEST(many_prefixes_flood_the_cache)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 2 * 65536; i++)
		announce(&f.t, 1 + i, i,
		    0x60000000 + i % 64 * 256 + i / 64 % 256, 1, true);
	check_cache(&f.t.records);
	ck_assert_uint_eq(cache_len(&f.t.records), f.l.records);
	assert_honest_served(&f, 100);
	flood_fini(&f);
}
END_TEST

/*
 * Floods one topic from more /24s than shares can stop: the largest are
 * evicted.
 */
START_TEST(many_prefixes_flood_a_topic)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 5000; i++)
		announce(&f.t, 0, 1000 + i,
		    0x60000000 + i % 64 * 256 + i / 64 % 256, 1, true);
	check_cache(&f.t.records);
	ck_assert_uint_eq(cache_len(&f.t.records), f.l.topic_records);
	for (uint32_t i = 0; i < HONEST; i++) {
		/* It is still there, so announcing it again evicts nothing. */
		uint64_t evicted = f.st.records_evicted;

		announce(&f.t, 0, i, 0x50000000 + i * 0x5000, 1, true);
		ck_assert_uint_eq(f.st.records_evicted, evicted);
	}
	flood_fini(&f);
}
END_TEST

/* Many peers behind one address are served in full while there is space. */
START_TEST(crowd_behind_one_address)
{
	struct sim_world fw;
	struct topics t;
	struct limits l;
	struct stats st = {0};
	struct topic_pick pick;
	uint8_t target[HASH_LEN];
	uint32_t served[50] = {0};

	sim_world_init(&fw, NULL, 5);
	limits_init(&l);
	topics_init(&t, &l, &key, &st);
	for (uint32_t i = 0; i < 50; i++)
		announce(&t, 7, i, 0x60000001, 1, true);
	for (int i = 0; i < 100; i++) {
		topics_pick(&t, &fw.w, true, 1, name(target, 7), &pick);
		ck_assert_uint_eq(pick.len, LOOKUP_PEERS_MAX);
		for (size_t j = 0; j < pick.len; j++)
			served[number(pick.peers[j].key)]++;
	}
	/* The sample is random: each is returned about 40 times. */
	for (uint32_t i = 0; i < 50; i++)
		ck_assert_uint_gt(served[i], 15);
	topics_fini(&t);
	sim_world_fini(&fw);
}
END_TEST

/* Evicts the oldest record of a host, not that of another host of its /24. */
START_TEST(own_oldest_first)
{
	struct flood f;
	uint8_t target[HASH_LEN];
	struct topic_pick pick;

	flood_init(&f);
	announce(&f.t, 1, 1, 0x60000002, 1, true);
	for (uint32_t i = 0; i < 656; i++)
		announce(&f.t, 10 + i, 1, 0x60000001, 2, true);
	topics_pick(&f.t, &f.fw.w, true, 2, name(target, 1), &pick);
	ck_assert_uint_eq(pick.len, 1);
	topics_pick(&f.t, &f.fw.w, true, 2, name(target, 10), &pick);
	ck_assert_uint_eq(pick.len, 0);
	topics_pick(&f.t, &f.fw.w, true, 2, name(target, 11), &pick);
	ck_assert_uint_eq(pick.len, 1);
	flood_fini(&f);
}
END_TEST

/* Without shares, in a private network, one address may fill the cache. */
START_TEST(private_network)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 5000; i++)
		announce(&f.t, 1 + i, 1, 0x7f000001, 1, false);
	ck_assert_uint_eq(cache_len(&f.t.records), HONEST + 5000);
	flood_fini(&f);
}
END_TEST

/* ---- values ---- */

static void
put(struct values *v, uint32_t n, size_t len, uint32_t host, uint32_t now_s)
{
	static const uint8_t bytes[DGRAM_MAX];
	uint8_t target[HASH_LEN];
	struct addr from = source(host);
	struct writer w = {.from = &from, .now_s = now_s, .shares = true};

	ck_assert_int_eq(
	    values_set(v, &w, name(target, n), n, (struct bytes){bytes, len}),
	    0);
}

START_TEST(byte_budget)
{
	struct values v;
	struct limits l;
	struct stats st = {0};
	uint32_t bytes;

	limits_init(&l);
	l.value_bytes = 1 << 20;
	values_init(&v, &l, &key, &st);
	/* One host: 1 % of the bytes, and never less than one value. */
	for (uint32_t i = 0; i < 1000; i++) {
		put(&v, i, 1000, 0x60000001, 1);
		ck_assert_uint_le(v.bytes, (1 << 20) / 100);
	}
	ck_assert_uint_eq(v.bytes, 10000);
	for (uint32_t i = 0; i < 30000; i++)
		put(&v, i, i % 2000, 0x60000000 + i * 77, 1);
	check_cache(&v.entries);
	ck_assert_uint_le(v.bytes, 1 << 20);
	ck_assert_uint_gt(v.bytes, 1 << 19);
	bytes = v.bytes;
	/* A value that grows is charged with its new length. */
	put(&v, 1 << 30, 10, 1, 1);
	put(&v, 1 << 30, 1500, 1, 1);
	check_cache(&v.entries);
	ck_assert_uint_le(v.bytes, bytes + 1500);
	values_fini(&v);
	ck_assert_uint_eq(v.bytes, 0);
}
END_TEST

/* The number of tiny values is limited as well. */
START_TEST(value_count)
{
	struct values v;
	struct limits l;
	struct stats st = {0};

	limits_init(&l);
	l.values = 100;
	values_init(&v, &l, &key, &st);
	for (uint32_t i = 0; i < 1000; i++)
		put(&v, i, i % 2, 0x60000000 + i * 257, 1);
	ck_assert_uint_eq(cache_len(&v.entries), 100);
	check_cache(&v.entries);
	values_fini(&v);
}
END_TEST

/* ---- random operations ---- */

/* Runs one of all operations on topics. */
static void
random_step(struct topics *t, struct prng *r, uint32_t *now_s)
{
	uint8_t target[HASH_LEN], pk[KEY_LEN];
	uint32_t topic = prng_below(r, 40), peer = prng_below(r, 60);
	/* Some hosts write much more than others. */
	uint32_t host = 0x60000000 + prng_below(r, 1 + prng_below(r, 1500));

	switch (prng_below(r, 10)) {
	case 0:
		topics_del(t, name(target, topic), name(pk, peer));
		break;
	case 1:
		*now_s += prng_below(r, 20);
		cache_expire(&t->records, *now_s);
		break;
	default:
		ck_assert_int_eq(announce(t, topic, peer, host, *now_s,
				     prng_below(r, 4) != 0),
		    0);
	}
}

static void
check_topics(const struct topics *t)
{
	check_cache(&t->records);
	ck_assert_uint_eq(t->cells.len, t->index.len);
	ck_assert_uint_le(t->cells.len, cache_len(&t->records));
}

START_TEST(random_operations)
{
	struct topics t;
	struct limits l;
	struct stats st = {0};
	struct prng r = prng_seeded((uint64_t)_i + 1);
	uint32_t now_s = 1;

	limits_init(&l);
	l.records = 300;
	l.topic_records = 20;
	l.record_seconds = 600;
	l.share_host_permille = 50;
	l.share_prefix_permille = 200;
	topics_init(&t, &l, &key, &st);
	for (int i = 0; i < 5000; i++) {
		random_step(&t, &r, &now_s);
		if (i % 32 == 0)
			check_topics(&t);
		if (i % 1000 == 999) {
			l.records = 100 + prng_below(&r, 300);
			topics_set_limits(&t, &l);
			check_topics(&t);
		}
	}
	ck_assert_uint_gt(st.records_evicted, 0);
	ck_assert_uint_gt(st.records_expired, 0);
	for (int i = 0; i < 3; i++)
		cache_expire(&t.records, now_s + 600);
	ck_assert_uint_eq(cache_len(&t.records), 0);
	ck_assert_uint_eq(topics_len(&t), 0);
	ck_assert_uint_eq(t.records.sources.hosts.len, 0);
	ck_assert_uint_eq(t.records.sources.prefixes.len, 0);
	topics_fini(&t);
}
END_TEST

/* Expires a bounded number at a time and returns when to continue. */
START_TEST(mass_death)
{
	struct flood f;

	flood_init(&f);
	for (uint32_t i = 0; i < 1000; i++)
		announce(&f.t, 1 + i, 1, 0x7f000001, 10, false);
	ck_assert_uint_eq(cache_expire(&f.t.records, 1), 1200);
	ck_assert_uint_eq(cache_expire(&f.t.records, 1200), 1);
	ck_assert_uint_eq(cache_expire(&f.t.records, 1201), 9);
	ck_assert_uint_eq(cache_len(&f.t.records), 1000);
	ck_assert_uint_eq(cache_expire(&f.t.records, 1210), 1);
	ck_assert_uint_eq(cache_len(&f.t.records), 744);
	for (int i = 0; i < 3; i++)
		cache_expire(&f.t.records, 1211);
	ck_assert_uint_eq(cache_expire(&f.t.records, 1211), CACHE_EMPTY);
	flood_fini(&f);
}
END_TEST

/* ---- the traces of the reference ---- */

/*
 * Forward table, refreshes, values: a read returns what the last writer wrote.
 * Left out is what only two generations explain: keys lost at the end of a
 * generation (here the oldest is evicted), keys kept by reading them (here
 * none is), "gc" before the maximum age, and entries that are retained, which
 * come with listening.
 */
START_TEST(cache_trace)
{
	const json_t *steps =
	    t_get(t_get(t_vectors(VECTORS), "cache"), "steps");
	struct values v;
	struct limits l;
	struct stats st = {0};
	const json_t *step;
	size_t i;

	limits_init(&l);
	l.share_host_permille = l.share_prefix_permille = 1000;
	l.values = 6; /* the reference holds up to twice its size of 3 */
	values_init(&v, &l, &key, &st);
	json_array_foreach(steps, i, step)
	{
		uint8_t target[HASH_LEN];
		struct bytes got;
		uint64_t seq;
		const json_t *k = t_get(step, "key");
		char c = json_is_null(k) ? 0 : *json_string_value(k);

		if (strcmp(t_string(step, "op"), "set") == 0 && c != 'r')
			put(&v, (uint8_t)c, (size_t)t_uint(step, "value"), 1,
			    1);
		if (strcmp(t_string(step, "op"), "get") != 0 || c == 'r' ||
		    json_is_null(t_get(step, "returned")))
			continue;
		ck_assert(
		    values_find(&v, 1, name(target, (uint8_t)c), &seq, &got));
		ck_assert_uint_eq(got.len, t_uint(step, "returned"));
	}
	ck_assert_uint_eq(cache_len(&v.entries), 5);
	values_fini(&v);
}
END_TEST

/* Returns the number in "k1:v2" or "k1". */
static uint32_t
key_number(const char *text)
{
	return (uint32_t)(text[1] - '0');
}

/*
 * Record cache: records of either generation are served. The quirk of the
 * "unless already fresh" rule is not followed: the latest value is served.
 * From the first eviction by size on ("gc" twice) ages differ by design.
 */
START_TEST(record_cache_trace)
{
	const json_t *steps =
	    t_get(t_get(t_vectors(VECTORS), "record_cache"), "steps");
	struct sim_world fw;
	struct topics t;
	struct limits l;
	struct stats st = {0};
	const json_t *step, *fresh, *stale;
	const char *topic;
	size_t i;

	sim_world_init(&fw, NULL, 1);
	limits_init(&l);
	topics_init(&t, &l, &key, &st);
	json_array_foreach(steps, i, step)
	{
		uint8_t target[HASH_LEN];
		struct topic_pick pick;
		size_t want;

		fresh = t_get(step, "fresh");
		stale = t_get(step, "stale");
		if (json_object_size(fresh) + json_object_size(stale) == 0)
			break;
		if (strcmp(t_string(step, "op"), "add") != 0)
			continue;
		topic = t_string(step, "topic");
		announce(&t, (uint8_t)*topic, key_number(t_string(step, "key")),
		    1, 1, true);
		topics_pick(
		    &t, &fw.w, true, 1, name(target, (uint8_t)*topic), &pick);
		want = json_array_size(json_object_get(fresh, topic)) +
		       json_array_size(json_object_get(stale, topic));
		ck_assert_uint_eq(pick.len, want);
	}
	ck_assert_uint_gt(i, 8);
	topics_fini(&t);
	sim_world_fini(&fw);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("records_cache", &tc);

	tcase_add_test(tc, memory_of_full_cache);
	tcase_add_test(tc, topics_shrink);
	tcase_add_test(tc, one_host_floods_a_topic);
	tcase_add_test(tc, one_prefix_floods_a_topic);
	tcase_add_test(tc, one_prefix_floods_the_cache);
	tcase_add_test(tc, many_prefixes_flood_the_cache);
	tcase_add_test(tc, many_prefixes_flood_a_topic);
	tcase_add_test(tc, crowd_behind_one_address);
	tcase_add_test(tc, own_oldest_first);
	tcase_add_test(tc, private_network);
	tcase_add_test(tc, byte_budget);
	tcase_add_test(tc, value_count);
	tcase_add_loop_test(tc, random_operations, 0, 4);
	tcase_add_test(tc, mass_death);
	tcase_add_test(tc, cache_trace);
	tcase_add_test(tc, record_cache_trace);
	return s;
}
