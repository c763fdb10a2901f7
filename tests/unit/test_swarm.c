/* SPDX-License-Identifier: ISC */
/*
 * Goal: a swarm decides as Hyperswarm does: who is dialed and when, which of
 * two connections is kept, when a topic is announced, looked up and withdrawn.
 * Method: the golden vectors on a virtual clock, with the random number that
 * they name; where protocol 08 marks a QUIRK, the test asserts what protocol 10
 * lists instead.
 */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "swarm/swarm.h"
#include "swarm/swarm_retry.h"
#include "swarm/swarm_tie.h"
#include "t.h"

enum { LOG_MAX = 256, ACTIONS_MAX = 256, FOREVER_MS = 1 << 30 };

#define VECTORS "swarm.json"

/* What becomes of each dial. */
struct script {
	uint32_t open_ms, end_ms; /* from the dial; open FOREVER_MS: never */
	uint32_t first_end_ms;    /* of the first dial, if not 0 */
	int err;
	uint32_t relay_ms;
};

struct action {
	uint64_t at_us;
	uint32_t conn;
	bool opens, done;
};

struct call {
	uint64_t at_ms;
	const char *name;
	uint8_t key; /* first byte */
	uint32_t conn;
	int err;
};

static double constant;
static struct world world;
static struct timers timers;
static struct stats stats;
static struct limits limits;
static struct core core;
static struct swarm *swarm;
static struct script script;
static struct action actions[ACTIONS_MAX];
static unsigned actions_len;
static struct call calls[LOG_MAX];
static unsigned calls_len;
static uint32_t last_conn;
static bool used, unanswered;

/* ---- the made world ---- */

static void
draw(struct world *w, void *out, size_t len)
{
	uint32_t v = (uint32_t)ldexp(constant, 32);

	(void)w;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = ((uint8_t *)&v)[i % sizeof v];
}

static const struct world_ops world_ops = {.random = draw};

static void
note(const char *name, const uint8_t *key, uint32_t conn, int err)
{
	if (calls_len < LOG_MAX)
		calls[calls_len++] = (struct call){.at_ms = world.now_us / 1000,
		    .name = name,
		    .key = key != NULL ? key[0] : 0,
		    .conn = conn,
		    .err = err};
}

static void
plan(uint32_t ms, uint32_t conn, bool opens)
{
	if (ms == FOREVER_MS)
		return;
	ck_assert_uint_lt(actions_len, ACTIONS_MAX);
	actions[actions_len++] = (struct action){
	    world.now_us + ms * UINT64_C(1000), conn, opens, false};
}

static void
on_listen(void *owner)
{
	(void)owner;
	note("listen", NULL, 0, 0);
}

static void
on_lookup(void *owner, const uint8_t *topic)
{
	(void)owner;
	note("lookup", topic, 0, 0);
}

static void
on_announce(void *owner, const uint8_t *topic)
{
	(void)owner;
	note("announce", topic, 0, 0);
}

static void
on_withdraw(void *owner, const uint8_t *topic)
{
	(void)owner;
	note("withdraw", topic, 0, 0);
}

static void
on_cancel(void *owner, const uint8_t *topic)
{
	(void)owner;
	note("cancel", topic, 0, 0);
}

static uint32_t
on_dial(void *owner, const uint8_t *key, const struct addr *relays, size_t len)
{
	bool first = last_conn == 0;

	(void)owner;
	(void)relays;
	(void)len;
	note("dial", key, ++last_conn, 0);
	plan(script.open_ms, last_conn, true);
	plan(first && script.first_end_ms != 0 ? script.first_end_ms
					       : script.end_ms,
	    last_conn, false);
	if (first && script.first_end_ms != 0)
		script.open_ms = FOREVER_MS;
	return last_conn;
}

static void
on_close(void *owner, uint32_t conn)
{
	(void)owner;
	note("close", NULL, conn, 0);
}

static void
on_probe(void *owner, uint32_t conn)
{
	(void)owner;
	note("probe", NULL, conn, 0);
}

static bool
is_used(void *owner, uint32_t conn)
{
	(void)owner;
	(void)conn;
	return used;
}

static void
on_report(void *owner, const struct swarm_event *e)
{
	static const char *const names[] = {
	    "found", "connected", "lost", "refused"};

	(void)owner;
	note(names[e->change], e->key, e->conn, e->err);
}

static const struct swarm_ops ops = {on_listen, on_lookup, on_announce,
    on_withdraw, on_cancel, on_dial, on_close, on_probe, is_used, on_report};

static uint8_t *
key_of(uint8_t first)
{
	static uint8_t k[256][KEY_LEN];

	k[first][0] = first;
	return k[first];
}

static const uint8_t topic[KEY_LEN] = {0xaa}, topic2[KEY_LEN] = {0xbb};

static void
make_swarm(double random)
{
	struct swarm_config config = {.ops = &ops};

	constant = random;
	world = (struct world){.ops = &world_ops};
	timers_init(&timers);
	limits_init(&limits);
	core = (struct core){.world = &world,
	    .timers = &timers,
	    .stats = &stats,
	    .limits = &limits};
	config.own_key[0] = 0x80;
	script = (struct script){FOREVER_MS, FOREVER_MS, 0, ERR_NO_ANSWER, 0};
	actions_len = calls_len = last_conn = 0;
	used = unanswered = false;
	swarm = swarm_new(&core, &config);
	ck_assert_ptr_nonnull(swarm);
}

static void
end_swarm(void)
{
	swarm_free(swarm);
	ck_assert_uint_eq(timers_deadline(&timers), WORLD_NEVER);
}

static struct action *
next_action(void)
{
	struct action *best = NULL;

	for (unsigned i = 0; i < actions_len; i++)
		if (!actions[i].done &&
		    (best == NULL || actions[i].at_us < best->at_us))
			best = &actions[i];
	return best;
}

/* Answers what was ordered, as a DHT without delay does. */
static void
answer(void)
{
	static unsigned answered;

	if (calls_len < answered || unanswered)
		answered = calls_len;
	for (unsigned i = answered; i < calls_len; i++) {
		const uint8_t *t = calls[i].key == 0xaa ? topic : topic2;

		if (strcmp(calls[i].name, "listen") == 0)
			swarm_listening(swarm);
		else if (strcmp(calls[i].name, "lookup") == 0)
			swarm_looked_up(swarm, t, 0);
		else if (strcmp(calls[i].name, "announce") == 0)
			swarm_announced(swarm, t, 0);
	}
	answered = calls_len;
}

static void
run_to(uint64_t ms)
{
	for (;;) {
		struct action *a = next_action();
		uint64_t due = timers_deadline(&timers);

		answer();
		due = timers_deadline(&timers);
		a = next_action();
		if (a != NULL && a->at_us <= due && a->at_us <= ms * 1000) {
			world.now_us = a->at_us;
			a->done = true;
			if (a->opens)
				swarm_opened(swarm, a->conn);
			else
				swarm_closed(swarm, a->conn, script.err,
				    script.relay_ms);
		} else if (due <= ms * 1000) {
			world.now_us = due > world.now_us ? due : world.now_us;
			timers_run(&timers, world.now_us);
		} else {
			break;
		}
	}
	world.now_us = ms * 1000;
	answer();
}

static unsigned
count(const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < calls_len; i++)
		n += strcmp(calls[i].name, name) == 0;
	return n;
}

/* Asserts the times at which something was ordered, as far as they are
 * listed. */
static void
assert_times(const char *name, const json_t *times)
{
	size_t n = 0;

	for (unsigned i = 0; i < calls_len; i++) {
		if (strcmp(calls[i].name, name) != 0)
			continue;
		if (n == json_array_size(times))
			return;
		ck_assert_uint_eq(calls[i].at_ms,
		    (uint64_t)json_integer_value(json_array_get(times, n)));
		n++;
	}
	ck_assert_uint_eq(n, json_array_size(times));
}

static void
join(unsigned roles, uint32_t limit, uint32_t *session)
{
	uint32_t ignored;

	ck_assert_int_eq(swarm_join(swarm, topic, roles, limit,
			     session != NULL ? session : &ignored),
	    0);
}

static void
find(uint8_t key)
{
	swarm_found(swarm, topic, key_of(key), NULL, 0);
}

static double
number(const json_t *row, const char *name)
{
	return json_number_value(t_get(row, name));
}

/* ---- retries ---- */

START_TEST(retry_clocks)
{
	const json_t *row = t_row(VECTORS, "backoffs", _i);
	struct swarm_clocks c;

	make_swarm(number(row, "random"));
	swarm_clocks_init(&c, &world);
	for (int i = 0; i < SWARM_RETRY_NONE; i++) {
		ck_assert_uint_eq(c.clock[i].timer_ms,
		    (uint64_t)json_integer_value(
			json_array_get(t_get(row, "timer_ms"), (size_t)i)));
		ck_assert_uint_eq(c.clock[i].tick_ms,
		    (uint64_t)json_integer_value(
			json_array_get(t_get(row, "tick_ms"), (size_t)i)));
	}
	end_swarm();
}
END_TEST

START_TEST(retry_priorities)
{
	static const char *const names[] = {"S", "M", "L", "X", "none"};
	const json_t *row = t_row(VECTORS, "priorities", _i);
	uint32_t attempts = (uint32_t)t_uint(row, "attempts"), priority;
	bool is_explicit = t_bool(row, "explicit");
	enum swarm_retry which =
	    swarm_retry_after(attempts, t_bool(row, "proven"), is_explicit);

	ck_assert_str_eq(names[which], t_string(row, "retry_timer"));
	priority = swarm_priority(&attempts, is_explicit);
	ck_assert_int_eq(priority != 0, t_bool(row, "may_queue"));
	if (priority != 0)
		ck_assert_uint_eq(priority, t_uint(row, "priority"));
	ck_assert_uint_eq(attempts, t_uint(row, "attempts_after"));
}
END_TEST

static struct script
script_of(const char *name)
{
	struct script s = {FOREVER_MS, 0, 0, ERR_NO_ANSWER, 0};

	if (strstr(name, "8000 ms") != NULL)
		s.end_ms = 8000;
	else if (strstr(name, "after 1000 ms") != NULL)
		s = (struct script){100, 1100, 0, ERR_RESET, 0};
	else if (strstr(name, "14999") != NULL)
		s = (struct script){100, 15099, 0, ERR_RESET, 0};
	else if (strstr(name, "15000") != NULL)
		s = (struct script){100, 15100, 0, ERR_RESET, 0};
	else if (strstr(name, "60 s") != NULL)
		s = (struct script){100, 0, 60100, ERR_RESET, 0};
	return s;
}

START_TEST(retry_times)
{
	const json_t *row = t_row(VECTORS, "retry", _i);
	const char *name = t_string(row, "name");

	make_swarm(number(row, "random"));
	script = script_of(name);
	if (strncmp(name, "joinPeer", 8) == 0) {
		ck_assert_int_eq(swarm_join_peer(swarm, key_of(0x20)), 0);
	} else {
		join(SWARM_CLIENT, 0, NULL);
		find(0x20);
	}
	run_to(t_uint(row, "observed_until_ms"));
	assert_times("dial", t_get(row, "dials_at_ms"));
	ck_assert_uint_eq(count("dial"), t_uint(row, "dials"));
	ck_assert_int_eq(
	    swarm_has_peer(swarm, key_of(0x20)), t_bool(row, "peer_kept"));
	end_swarm();
}
END_TEST

/* ---- two connections ---- */

START_TEST(tie_break)
{
	const json_t *row = t_row(VECTORS, "tie_break", _i);
	const char *existing = t_string(row, "existing");
	bool own_dial = strncmp(existing, "own dial", 8) == 0;
	bool keeps_new = strcmp(t_string(row, "kept"), "new incoming") == 0;
	uint8_t remote =
	    (uint8_t)strtoul(t_string(row, "remote_key_first_byte"), NULL, 16);
	struct addr a = {0};

	make_swarm(0);
	join(SWARM_CLIENT, 0, NULL);
	if (own_dial) {
		find(remote);
		if (strstr(existing, "not open") == NULL)
			swarm_opened(swarm, 1);
	} else {
		ck_assert(swarm_incoming(swarm, 1, key_of(remote), &a));
	}
	ck_assert_uint_eq(
	    count("connected"), t_uint(row, "connection_events_before"));
	used = strstr(existing, "sent and received") != NULL;
	ck_assert_int_eq(
	    swarm_incoming(swarm, 9, key_of(remote), &a), keeps_new);
	ck_assert_int_eq(
	    count("probe") > 0, t_bool(row, "empty_frame_sent_on_existing"));
	ck_assert_uint_eq(
	    count("connected"), t_uint(row, "connection_events_after"));
	ck_assert_uint_eq(count("close"), keeps_new);
	ck_assert_int_eq(swarm_has_conn(swarm, 9), keeps_new);
	ck_assert_int_eq(swarm_has_conn(swarm, 1), !keeps_new);
	end_swarm();
}
END_TEST

/* ---- limits ---- */

START_TEST(max_peers)
{
	const json_t *rows =
	    t_get(t_get(t_vectors(VECTORS), "limits"), "max_peers");
	const json_t *row = json_array_get(rows, (size_t)_i);
	uint32_t explicit_len = (uint32_t)t_uint(row, "explicit_peers");
	uint32_t all = explicit_len;

	make_swarm(0);
	join(SWARM_CLIENT, 0, NULL);
	script.open_ms = 0;
	for (uint32_t i = 0; i < explicit_len; i++)
		swarm_join_peer(swarm, key_of((uint8_t)(200 + i)));
	run_to(1);
	for (uint8_t i = 1; i < 100; i++)
		find(i);
	run_to(2);
	all = count("dial");
	ck_assert_uint_eq(
	    all, t_uint(row, "all_connections_when_dialling_stopped"));
	ck_assert_uint_eq(
	    all - explicit_len, t_uint(row, "dialled_topic_peers"));
	end_swarm();
}
END_TEST

START_TEST(parallel_dials)
{
	make_swarm(0);
	join(SWARM_CLIENT, 0, NULL);
	for (uint8_t i = 1; i < 100; i++)
		find(i);
	ck_assert_uint_eq(count("dial"),
	    t_uint(t_get(t_vectors(VECTORS), "limits"), "parallel_dials"));
	/* A dial without an answer keeps its place for 2 s only. */
	run_to(2000);
	ck_assert_uint_eq(count("dial"), 6);
	run_to(60000);
	ck_assert_uint_eq(count("dial"), 16);
	end_swarm();
}
END_TEST

/* QUIRK: the reference accepts all of 100. */
START_TEST(accepted_limit)
{
	struct addr a = {.family = ADDR_V4, .ip = {8, 8, 8, 1}, .port = 1};
	unsigned kept = 0;

	make_swarm(0);
	limits.swarm_accepted = 20;
	limits.swarm_accepted_prefix = 5;
	for (uint8_t i = 1; i < 100; i++) {
		a.ip[2] = i < 50 ? 8 : i;
		kept += swarm_incoming(swarm, i, key_of(i), &a);
		if (i == 49)
			ck_assert_uint_eq(kept, 5);
	}
	ck_assert_uint_eq(kept, 20);
	ck_assert_uint_eq(count("refused"), 99 - 20);
	/* Nothing is remembered of who was refused. */
	ck_assert(!swarm_has_peer(swarm, key_of(99)));
	end_swarm();
}
END_TEST

START_TEST(known_limit)
{
	uint8_t key[KEY_LEN] = {1};

	make_swarm(0);
	limits.swarm_peers_known = 16;
	join(SWARM_CLIENT, 0, NULL);
	script.end_ms = 0;
	for (uint16_t i = 0; i < 1000; i++) {
		memcpy(key + 1, &i, sizeof i);
		swarm_found(swarm, topic, key, NULL, 0);
	}
	run_to(1);
	ck_assert_uint_le(count("found"), 1000);
	ck_assert_uint_le(count("dial"), 64);
	end_swarm();
}
END_TEST

/* QUIRK: the reference counts replies, and dials one of the two. */
START_TEST(limit_counts_peers)
{
	make_swarm(0);
	join(SWARM_CLIENT, 2, NULL);
	find(0x20);
	find(0x20);
	find(0x30);
	find(0x40);
	ck_assert_uint_eq(count("dial"), 2);
	swarm_opened(swarm, 1);
	swarm_closed(swarm, 2, ERR_NO_ANSWER, 0);
	run_to(600000);
	find(0x50);
	find(0x60);
	/* One more beside the one that is connected. */
	ck_assert_uint_le(count("dial"), 7);
	ck_assert(!swarm_has_peer(swarm, key_of(0x60)) ||
		  !swarm_has_peer(swarm, key_of(0x50)));
	end_swarm();
}
END_TEST

/* ---- topics ---- */

/* Counts the calls of a kind in the vector, and checks the times of ours. A
 * server's query of the reference is an announcement and a lookup of ours. */
static void
assert_calls(
    const json_t *row, const char *ours, const char *theirs, const char *also)
{
	json_t *times = json_array();
	const json_t *c;
	size_t i;

	json_array_foreach(t_get(row, "calls"), i, c)
	{
		const char *name = t_string(c, "call");

		if (strcmp(name, theirs) == 0 || strcmp(name, also) == 0)
			json_array_append_new(
			    times, json_integer((json_int_t)t_uint(c, "t")));
	}
	assert_times(ours, times);
	ck_assert_uint_eq(count(ours), json_array_size(times));
	json_decref(times);
}

static void
play(const char *name)
{
	uint32_t a, b;

	if (strcmp(name, "server and client, 40 min") == 0) {
		join(SWARM_SERVER | SWARM_CLIENT, 0, NULL);
		run_to(2401000);
	} else if (strcmp(name, "client only, 25 min") == 0) {
		join(SWARM_CLIENT, 0, NULL);
		run_to(1500000);
	} else if (strncmp(name, "server, then client", 19) == 0) {
		join(SWARM_SERVER | SWARM_CLIENT, 0, &a);
		run_to(1000);
		swarm_change(swarm, a, SWARM_CLIENT);
		run_to(700000);
	} else if (strncmp(name, "two sessions", 12) == 0) {
		join(SWARM_SERVER, 0, &a);
		join(SWARM_CLIENT, 0, &b);
		run_to(1000);
		swarm_leave(swarm, a);
		run_to(2000);
		swarm_leave(swarm, b);
	} else if (strcmp(name, "leave") == 0 || strcmp(name, "destroy") == 0) {
		join(SWARM_SERVER | SWARM_CLIENT, 0, &a);
		run_to(1000);
		swarm_leave(swarm, a);
	} else if (strncmp(name, "join twice", 10) == 0) {
		join(SWARM_CLIENT, 0, NULL);
		join(SWARM_CLIENT, 0, NULL);
		run_to(1000);
	} else if (strncmp(name, "machine slept", 13) == 0) {
		join(SWARM_CLIENT, 0, NULL);
		run_to(659999);
		world.now_us = UINT64_C(760000) * 1000;
		timers_run(&timers, world.now_us);
		run_to(820001);
	} else if (strcmp(name, "network change") == 0) {
		join(SWARM_CLIENT, 0, NULL);
		run_to(5000);
		swarm_network_changed(swarm);
		run_to(6000);
	} else if (strcmp(name, "suspend and resume") == 0) {
		join(SWARM_SERVER | SWARM_CLIENT, 0, NULL);
		run_to(1000);
		swarm_suspend(swarm);
		run_to(2000);
		swarm_resume(swarm);
		run_to(3000);
	} else if (strncmp(name, "limit 2", 7) == 0) {
		join(SWARM_CLIENT, 2, NULL);
		for (uint8_t i = 1; i <= 10; i++)
			find(i);
		run_to(1000);
	} else {
		join(SWARM_SERVER, 0, NULL);
		find(0x20);
		run_to(1000);
	}
}

START_TEST(discovery)
{
	const json_t *row = t_row(VECTORS, "discovery", _i);
	bool client_only = true;
	const json_t *c;
	size_t i;

	json_array_foreach(t_get(row, "calls"), i, c) client_only &=
	    strcmp(t_string(c, "call"), "announce") != 0;
	make_swarm(number(row, "random"));
	play(t_string(row, "name"));
	assert_calls(row, "listen", "server.listen", "");
	assert_calls(row, "announce", "announce", "");
	assert_calls(row, "withdraw", "unannounce", "lookup+unannounce");
	if (client_only)
		assert_calls(row, "lookup", "lookup", "");
	ck_assert_uint_eq(count("dial"), t_uint(row, "dials"));
	end_swarm();
}
END_TEST

/* A failed refresh is repeated after 10 to 20 s, then less and less often. */
START_TEST(failed_refresh)
{
	make_swarm(0);
	unanswered = true;
	join(SWARM_CLIENT, 0, NULL);
	for (unsigned i = 1; i <= 10; i++) {
		ck_assert_uint_eq(count("lookup"), i);
		swarm_looked_up(swarm, topic, ERR_UNREACHABLE);
		run_to(world.now_us / 1000 +
		       (i <= 6 ? 10000u << (i - 1) : 600000u) - 1);
		ck_assert_uint_eq(count("lookup"), i);
		run_to(world.now_us / 1000 + 1);
	}
	end_swarm();
}
END_TEST

/* Members that join at once must find each other. */
START_TEST(early_lookups)
{
	struct swarm_config config = {.ops = &ops, .early_lookups = true};
	const json_t *times =
	    json_pack("[i, i, i, i, i]", 0, 200, 1700, 6700, 606700);

	make_swarm(0);
	swarm_free(swarm);
	swarm = swarm_new(&core, &config);
	join(SWARM_SERVER | SWARM_CLIENT, 0, NULL);
	run_to(606700);
	assert_times("lookup", times);
	ck_assert_uint_eq(count("lookup"), 5);
	ck_assert_uint_eq(count("announce"), 2);
	end_swarm();
	json_decref((json_t *)times);
}
END_TEST

/* ---- the rest ---- */

/* QUIRK: the reference clears the attempts at each such failure, for ever. */
START_TEST(relaying)
{
	const json_t *rows =
	    t_get(t_get(t_vectors(VECTORS), "relaying"), "after_failure");
	const json_t *row = json_array_get(rows, (size_t)_i);

	make_swarm(0);
	script.end_ms = 0;
	script.relay_ms = t_bool(row, "later_dials_relayed") ? 500 : 0;
	join(SWARM_CLIENT, 0, NULL);
	find(0x20);
	run_to(590000);
	if (script.relay_ms == 0)
		assert_times("dial", t_get(row, "dials_at_ms"));
	else
		ck_assert_uint_eq(calls[3].at_ms, 500);
	ck_assert_uint_eq(count("dial"), 4);
	end_swarm();
}
END_TEST

START_TEST(firewall)
{
	static uint8_t allow[1][KEY_LEN] = {{0x30}};
	struct swarm_config config = {
	    .ops = &ops, .allow = allow, .allow_len = 1};
	struct addr a = {0};

	make_swarm(0);
	swarm_free(swarm);
	config.own_key[0] = 0x80;
	swarm = swarm_new(&core, &config);
	join(SWARM_CLIENT, 0, NULL);
	find(0x20);
	ck_assert_uint_eq(count("dial"), 0);
	ck_assert(!swarm_incoming(swarm, 5, key_of(0x20), &a));
	ck_assert(!swarm_incoming(swarm, 5, key_of(0x80), &a));
	/* QUIRK: nothing is kept of a key that the list lacks. */
	ck_assert(!swarm_has_peer(swarm, key_of(0x20)));
	find(0x30);
	ck_assert_uint_eq(count("dial"), 1);
	ck_assert_int_eq(swarm_ban(swarm, key_of(0x30), true), 0);
	swarm_closed(swarm, 1, ERR_RESET, 0);
	ck_assert(!swarm_incoming(swarm, 6, key_of(0x30), &a));
	find(0x30);
	run_to(60000);
	ck_assert_uint_eq(count("dial"), 1);
	ck_assert(swarm_has_peer(swarm, key_of(0x30)));
	ck_assert_int_eq(swarm_ban(swarm, key_of(0x30), false), 0);
	find(0x30);
	ck_assert_uint_eq(count("dial"), 2);
	end_swarm();
}
END_TEST

START_TEST(rediscovery)
{
	make_swarm(0);
	script.end_ms = 0;
	join(SWARM_CLIENT, 0, NULL);
	find(0x20);
	run_to(590000);
	ck_assert_uint_eq(count("dial"), 4);
	script.end_ms = FOREVER_MS;
	for (int i = 0; i < 20; i++)
		find(0x20);
	ck_assert_uint_eq(count("dial"), 5);
	end_swarm();
}
END_TEST

/* QUIRK: who was queued at the suspension is never dialed again. */
START_TEST(suspension)
{
	make_swarm(0);
	join(SWARM_CLIENT, 0, NULL);
	for (uint8_t i = 0x20; i <= 0x60; i += 0x10)
		find(i);
	ck_assert_uint_eq(count("dial"), 3);
	swarm_suspend(swarm);
	ck_assert_uint_eq(count("close"), 3);
	find(0x70);
	run_to(60000);
	ck_assert_uint_eq(count("dial"), 3);
	script.end_ms = 100;
	swarm_resume(swarm);
	run_to(60200);
	ck_assert_uint_eq(count("dial"), 3 + 5);
	end_swarm();
}
END_TEST

/* QUIRK: a peer on a timer is dialed after its last topic was left. */
START_TEST(leaving)
{
	uint32_t session;
	struct addr a = {0};

	make_swarm(0);
	script.end_ms = 0;
	join(SWARM_CLIENT, 0, &session);
	find(0x20);
	ck_assert(swarm_incoming(swarm, 7, key_of(0x30), &a));
	run_to(1000);
	swarm_leave(swarm, session);
	run_to(60000);
	ck_assert_uint_eq(count("dial"), 1);
	ck_assert(swarm_has_conn(swarm, 7));
	ck_assert(!swarm_has_peer(swarm, key_of(0x20)));
	end_swarm();
}
END_TEST

START_TEST(explicit_on_close)
{
	const json_t *row = t_get(t_get(t_vectors(VECTORS), "misc"),
	    "explicit_redial_on_other_close");
	const json_t *at;
	struct addr a = {0};
	size_t i;

	make_swarm(0);
	for (uint32_t conn = 101; conn <= 103; conn++)
		swarm_incoming(swarm, conn, key_of((uint8_t)conn), &a);
	script.end_ms = 0;
	swarm_join_peer(swarm, key_of(0x20));
	json_array_foreach(t_get(row, "others_close_at_ms"), i, at)
	{
		run_to((uint64_t)json_integer_value(at));
		swarm_closed(swarm, 101 + (uint32_t)i, ERR_RESET, 0);
	}
	run_to(4000);
	assert_times("dial", t_get(row, "dials_at_ms"));
	end_swarm();
}
END_TEST

START_TEST(explicit_short_lived)
{
	const json_t *row =
	    t_get(t_get(t_vectors(VECTORS), "misc"), "explicit_short_lived");

	make_swarm(0);
	script = (struct script){10, 110, 0, ERR_RESET, 0};
	swarm_join_peer(swarm, key_of(0x20));
	run_to(30000);
	assert_times("dial", t_get(row, "dials_at_ms"));
	swarm_leave_peer(swarm, key_of(0x20));
	end_swarm();
}
END_TEST

static void
on_flushed(void *owner, bool complete)
{
	(void)owner;
	note(complete ? "flushed" : "unflushed", NULL, 0, 0);
}

START_TEST(flush)
{
	const json_t *row = t_get(t_get(t_vectors(VECTORS), "misc"), "flush");
	json_t *at = json_array();

	make_swarm(0);
	script.end_ms = (uint32_t)t_uint(row, "each_dial_ms");
	join(SWARM_CLIENT, 0, NULL);
	for (uint8_t i = 1; i <= 4; i++)
		find(i);
	swarm_flush(swarm, on_flushed, NULL);
	run_to(2000);
	assert_times("dial", t_get(row, "dials_at_ms"));
	json_array_append_new(
	    at, json_integer((json_int_t)t_uint(row, "resolved_at_ms")));
	assert_times("flushed", at);
	json_decref(at);
	swarm_suspend(swarm);
	end_swarm();
}
END_TEST

/* One connection serves all topics of a pair. */
START_TEST(two_topics)
{
	uint32_t session;

	make_swarm(0);
	join(SWARM_CLIENT, 0, &session);
	ck_assert_int_eq(
	    swarm_join(swarm, topic2, SWARM_CLIENT, 0, &(uint32_t){0}), 0);
	find(0x20);
	swarm_opened(swarm, 1);
	swarm_found(swarm, topic2, key_of(0x20), NULL, 0);
	ck_assert_uint_eq(count("dial"), 1);
	ck_assert(swarm_peer_has_topic(swarm, key_of(0x20), topic2));
	/* The connection is made again for the topic that is left. */
	swarm_leave(swarm, session);
	swarm_closed(swarm, 1, ERR_RESET, 0);
	run_to(5000);
	ck_assert_uint_eq(count("dial"), 2);
	end_swarm();
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("swarm", &tc);
	const json_t *v = t_vectors(VECTORS);
	const json_t *max = t_get(t_get(v, "limits"), "max_peers");
	const json_t *relay = t_get(t_get(v, "relaying"), "after_failure");

	tcase_add_loop_test(tc, retry_clocks, 0, t_rows(VECTORS, "backoffs"));
	tcase_add_loop_test(
	    tc, retry_priorities, 0, t_rows(VECTORS, "priorities"));
	tcase_add_loop_test(tc, retry_times, 0, t_rows(VECTORS, "retry"));
	tcase_add_loop_test(tc, tie_break, 0, t_rows(VECTORS, "tie_break"));
	tcase_add_loop_test(tc, max_peers, 0, (int)json_array_size(max));
	tcase_add_test(tc, parallel_dials);
	tcase_add_test(tc, accepted_limit);
	tcase_add_test(tc, known_limit);
	tcase_add_test(tc, limit_counts_peers);
	tcase_add_loop_test(tc, discovery, 0, t_rows(VECTORS, "discovery"));
	tcase_add_test(tc, failed_refresh);
	tcase_add_test(tc, early_lookups);
	tcase_add_loop_test(tc, relaying, 0, (int)json_array_size(relay));
	tcase_add_test(tc, firewall);
	tcase_add_test(tc, rediscovery);
	tcase_add_test(tc, suspension);
	tcase_add_test(tc, leaving);
	tcase_add_test(tc, explicit_on_close);
	tcase_add_test(tc, explicit_short_lived);
	tcase_add_test(tc, flush);
	tcase_add_test(tc, two_topics);
	return s;
}
