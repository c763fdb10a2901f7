/* SPDX-License-Identifier: ISC */
/*
 * Goal: the node learns its own address as the reference does, protocol 01
 * §11.2. Method: every step of the golden vectors; then long random runs
 * against the rule written down a second time, without sharing counters.
 */
#include "dht/sampler.h"
#include "t.h"

/* The result that a step of the vectors expects. */
static struct addr
expected(const json_t *step)
{
	struct addr a = {0};

	if (!json_is_null(t_get(step, "host")))
		a = t_addr(step);
	return a;
}

START_TEST(follows_the_vectors)
{
	const json_t *row = t_row("rpc.json", "nat_sampler", _i), *step;
	struct addr was = {0};
	struct sampler s;
	size_t i;

	sampler_init(&s);
	json_array_foreach(t_get(row, "steps"), i, step)
	{
		struct addr add = t_addr(t_get(step, "add"));
		struct addr want = expected(step);
		bool changed = sampler_add(&s, &add);

		if (!addr_equal(&s.result, &want))
			ck_abort_msg("%s, step %zu", t_string(row, "name"), i);
		ck_assert(changed == !addr_equal(&was, &want));
		if (want.family != ADDR_NONE && want.port != 0)
			ck_assert_ptr_eq(sampler_address(&s), &s.result);
		else
			ck_assert_ptr_null(sampler_address(&s));
		was = want;
	}
}
END_TEST

/*
 * Each sample holds one hit of a counter. The model keeps all counters for
 * ever and counts by looking at the ring, so reuse cannot confuse it.
 */
enum { MODEL_MAX = 4096 };

struct model {
	struct addr counter[MODEL_MAX];
	int hits[MODEL_MAX];
	int ring[SAMPLER_MAX];
	int n, len, top, best;
};

static void
model_add(struct model *m, const struct addr *a)
{
	int back = m->len < 4 ? m->len : 4, c = -1;

	for (int i = 1; i <= back && c < 0; i++) {
		int at = m->ring[(m->top + SAMPLER_MAX - i) % SAMPLER_MAX];

		if (addr_equal(&m->counter[at], a))
			c = at;
	}
	if (c < 0) {
		c = m->n++;
		m->counter[c] = *a;
	}
	if (m->len == SAMPLER_MAX)
		m->hits[m->ring[m->top]]--;
	else
		m->len++;
	m->ring[m->top] = c;
	m->top = (m->top + 1) % SAMPLER_MAX;
	m->hits[c]++;
	if (m->best < 0 || m->hits[c] > m->hits[m->best])
		m->best = c;
}

static bool
model_settled(const struct model *m)
{
	int n = m->len, forgiven = n < 4 ? 0 : n < 8 ? 1 : n < 12 ? 2 : 3;

	return m->best >= 0 && m->hits[m->best] >= n - forgiven;
}

START_TEST(agrees_with_the_rule_over_long_runs)
{
	static struct model full, host;
	struct prng r = prng_seeded((uint64_t)_i);
	uint32_t hosts = 1 + (uint32_t)_i % 3, ports = 1 + (uint32_t)_i % 5;
	struct sampler s;

	full = host = (struct model){.best = -1};
	sampler_init(&s);
	for (int i = 0; i < MODEL_MAX; i++) {
		/* Now and then the world changes for good. */
		uint8_t era = (uint8_t)(i / 500);
		struct addr a = addr_v4(203, 0, era,
		    (uint8_t)prng_below(&r, hosts), (uint16_t)(1 + era));
		struct addr h, want = {0};

		if (prng_below(&r, 4) == 0)
			a.port = (uint16_t)(a.port + prng_below(&r, ports));
		h = a;
		h.port = 0;
		model_add(&full, &a);
		model_add(&host, &h);
		if (model_settled(&full))
			want = full.counter[full.best];
		else if (model_settled(&host))
			want = host.counter[host.best];
		sampler_add(&s, &a);
		if (!addr_equal(&s.result, &want))
			ck_abort_msg("differs at sample %d", i);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("sampler", &tc);

	tcase_add_loop_test(
	    tc, follows_the_vectors, 0, t_rows("rpc.json", "nat_sampler"));
	tcase_add_loop_test(tc, agrees_with_the_rule_over_long_runs, 0, 15);
	return s;
}
