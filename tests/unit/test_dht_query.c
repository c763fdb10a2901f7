/* SPDX-License-Identifier: ISC */
/*
 * Goal: a query finds the true closest nodes, cannot be diverted, ends exactly
 * once and reports its commits correctly. Method: scripted peers around one
 * dht, then a small network of real nodes (mesh.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "mesh.h"

static struct rig r;
static const uint8_t target[RPC_TARGET_LEN] = {0x77, 0x01};
static const uint8_t token[RPC_TOKEN_LEN] = {1, 2, 3};

/* The callbacks of a query. */
static struct recorded {
	unsigned replies, commits, committed, done;
	struct query_result result;
	struct query_node closest[RPC_K];
	int committed_err[RPC_K];
	uint8_t commit_token[RPC_TOKEN_LEN]; /* the latest */
	struct addr first[64];               /* nodes that replied, in order */
} recorded;

static struct query *query;
/* Where a callback cancels its own query. */
static enum { NOWHERE, IN_REPLY, IN_COMMITTED, IN_COMMIT } cancel_in;

static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct recorded *t = owner;

	ck_assert_int_eq(a->err, 0);
	ck_assert_uint_eq(a->reply->error, RPC_OK);
	if (t->replies < 64)
		t->first[t->replies] = a->from;
	t->replies++;
	if (cancel_in == IN_REPLY)
		query_cancel(query);
}

static bool
on_commit(void *owner, const struct query_node *to, struct dht_call *c)
{
	struct recorded *t = owner;

	t->commits++;
	memcpy(t->commit_token, to->token, RPC_TOKEN_LEN);
	c->command = 4;
	c->target = target;
	if (cancel_in == IN_COMMIT)
		query_cancel(query);
	return true;
}

static void
on_committed(
    void *owner, const struct query_node *to, const struct dht_answer *a)
{
	struct recorded *t = owner;

	(void)to;
	t->committed_err[t->committed++] = a->err;
	if (cancel_in == IN_COMMITTED)
		query_cancel(query);
}

static void
on_done(void *owner, const struct query_result *q)
{
	struct recorded *t = owner;

	t->done++;
	t->result = *q;
	ck_assert_uint_le(q->closest_len, RPC_K);
	memcpy(t->closest, q->closest, q->closest_len * sizeof *q->closest);
	query = NULL;
}

static struct query_spec
spec_of(uint8_t commit_max)
{
	struct query_spec spec = {
	    .command = 3,
	    .commit_max = commit_max,
	    .reply = on_reply,
	    .commit = on_commit,
	    .committed = on_committed,
	    .done = on_done,
	    .owner = &recorded,
	};

	memcpy(spec.target, target, sizeof target);
	return spec;
}

static void
start(struct dht *d, const struct query_spec *spec)
{
	ck_assert_int_eq(query_start(d, spec, &query), 0);
	ck_assert_uint_eq(recorded.done, 0);
}

static void
setup(void)
{
	memset(&recorded, 0, sizeof recorded);
	query = NULL;
	cancel_in = NOWHERE;
	rig_init_alone(&r, DHT_BOOTSTRAP);
}

static void
teardown(void)
{
	rig_fini(&r);
}

static bool
is_walk(const struct rpc_request *m)
{
	return !m->internal && m->command == 3;
}

/* Answers every step of the walk with an id and a token until nothing comes. */
static void
walk_all(void)
{
	struct rig_answer good = {.id = true, .token = token};
	struct rpc_request m;
	struct sim_sent s;

	rig_pass_ms(&r, 1);
	while (rig_take_request(&r, &s, &m))
		if (is_walk(&m))
			rig_answer(&r, &s, &good);
}

/* ---- the walk ---- */

START_TEST(asks_the_nearest_first_ten_at_a_time)
{
	struct query_spec spec = spec_of(0);
	struct rig_answer good = {.id = true};
	unsigned asked = 0;
	uint8_t before[ID_LEN] = {0};
	struct rpc_request m;
	struct sim_sent s;

	rig_fill_table(&r, 60);
	start(r.d, &spec);
	/* No callback is called from inside the start. */
	ck_assert_uint_eq(r.host.world.sent_len, 0);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(r.host.world.sent_len, 10);
	while (rig_take_request(&r, &s, &m)) {
		uint8_t id[ID_LEN];

		id_of_addr(id, &s.meta.to);
		ck_assert(asked == 0 || id_compare(target, before, id) < 0);
		ck_assert_mem_eq(m.target, target, sizeof target);
		memcpy(before, id, ID_LEN);
		asked++;
		rig_answer(&r, &s, &good);
		/* One answer, one more question. */
		ck_assert_uint_le(r.host.world.sent_len - r.taken, 10);
	}
	ck_assert_uint_eq(asked, 20);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.replies, 20);
	ck_assert_uint_eq(recorded.result.closest_len, 20);
}
END_TEST

/* Pitfall R12: six sends in a walk, the same bytes; a node that misses all is
 * gone. */
START_TEST(a_step_is_sent_six_times)
{
	struct query_spec spec = spec_of(0);
	struct sim_sent first = {0}, s;
	struct addr alive = rig_host(1);
	struct rig_answer good = {.id = true};
	unsigned sends = 0;

	timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
	rig_fill_table(&r, 1);
	start(r.d, &spec);
	for (int ms = 0; ms < 20000; ms++) {
		rig_pass_ms(&r, 1);
		while (rig_take(&r, &s)) {
			if (sends++ == 0)
				first = s;
			ck_assert_uint_eq(s.len, first.len);
			ck_assert_mem_eq(s.buf, first.buf, s.len);
		}
	}
	(void)alive;
	(void)good;
	ck_assert_uint_eq(sends, 6);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, ERR_UNREACHABLE);
	ck_assert_uint_eq(recorded.result.failures, 1);
	/* protocol 01 §8.4 */
	ck_assert_uint_eq(r.d->self.table.nodes.len, 0);
}
END_TEST

/* Pitfall Q4: nodes without id help, but are never among the closest; the same
 * for errors, which are not delivered. */
START_TEST(ephemeral_and_failing_nodes_only_help)
{
	struct query_spec spec = spec_of(0);
	struct rpc_request m;
	struct sim_sent s;
	unsigned good = 0, failed = 0;

	rig_fill_table(&r, 3);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	for (unsigned step = 0; rig_take_request(&r, &s, &m); step++) {
		struct addr next = rig_host(100 + step);
		struct rig_answer a = {.closer = &next,
		    .closer_len = step < 30 ? 1 : 0,
		    .token = token};

		/* Good ones with and without id, errors with and without. */
		a.id = step % 4 < 2;
		a.error = step % 2 == 1 ? RPC_UNKNOWN_COMMAND : 0;
		good += a.id && a.error == 0;
		failed += a.error != 0;
		rig_answer(&r, &s, &a);
	}
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.closest_len, good);
	ck_assert_uint_eq(recorded.result.replies, recorded.replies);
	ck_assert_uint_eq(
	    recorded.result.replies + recorded.result.failures, 33);
	ck_assert_uint_eq(recorded.result.failures, failed);
}
END_TEST

/* Pitfall Q4: a wrong id is no id. */
START_TEST(a_wrong_id_is_not_among_the_closest)
{
	struct query_spec spec = spec_of(0);
	struct rpc_request m;
	struct sim_sent s;
	uint8_t buf[DGRAM_MAX];
	struct rpc_reply re = {.to = r.self, .id = target};

	rig_fill_table(&r, 1);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	ck_assert(rig_take_request(&r, &s, &m));
	re.tid = m.tid;
	rig_deliver(&r, r.server, &s.meta.to, buf,
	    rpc_reply_encode(&re, buf, sizeof buf));
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_uint_eq(recorded.replies, 1);
	ck_assert_uint_eq(recorded.result.closest_len, 0);
}
END_TEST

/* ---- hostile lists (pitfall Q6) ---- */

/* Each reply lists 200 addresses. */
START_TEST(made_up_nodes_are_bounded)
{
	static struct addr closer[200];
	struct query_spec spec = spec_of(0);
	struct prng dice = prng_seeded((uint64_t)_i);
	struct rpc_request m;
	struct sim_sent s;
	unsigned asked = 0;

	rig_fill_table(&r, 20);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	for (int ms = 0; ms < 60000 && recorded.done == 0; ms += 10) {
		while (rig_take_request(&r, &s, &m)) {
			struct rig_answer a = {
			    .id = true, .closer = closer, .closer_len = 200};

			if (!is_walk(&m))
				continue;
			asked++;
			for (int i = 0; i < 200; i++)
				closer[i] = addr_v4(
				    (uint8_t)(20 + prng_below(&dice, 50)),
				    (uint8_t)prng_next(&dice),
				    (uint8_t)prng_next(&dice), 1, 4000);
			/* Half of them never answer. */
			if (_i == 0 || prng_below(&dice, 2) == 0)
				rig_answer(&r, &s, &a);
		}
		rig_pass_ms(&r, 10);
	}
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.closest_len, RPC_K);
	/* 20 of each list are looked at, no more than 2048 are remembered. */
	ck_assert_uint_le(asked, r.host.limits.query_candidates * 6);
}
END_TEST

START_TEST(impossible_nodes_are_skipped)
{
	struct query_spec spec = spec_of(0);
	struct addr closer[] = {
	    addr_v4(20, 5, 5, 5, 0),        /* port 0 */
	    r.self,                         /* us */
	    addr_v4(255, 255, 255, 255, 9), /* no node */
	    addr_v4(224, 0, 0, 1, 9),
	    addr_v4(127, 0, 0, 1, 9), /* we are public */
	    addr_v4(10, 0, 0, 1, 9), addr_v4(192, 168, 1, 1, 9),
	    rig_host(7), /* and one that is right */
	};
	struct rig_answer a = {.id = true, .closer = closer, .closer_len = 8};
	struct rpc_request m;
	struct sim_sent s;
	unsigned asked = 0;

	rig_fill_table(&r, 1);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	while (rig_take_request(&r, &s, &m)) {
		struct addr zero = rig_host(0), seven = rig_host(7);

		asked++;
		ck_assert(addr_equal(&s.meta.to, &zero) ||
			  addr_equal(&s.meta.to, &seven));
		rig_answer(&r, &s, &a);
	}
	ck_assert_uint_eq(asked, 2);
	ck_assert_uint_eq(recorded.done, 1);
}
END_TEST

/* A limit that is no power of two holds too. */
START_TEST(the_limit_of_candidates_is_exact)
{
	static struct addr closer[20];
	struct query_spec spec = spec_of(0);
	struct prng dice = prng_seeded(1);
	struct limits l;
	struct rpc_request m;
	struct sim_sent s;
	struct addr seen[400];
	unsigned n = 0;

	limits_init(&l);
	l.query_candidates = 100;
	r.host.limits = l;
	dht_limits_changed(r.d);
	rig_fill_table(&r, 20);
	start(r.d, &spec);
	for (int ms = 0; ms < 60000 && recorded.done == 0; ms += 10) {
		while (rig_take_request(&r, &s, &m)) {
			unsigned i = 0;
			struct rig_answer a = {
			    .closer = closer, .closer_len = 20};

			if (!is_walk(&m))
				continue;
			while (i < n && !addr_equal(&seen[i], &s.meta.to))
				i++;
			if (i == n)
				seen[n++] = s.meta.to;
			ck_assert_uint_lt(n, 400);
			for (i = 0; i < 20; i++)
				closer[i] =
				    addr_v4(21, (uint8_t)prng_next(&dice),
					(uint8_t)prng_next(&dice), 1, 4000);
			rig_answer(&r, &s, &a);
		}
		rig_pass_ms(&r, 10);
	}
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_uint_eq(n, 100);
}
END_TEST

/* Closest-set shares: all ports of one host, and a whole /24, answer well. */
static const struct {
	bool one_host;
	unsigned share;
} sybils[] = {{true, 1}, {false, 2}};

START_TEST(one_address_holds_one_place_among_the_closest)
{
	struct query_spec spec = spec_of(0);
	struct rpc_request m;
	struct sim_sent s;
	unsigned sybil = 0, steps = 0;

	rig_fill_table(&r, 20);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	while (rig_take_request(&r, &s, &m)) {
		struct addr closer[20];
		struct rig_answer a = {.id = true, .closer = closer};

		for (; a.closer_len < 20; a.closer_len++)
			closer[a.closer_len] = addr_v4(66, 6, 6,
			    (uint8_t)(sybils[_i].one_host
					  ? 6
					  : 1 + steps * 20 + a.closer_len),
			    (uint16_t)(1000 + steps * 20 + a.closer_len));
		steps++;
		rig_answer(&r, &s, &a);
	}
	ck_assert_uint_eq(recorded.done, 1);
	for (size_t i = 0; i < recorded.result.closest_len; i++)
		sybil += recorded.closest[i].addr.ip[0] == 66;
	ck_assert_uint_le(sybil, sybils[_i].share);
	/* Honest nodes are not pushed out. */
	ck_assert_uint_ge(recorded.result.closest_len, 19);
	/* Nor are we sent after all those ports. */
	ck_assert_uint_lt(recorded.result.replies, 20 + 17);
}
END_TEST

/* ---- the caller's list (pitfall Q7) ---- */

/* Remembers it if it is new; how many there are now. */
static unsigned
add_new(struct addr *all, unsigned len, const struct addr *a)
{
	for (unsigned i = 0; i < len; i++)
		if (addr_equal(&all[i], a))
			return len;
	ck_assert_uint_lt(len, 64);
	all[len] = *a;
	return len + 1;
}

static unsigned
ask_from_list(unsigned n, bool answer, struct addr *asked)
{
	static struct addr list[RPC_K];
	struct query_spec spec = spec_of(0);
	struct rig_answer good = {.id = true, .token = token};
	struct rpc_request m;
	struct sim_sent s;
	unsigned len = 0;

	for (unsigned i = 0; i < n; i++)
		list[i] = rig_host(200 + i);
	spec.start = list;
	spec.start_len = n;
	start(r.d, &spec);
	memset(list, 0, sizeof list); /* it was copied */
	rig_pass_ms(&r, 1);
	for (int ms = 0; ms < 30000 && recorded.done == 0; ms += 10) {
		while (rig_take_request(&r, &s, &m)) {
			bool known = s.meta.to.ip[2] < 200;

			if (!is_walk(&m))
				continue;
			len = add_new(asked, len, &s.meta.to);
			if (answer || known)
				rig_answer(&r, &s, &good);
		}
		rig_pass_ms(&r, 10);
	}
	ck_assert_uint_eq(recorded.done, 1);
	return len;
}

/* Pitfall Q7: a second announce queries the same nodes first, and no others. */
START_TEST(begins_with_the_callers_list)
{
	struct addr asked[64];
	unsigned n;

	rig_fill_table(&r, 40);
	n = ask_from_list(20, true, asked);
	ck_assert_uint_eq(n, 20);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_ge(asked[i].ip[2], 200);
	ck_assert_uint_eq(recorded.result.closest_len, 20);
}
END_TEST

/* Pitfall Q7: three at a time after the first ten, until ten have answered. */
START_TEST(reuses_a_list_with_care)
{
	struct addr list[RPC_K];
	struct query_spec spec = spec_of(0);
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s[10], more;

	for (unsigned i = 0; i < RPC_K; i++)
		list[i] = rig_host(200 + i);
	spec.start = list;
	spec.start_len = RPC_K;
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	for (int i = 0; i < 10; i++)
		ck_assert(rig_take_request(&r, &s[i], &m));
	ck_assert(!rig_take(&r, &more));
	/* Seven answers make room for none, the eighth for one. */
	for (int i = 0; i < 7; i++) {
		rig_answer(&r, &s[i], &good);
		ck_assert(!rig_take(&r, &more));
	}
	rig_answer(&r, &s[7], &good);
	ck_assert(rig_take(&r, &more));
	ck_assert(!rig_take(&r, &more));
	query_cancel(query);
}
END_TEST

/* Pitfall Q7: fewer than five good ones: the table helps. */
START_TEST(refills_from_the_table)
{
	struct addr asked[64];
	unsigned n, table = 0;

	rig_fill_table(&r, 40);
	n = ask_from_list(20, false, asked);
	for (unsigned i = 0; i < n; i++)
		table += asked[i].ip[2] < 200;
	ck_assert_uint_ge(table, RPC_K);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.closest_len, 20);
}
END_TEST

/* ---- down hints (pitfall Q8) ---- */

START_TEST(tells_who_listed_a_dead_node)
{
	struct query_spec spec = spec_of(0);
	struct addr dead = rig_host(99);
	unsigned hints = 0;
	struct rpc_request m;
	struct sim_sent s;

	rig_fill_table(&r, 2);
	start(r.d, &spec);
	for (int ms = 0; ms < 30000; ms += 10) {
		while (rig_take_request(&r, &s, &m)) {
			struct rig_answer a = {
			    .id = true, .closer = &dead, .closer_len = 1};

			if (m.internal && m.command == RPC_DOWN_HINT) {
				struct rd rd = rd_init(m.value.p, m.value.len);
				struct addr told_dead = rd_addr4(&rd);

				hints++;
				ck_assert(addr_equal(&told_dead, &dead));
				ck_assert_uint_lt(s.meta.to.ip[2], 2);
			}
			if (is_walk(&m) && !addr_equal(&s.meta.to, &dead))
				rig_answer(&r, &s, &a);
		}
		rig_pass_ms(&r, 10);
	}
	ck_assert_uint_eq(recorded.done, 1);
	/* One for each node that listed it, unless the query ended early. */
	ck_assert_uint_le(hints, 2);
	ck_assert_uint_eq(hints, r.host.stats.down_hints_sent);
}
END_TEST

/* Pitfall Q8: 50 in a tick, though every answer lists 19 that turn out to be
 * dead. */
START_TEST(down_hints_are_bounded)
{
	struct query_spec spec = spec_of(0);
	unsigned step = 0, full = 0, ticks = 1;
	uint64_t before = 0;
	uint32_t tick;
	struct rpc_request m;
	struct sim_sent s;

	rig_fill_table(&r, 1);
	start(r.d, &spec);
	tick = r.d->self.tick;
	for (int ms = 0; ms < 60000; ms += 50) {
		struct addr list[20];
		/* No id: the closest set never fills, the walk goes on. */
		struct rig_answer a = {.closer = list, .closer_len = 20};

		for (uint8_t i = 0; i < 19; i++)
			list[i] = addr_v4(40, i, (uint8_t)(step / 3), 1, 4000);
		list[19] = rig_host(1000 + step);
		rig_pass_ms(&r, 50);
		maintenance_advance(&r.d->maintenance);
		if (r.d->self.tick != tick) {
			full += r.host.stats.down_hints_sent - before >=
				DHT_HINTS_PER_TICK_MAX;
			ticks += r.d->self.tick - tick;
			before = r.host.stats.down_hints_sent;
			tick = r.d->self.tick;
		}
		ck_assert_uint_le(r.host.stats.down_hints_sent,
		    ticks * DHT_HINTS_PER_TICK_MAX);
		while (rig_take_request(&r, &s, &m)) {
			if (!is_walk(&m) || s.meta.to.ip[0] == 40)
				continue;
			step++;
			rig_answer(&r, &s, &a);
			break;
		}
	}
	query_cancel(query);
	/* It came to the limit, again and again, and never beyond. */
	ck_assert_uint_ge(full, 2);
}
END_TEST

/* ---- the commit (pitfalls Q3, R9) ---- */

/* Plays the walk, then answers commits by the rule given. */
struct commit_rule {
	uint64_t error;       /* of the first answer */
	bool silent;          /* no answer at all */
	bool fresh_token;     /* with it */
	uint64_t again_error; /* of the answer to the second try */
};

static unsigned
commit_by(const struct commit_rule *rule, uint8_t max, unsigned *sent)
{
	static const uint8_t fresh[RPC_TOKEN_LEN] = {9, 9, 9};
	struct query_spec spec = spec_of(max);
	struct rpc_request m;
	struct sim_sent s;
	unsigned to = 0;

	*sent = 0;
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	for (int ms = 0; ms < 30000 && recorded.done == 0; ms += 10) {
		while (rig_take_request(&r, &s, &m)) {
			struct rig_answer a = {.id = true, .token = token};
			bool again;

			if (is_walk(&m))
				rig_answer(&r, &s, &a);
			if (m.internal || m.command != 4)
				continue;
			ck_assert_ptr_nonnull(m.token);
			again = memcmp(m.token, fresh, sizeof fresh) == 0;
			ck_assert(
			    again || memcmp(m.token, token, sizeof token) == 0);
			++*sent;
			to += !again;
			a.error = again ? rule->again_error : rule->error;
			a.token = rule->fresh_token ? fresh : NULL;
			if (!rule->silent)
				rig_answer(&r, &s, &a);
		}
		rig_pass_ms(&r, 10);
	}
	ck_assert_uint_eq(recorded.done, 1);
	return to;
}

static const struct {
	const char *name;
	struct commit_rule rule;
	uint8_t max;
	int err, commit_err;
	unsigned sent, failures;
} commits[] = {
    {"all is well", {.error = 0}, 3, 0, 0, 3, 0},
    {"to all of the closest", {.error = 0}, 20, 0, 0, 20, 0},
    {"refused", {.error = 5}, 3, ERR_REFUSED, ERR_REFUSED, 3, 3},
    {"sequence reused", {.error = 16}, 3, ERR_REFUSED, ERR_SEQ_REUSED, 3, 3},
    {"sequence too low", {.error = 17}, 3, ERR_REFUSED, ERR_SEQ_LOW, 3, 3},
    {"token too old, once", {.error = 2, .fresh_token = true}, 3, 0, 0, 6, 0},
    {"token too old, always",
	{.error = 2, .fresh_token = true, .again_error = 2}, 3, ERR_REFUSED,
	ERR_TOKEN, 6, 3},
    {"token too old, none given", {.error = 2}, 3, ERR_REFUSED, ERR_TOKEN, 3,
	3},
    {"silence", {.silent = true}, 3, ERR_TIMEOUT, ERR_TIMEOUT, 12, 3},
};

START_TEST(tells_the_truth_about_commits)
{
	unsigned sent, to;

	rig_fill_table(&r, 30);
	to = commit_by(&commits[_i].rule, commits[_i].max, &sent);
	if (recorded.result.err != commits[_i].err ||
	    recorded.result.commit_err != commits[_i].commit_err)
		ck_abort_msg("%s: %s, %s", commits[_i].name,
		    err_name(recorded.result.err),
		    err_name(recorded.result.commit_err));
	ck_assert_uint_eq(sent, commits[_i].sent);
	if (!commits[_i].rule.silent)
		ck_assert_uint_eq(to, commits[_i].max);
	ck_assert_uint_eq(recorded.result.commits, commits[_i].max);
	ck_assert_uint_eq(
	    recorded.result.commit_failures, commits[_i].failures);
	ck_assert_uint_eq(recorded.committed, commits[_i].max);
	ck_assert_uint_eq(
	    recorded.commits, recorded.committed + (sent == 6 ? 3u : 0u));
}
END_TEST

/* Pitfall Q3: no node that could be committed to is an error for the caller. */
START_TEST(nobody_to_commit_to_is_an_error)
{
	struct query_spec spec = spec_of(3);
	struct rig_answer no_token = {.id = true}, no_id = {.token = token};
	struct rpc_request m;
	struct sim_sent s;

	if (_i < 2)
		rig_fill_table(&r, 10);
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	while (rig_take_request(&r, &s, &m))
		rig_answer(&r, &s, _i == 0 ? &no_token : &no_id);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, ERR_UNREACHABLE);
	ck_assert_uint_eq(recorded.commits, 0);
}
END_TEST

/* ---- exactly one end (pitfalls R13, R14) ---- */

START_TEST(can_be_cancelled_at_any_time)
{
	struct query_spec spec = spec_of(3);

	rig_fill_table(&r, 30);
	start(r.d, &spec);
	switch (_i) {
	case 0: /* before it began */
		query_cancel(query);
		break;
	case 1: /* in the walk */
		rig_pass_ms(&r, 1);
		query_cancel(query);
		break;
	case 2: /* when steps are slow */
		rig_pass_ms(&r, 1200);
		query_cancel(query);
		break;
	case 3: /* in the commit */
		walk_all();
		ck_assert_uint_eq(recorded.commits, 3);
		query_cancel(query);
		break;
	default: /* with the whole dht */
		rig_pass_ms(&r, _i == 4 ? 0 : 700);
		dht_end(r.d);
		ck_assert_int_eq(recorded.result.err, ERR_CLOSED);
		ck_assert_int_eq(query_start(r.d, &spec, NULL), ERR_CLOSED);
	}
	ck_assert_uint_eq(recorded.done, 1);
	if (_i < 4)
		ck_assert_int_eq(recorded.result.err, ERR_CANCELLED);
	ck_assert_uint_eq(r.d->requests.len, 0);
	ck_assert_uint_eq(r.d->queries.len, 0);
	rig_pass_ms(&r, 30000);
	ck_assert_uint_eq(recorded.done, 1);
}
END_TEST

START_TEST(can_be_cancelled_from_its_own_callbacks)
{
	struct rig_answer good = {.id = true, .token = token};
	struct query_spec spec = spec_of(3);
	struct rpc_request m;
	struct sim_sent s;

	rig_fill_table(&r, 30);
	cancel_in = _i == 0 ? IN_REPLY : _i == 1 ? IN_COMMITTED : IN_COMMIT;
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	while (rig_take_request(&r, &s, &m))
		rig_answer(&r, &s, &good);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, ERR_CANCELLED);
	ck_assert_uint_eq(recorded.replies, _i == 0 ? 1 : 20);
	ck_assert_uint_eq(recorded.committed, _i == 1 ? 1 : 0);
	ck_assert_uint_eq(r.d->requests.len, 0);
	rig_pass_ms(&r, 30000);
	ck_assert_uint_eq(recorded.done, 1);
}
END_TEST

/* The own completion may start the next query, and cancel a stale handle. */
static unsigned chained;

static void
on_done_again(void *owner, const struct query_result *q)
{
	struct query_spec spec = spec_of(0);

	on_done(owner, q);
	spec.done = on_done_again;
	if (++chained < 5)
		ck_assert_int_eq(query_start(r.d, &spec, &query), 0);
}

START_TEST(the_end_may_start_another)
{
	struct query_spec spec = spec_of(0);

	chained = 0;
	rig_fill_table(&r, 5);
	spec.done = on_done_again;
	ck_assert_int_eq(query_start(r.d, &spec, &query), 0);
	for (int i = 0; i < 10; i++)
		walk_all();
	ck_assert_uint_eq(recorded.done, 5);
	ck_assert_uint_eq(r.d->queries.len, 0);
}
END_TEST

/* Pitfall R14: a query destroyed while its requests wait for the window. */
START_TEST(cancelling_takes_waiting_requests_along)
{
	struct query_spec spec = spec_of(0);
	struct dht_call c = {.internal = true, .command = RPC_PING};
	uint16_t total;
	struct sim_sent s;

	rig_fill_table(&r, 60);
	for (unsigned i = 0; i < 80; i++) {
		c.to = rig_host(1000 + i);
		ck_assert_int_eq(
		    dht_call(r.d, &c, (struct dht_done){0}, NULL), 0);
	}
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(r.d->requests.len, 90);
	total = r.d->requests.window.total;
	rig_skip(&r);
	query_cancel(query);
	ck_assert_uint_eq(r.d->requests.len, 80);
	ck_assert_uint_eq(r.d->requests.window.total, total);
	rig_pass_ms(&r, 240);
	ck_assert(!rig_take(&r, &s));
}
END_TEST

START_TEST(refuses_too_many_at_once)
{
	struct query_spec spec = spec_of(0);
	struct limits l;

	limits_init(&l);
	l.queries = 4;
	r.host.limits = l;
	dht_limits_changed(r.d);
	rig_fill_table(&r, 5);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
	ck_assert_int_eq(query_start(r.d, &spec, NULL), ERR_BUSY);
	/* The own upkeep finds a place all the same. */
	spec.background = true;
	ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
	walk_all();
	ck_assert_uint_eq(recorded.done, 5);
}
END_TEST

/* No place for requests: an end with the reason, not a hang. */
START_TEST(ends_when_no_request_can_be_made)
{
	struct query_spec spec = spec_of(0);
	struct dht_call c = {.internal = true, .command = RPC_PING};
	struct limits l;

	limits_init(&l);
	l.requests = 64;
	r.host.limits = l;
	dht_limits_changed(r.d);
	rig_fill_table(&r, 30);
	for (unsigned i = 0; i < 64; i++) {
		c.to = rig_host(1000 + i);
		ck_assert_int_eq(
		    dht_call(r.d, &c, (struct dht_done){0}, NULL), 0);
	}
	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, ERR_BUSY);
}
END_TEST

START_TEST(an_empty_world_is_an_error_at_once)
{
	struct query_spec spec = spec_of(0);

	start(r.d, &spec);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_int_eq(recorded.result.err, ERR_UNREACHABLE);
}
END_TEST

/* ---- in a network ---- */

static struct mesh net;

static void
net_setup(void)
{
	memset(&recorded, 0, sizeof recorded);
	query = NULL;
	cancel_in = NOWHERE;
	mesh_init(&net, 60, 1);
	mesh_start_all(&net);
}

static void
net_teardown(void)
{
	mesh_fini(&net);
}

static int
by_distance(const void *a, const void *b)
{
	return id_compare(target, a, b);
}

/* The walk ends on the 20 that are closest in truth, from anywhere. */
START_TEST(finds_the_true_closest)
{
	static uint8_t ids[64][ID_LEN];
	struct query_spec spec = spec_of(0);
	unsigned from = (unsigned)_i * 19, n = 0;

	for (unsigned i = 0; i < net.len; i++) {
		struct addr a = mesh_address(&net, i);

		if (i != from)
			id_of_addr(ids[n++], &a);
	}
	qsort(ids, n, ID_LEN, by_distance);
	start(mesh_dht(&net, from), &spec);
	mesh_run_ms(&net, 3000);
	ck_assert_uint_eq(recorded.done, 1);
	ck_assert_uint_eq(recorded.result.closest_len, RPC_K);
	for (unsigned i = 0; i < RPC_K; i++)
		ck_assert_mem_eq(recorded.closest[i].id, ids[i], ID_LEN);
}
END_TEST

/* Pitfall Q5: of 60 nodes 18 are down, which is not known yet. */
START_TEST(dead_nodes_do_not_hold_it_up)
{
	struct query_spec spec = spec_of(3);
	uint64_t began;

	for (unsigned i = 2; i < net.len; i++)
		net.nodes[i].r.host.deaf = i % 10 < 3;
	start(mesh_dht(&net, 1), &spec);
	began = net.lan.now_us;
	while (recorded.done == 0)
		mesh_run_ms(&net, 10);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.commits, 3);
	ck_assert_uint_eq(recorded.result.commit_failures, 0);
	ck_assert_uint_eq(recorded.result.closest_len, RPC_K);
	ck_assert_uint_lt((net.lan.now_us - began) / 1000, 2500);
}
END_TEST

/* Protocol 01 §10.5: with fewer than 20 nodes one dead node costs the reference
 * 6 s. */
START_TEST(one_dead_node_in_a_small_network_costs_little)
{
	struct query_spec spec = spec_of(0);
	uint64_t began;

	for (unsigned i = 10; i < net.len; i++)
		net.nodes[i].r.host.deaf = true;
	for (unsigned i = 0; i < 10; i++) {
		struct dht *d = mesh_dht(&net, i);

		for (unsigned k = 11; k < net.len; k++) {
			struct addr a = mesh_address(&net, k);
			uint8_t id[ID_LEN];
			uint32_t node;

			id_of_addr(id, &a);
			if ((node = table_find(&d->self.table, id)) != 0)
				table_del(&d->self.table, node);
		}
	}
	start(mesh_dht(&net, 1), &spec);
	began = net.lan.now_us;
	while (recorded.done == 0)
		mesh_run_ms(&net, 10);
	ck_assert_int_eq(recorded.result.err, 0);
	ck_assert_uint_eq(recorded.result.closest_len, 9);
	ck_assert_uint_lt((net.lan.now_us - began) / 1000, 2500);
	/* The dead one is looked at, and goes. */
	mesh_run_ms(&net, 60000);
	ck_assert(!mesh_knows(&net, 1, 10));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc, *in_net;
	Suite *s = t_suite_new("dht_query", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, asks_the_nearest_first_ten_at_a_time);
	tcase_add_test(tc, a_step_is_sent_six_times);
	tcase_add_test(tc, ephemeral_and_failing_nodes_only_help);
	tcase_add_test(tc, a_wrong_id_is_not_among_the_closest);
	tcase_add_loop_test(tc, made_up_nodes_are_bounded, 0, 2);
	tcase_add_test(tc, impossible_nodes_are_skipped);
	tcase_add_test(tc, the_limit_of_candidates_is_exact);
	tcase_add_loop_test(tc, one_address_holds_one_place_among_the_closest,
	    0, T_ROWS(sybils));
	tcase_add_test(tc, begins_with_the_callers_list);
	tcase_add_test(tc, reuses_a_list_with_care);
	tcase_add_test(tc, refills_from_the_table);
	tcase_add_test(tc, tells_who_listed_a_dead_node);
	tcase_add_test(tc, down_hints_are_bounded);
	tcase_add_loop_test(
	    tc, tells_the_truth_about_commits, 0, T_ROWS(commits));
	tcase_add_loop_test(tc, nobody_to_commit_to_is_an_error, 0, 3);
	tcase_add_loop_test(tc, can_be_cancelled_at_any_time, 0, 6);
	tcase_add_loop_test(tc, can_be_cancelled_from_its_own_callbacks, 0, 3);
	tcase_add_test(tc, the_end_may_start_another);
	tcase_add_test(tc, cancelling_takes_waiting_requests_along);
	tcase_add_test(tc, refuses_too_many_at_once);
	tcase_add_test(tc, ends_when_no_request_can_be_made);
	tcase_add_test(tc, an_empty_world_is_an_error_at_once);

	in_net = tcase_create("network");
	suite_add_tcase(s, in_net);
	tcase_add_checked_fixture(in_net, net_setup, net_teardown);
	tcase_add_loop_test(in_net, finds_the_true_closest, 0, 3);
	tcase_add_test(in_net, dead_nodes_do_not_hold_it_up);
	tcase_add_test(in_net, one_dead_node_in_a_small_network_costs_little);
	return s;
}
