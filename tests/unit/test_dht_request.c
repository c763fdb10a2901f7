/* SPDX-License-Identifier: ISC */
/*
 * Goal: each request of ours ends exactly once, is retransmitted with the same
 * bytes, accepts only a reply of the node it was sent to, and never floods the
 * network. Method: one dht in a simulated world, scripted peers, virtual time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht_rig.h"
#include "t.h"

static struct rig r;
static const struct addr peer = {
    .ip = {192, 0, 2, 7}, .port = 50001, .family = ADDR_V4};

/* The results that the completions received. */
static unsigned ends, replies, timeouts, cancelled, closed;
static struct dht_answer last;

static void
on_end(void *owner, const struct dht_answer *a)
{
	unsigned *mine = owner;

	if (mine != NULL)
		++*mine;
	ends++;
	replies += a->err == 0;
	timeouts += a->err == ERR_TIMEOUT;
	cancelled += a->err == ERR_CANCELLED;
	closed += a->err == ERR_CLOSED;
	last = *a;
}

static void
setup(void)
{
	ends = replies = timeouts = cancelled = closed = 0;
	rig_init_alone(&r, DHT_BOOTSTRAP);
}

static void
teardown(void)
{
	rig_fini(&r);
}

static struct request *
ping(const struct addr *to, unsigned *mine)
{
	struct dht_call c = {.to = *to, .internal = true, .command = RPC_PING};
	struct dht_done done = {.call = on_end, .owner = mine};
	struct request *out = NULL;

	ck_assert_int_eq(dht_call(r.d, &c, done, &out), 0);
	return out;
}

static struct request *
ping_host(unsigned i, unsigned *mine)
{
	struct addr a = rig_host(i);

	return ping(&a, mine);
}

/* ---- the golden replies (pitfalls R4, R18) ---- */

/* The row's datagram as if our request had the tid that the row expects. */
static int
deliver_row(const json_t *row, uint16_t tid)
{
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	struct addr from = t_addr(t_get(row, "from"));
	unsigned other = buf[2] | (unsigned)buf[3] << 8;
	uint16_t as =
	    (uint16_t)(tid + other - t_uint(t_get(row, "inflight"), "tid"));
	int err;

	buf[2] = (uint8_t)as;
	buf[3] = (uint8_t)(as >> 8);
	err = rig_deliver(&r, r.server, &from, buf, len);
	free(buf);
	return err;
}

START_TEST(takes_the_golden_replies)
{
	const json_t *row = t_row("rpc.json", "malformed_replies", _i);
	struct addr from = t_addr(t_get(row, "from"));
	struct addr to = t_addr(t_get(t_get(row, "inflight"), "to"));
	bool accepted = strcmp(t_string(row, "result"), "accepted") == 0;
	bool spoofed = !addr_equal(&from, &to);
	int err = deliver_row(row, ping(&to, NULL)->tid);

	/* "Right tid from another address": the reference takes it. */
	if (accepted && !spoofed) {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(replies, 1);
		ck_assert_uint_eq(r.d->requests.len, 0);
	} else {
		ck_assert_int_lt(err, 0);
		ck_assert_uint_eq(ends, 0);
		ck_assert_uint_eq(r.d->requests.len, 1);
		ck_assert_uint_eq(r.host.stats.drop[-err], 1);
	}
	if (spoofed)
		ck_assert_int_eq(err, ERR_SPOOFED);
	ck_assert(
	    rig_knows(&r, &to) == t_bool(row, "responder_added_to_table"));
}
END_TEST

static uint16_t tid_mask; /* from the tid of the row to ours */

static void
ask_again(const struct addr *to)
{
	if (r.d->requests.len == 0)
		tid_mask = ping(to, NULL)->tid ^ 256;
	rig_skip(&r);
}

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t *copy = t_copy(buf, len);

	ask_again(arg);
	if (len >= 4) {
		copy[2] ^= (uint8_t)tid_mask;
		copy[3] ^= (uint8_t)(tid_mask >> 8);
	}
	rig_deliver(&r, r.server, arg, copy, len);
	free(copy);
	rig_pass_ms(&r, 20);
}

START_TEST(survives_damaged_replies)
{
	const json_t *row = t_row("rpc.json", "malformed_replies", _i);
	struct addr from = t_addr(t_get(t_get(row, "inflight"), "to"));
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	t_damage(buf, len, take_damaged, &from);
	/* Some of them were good enough. */
	ck_assert_uint_gt(replies, 0);
	free(buf);
}
END_TEST

/*
 * Pitfall R4: a spoofer that replies first, from another port or host, has no
 */
START_TEST(believes_only_who_was_asked)
{
	struct addr liar = peer, stranger = peer;
	struct rig_answer lie = {.id = true, .from = &liar};
	struct rig_answer lie2 = {.id = true, .from = &stranger};
	struct rig_answer truth = {.id = true};
	struct rpc_request m;
	struct sim_sent s;

	liar.port++;
	stranger.ip[3]++;
	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(rig_answer(&r, &s, &lie), ERR_SPOOFED);
	ck_assert_int_eq(rig_answer(&r, &s, &lie2), ERR_SPOOFED);
	ck_assert_uint_eq(ends, 0);
	ck_assert_uint_eq(r.host.stats.drop[-ERR_SPOOFED], 2);
	ck_assert(!rig_knows(&r, &liar) && !rig_knows(&r, &stranger));
	ck_assert_int_eq(rig_answer(&r, &s, &truth), 0);
	ck_assert_uint_eq(replies, 1);
	/* And only once. */
	ck_assert_int_eq(rig_answer(&r, &s, &truth), ERR_UNMATCHED);
	ck_assert_uint_eq(ends, 1);
}
END_TEST

/* Pitfall R3: one table for all sockets: the reply may come in on the other
 * one. */
START_TEST(takes_a_reply_on_either_socket)
{
	struct rig_answer a = {.sock = r.client + 1};
	struct rpc_request m;
	struct sim_sent s;

	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.server);
	ck_assert_int_eq(rig_answer(&r, &s, &a), 0);
	ck_assert_uint_eq(replies, 1);
	ck_assert_int_eq(last.sock, r.client);
}
END_TEST

/* Pitfall R18: unsolicited replies teach nothing: no node, no address, no
 * proof. */
static struct request *
ping_from(int sock, bool doubling)
{
	struct dht_call c = {.to = peer,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = doubling ? 8 : 4,
	    .timeout_ms = doubling ? 300 : 0,
	    .doubling = doubling};
	struct request *out = NULL;

	ck_assert_int_eq(dht_call_from(r.d, sock, &c,
			     (struct dht_done){.call = on_end}, &out),
	    0);
	return out;
}

/* Pitfall R3: one table of requests, however many sockets there are. */
START_TEST(a_further_socket_asks_and_is_asked)
{
	struct addr bound;
	int sock = dht_open_socket(r.d, &bound);
	struct rpc_request ask = {
	    .tid = 9, .internal = true, .command = RPC_PING};
	struct sim_sent sent;
	struct rpc_reply re;

	ck_assert_int_ge(sock, 0);
	ck_assert_uint_eq(r.host.world.socks[sock].bound.port, bound.port);
	rig_skip(&r);
	ping_from(sock, false);
	ck_assert(rig_take(&r, &sent));
	ck_assert_int_eq(sent.meta.sock, sock);
	/* No id: others know us by the server socket. */
	ck_assert_uint_eq(sent.buf[1] & 1, 0);
	ck_assert_int_eq(rig_answer(&r, &sent, &(struct rig_answer){0}), 0);
	ck_assert_int_eq(last.sock, sock);
	/* The answer to one may come in on another. */
	ping_from(sock, false);
	ck_assert(rig_take(&r, &sent));
	ck_assert_int_eq(
	    rig_answer(&r, &sent, &(struct rig_answer){.sock = r.client + 1}),
	    0);
	ck_assert_int_eq(last.sock, r.client);
	ck_assert_uint_eq(replies, 2);

	ck_assert_int_eq(rig_request(&r, sock, &peer, &ask), 0);
	ck_assert(rig_take_reply(&r, &sent, &re));
	ck_assert_int_eq(sent.meta.sock, sock);
	ck_assert_ptr_null(re.id);
	dht_close_socket(r.d, sock);
}
END_TEST

START_TEST(a_closed_socket_ends_what_was_to_leave_from_it)
{
	uint8_t delay[] = {100, 0, 0, 0};
	struct rpc_request later = {.tid = 9,
	    .internal = true,
	    .command = RPC_DELAYED_PING,
	    .value = {delay, sizeof delay}};
	struct addr bound;
	int sock = dht_open_socket(r.d, &bound);

	ping_from(sock, false);
	ping_from(sock, false);
	ping(&peer, NULL);
	ck_assert_int_eq(rig_request(&r, sock, &peer, &later), 0);
	dht_close_socket(r.d, sock);
	ck_assert(!r.host.world.socks[sock].open);
	ck_assert_uint_eq(cancelled, 2);
	ck_assert_uint_eq(r.d->requests.len, 1);
	/* The simulated world aborts if anything still leaves from it. */
	rig_pass_ms(&r, 10000);
	ck_assert_uint_eq(r.host.stats.delayed_served, 0);
}
END_TEST

START_TEST(waits_double_up_to_a_second)
{
	const uint64_t start = r.host.world.w.now_us,
		       at[8] = {0, 300, 600, 1200, 1800, 2800, 3800, 4800};
	struct sim_sent sent;

	rig_skip(&r);
	ping_from(r.client, true);
	for (int i = 0; i < 8; i++) {
		rig_pass_ms(&r, at[i] - (r.host.world.w.now_us - start) / 1000);
		ck_assert(rig_take(&r, &sent));
		ck_assert(!rig_take(&r, &sent));
	}
	rig_pass_ms(&r, 999);
	ck_assert_uint_eq(timeouts, 0);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(timeouts, 1);
}
END_TEST

START_TEST(learns_nothing_from_unsolicited_replies)
{
	struct sampler before = r.d->self.sampler;

	for (unsigned i = 0; i < 400; i++) {
		struct addr from = rig_host(i);
		uint8_t id[ID_LEN], buf[DGRAM_MAX];
		struct rpc_reply m = {.tid = (uint16_t)i,
		    .to = addr_v4(66, 66, 66, 66, 6666),
		    .id = id};

		id_of_addr(id, &from);
		ck_assert_int_eq(rig_deliver(&r, r.server, &from, buf,
				     rpc_reply_encode(&m, buf, sizeof buf)),
		    ERR_UNMATCHED);
	}
	ck_assert_uint_eq(r.d->self.table.nodes.len, 0);
	ck_assert_uint_eq(r.d->requests.rtts.pool.len, 0);
	ck_assert_uint_eq(r.d->limiter.pool.len, 0);
	ck_assert_mem_eq(&before, &r.d->self.sampler, sizeof before);
	ck_assert_uint_eq(r.host.stats.drop[-ERR_UNMATCHED], 400);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
}
END_TEST

/* A reply to a request that still waits for the window is a guess. */
START_TEST(a_request_not_sent_yet_has_no_reply)
{
	struct rpc_reply m = {.to = r.self};
	uint8_t buf[64];
	struct request *q = NULL;

	for (unsigned i = 0; i < 81; i++)
		q = ping_host(i, NULL);
	ck_assert(q->waiting);
	m.tid = q->tid;
	ck_assert_int_eq(rig_deliver(&r, r.server, &q->to, buf,
			     rpc_reply_encode(&m, buf, sizeof buf)),
	    ERR_UNMATCHED);
	ck_assert_uint_eq(ends, 0);
}
END_TEST

/* ---- ids in requests (pitfall R5) ---- */

START_TEST(requests_carry_the_id_only_where_it_is_true)
{
	struct rpc_request m;
	struct sim_sent s;
	struct request_options on_client = {.sock = r.client};
	struct dht_call c = {.to = peer, .internal = true};
	uint8_t id[ID_LEN];

	id_of_addr(id, &r.self);
	/* Persistent, from the server socket. */
	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.server);
	ck_assert_ptr_nonnull(m.id);
	ck_assert_mem_eq(m.id, id, ID_LEN);
	/* Persistent, from the client socket. */
	ck_assert_int_eq(requests_start(&r.d->requests, &c, &on_client,
			     (struct dht_done){.call = on_end}, NULL),
	    0);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.client);
	ck_assert_ptr_null(m.id);
	/* Ephemeral: on neither. */
	r.d->self.ephemeral = true;
	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.server);
	ck_assert_ptr_null(m.id);
	r.d->self.firewalled = true;
	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.client);
	ck_assert_ptr_null(m.id);
	ck_assert_uint_eq(m.to.port, peer.port);
}
END_TEST

/* ---- sending again (pitfall R12) ---- */

static const struct {
	const char *name;
	uint8_t sends;
	uint32_t timeout_ms, known_rtt_ms;
	unsigned want;
	uint32_t wait_ms[6]; /* to each next send and to the end; + jitter */
} retries[] = {
    {"plain, unknown", 0, 0, 0, 4, {250, 500, 1000, 2000}},
    {"plain, flat", 0, 1000, 0, 4, {1000, 1000, 1000, 1000}},
    {"once", 1, 1000, 0, 1, {1000}},
    {"query, unknown", 6, 0, 0, 6, {250, 500, 1000, 2000, 4000, 4000}},
    /* avg 200, var 100 */
    {"plain, known", 0, 0, 200, 4, {400, 800, 1200, 1600}},
    {"plain, fast", 0, 0, 1, 4, {300, 300, 300, 300}},
};

START_TEST(sends_the_same_bytes_again)
{
	static const uint8_t target[RPC_TARGET_LEN] = {9};
	struct dht_call c = {.to = peer,
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .target = target,
	    .sends = retries[_i].sends,
	    .timeout_ms = retries[_i].timeout_ms};
	struct sim_sent first, again;
	uint64_t jitter = retries[_i].timeout_ms > 0 ? 0 : RTT_JITTER_MS;
	unsigned sends;

	if (retries[_i].known_rtt_ms > 0)
		rtt_table_put(&r.d->requests.rtts, &r.host.world.w, &peer,
		    retries[_i].known_rtt_ms);
	ck_assert_int_eq(
	    dht_call(r.d, &c, (struct dht_done){.call = on_end}, NULL), 0);
	ck_assert(rig_take(&r, &first));
	for (sends = 1; ends == 0; sends++) {
		uint64_t sent_us = r.host.world.w.now_us, waited;
		bool more;

		/* The tick of the node must not get in between. */
		timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
		while (!(more = rig_take(&r, &again)) && ends == 0)
			rig_pass_ms(&r, 1);
		waited = (r.host.world.w.now_us - sent_us) / 1000;
		ck_assert_uint_ge(waited, retries[_i].wait_ms[sends - 1]);
		ck_assert_uint_le(
		    waited, retries[_i].wait_ms[sends - 1] + jitter);
		if (!more)
			break;
		ck_assert_uint_eq(first.len, again.len);
		ck_assert_mem_eq(first.buf, again.buf, first.len);
		ck_assert_int_eq(first.meta.sock, again.meta.sock);
	}
	ck_assert_uint_eq(sends, retries[_i].want);
	ck_assert_uint_eq(timeouts, 1);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(r.host.stats.requests_lost, 1);
}
END_TEST

/* The socket and the bytes stay, also if the node changes its mind. */
START_TEST(a_change_of_role_does_not_change_what_is_sent_again)
{
	struct sim_sent first, again;

	ping(&peer, NULL);
	ck_assert(rig_take(&r, &first));
	r.d->self.ephemeral = r.d->self.firewalled = true;
	rig_pass_ms(&r, 600);
	ck_assert(rig_take(&r, &again));
	ck_assert_uint_eq(first.len, again.len);
	ck_assert_mem_eq(first.buf, again.buf, first.len);
	ck_assert_int_eq(again.meta.sock, r.server);
	r.d->self.ephemeral = r.d->self.firewalled = false;
}
END_TEST

/* A late answer may be to any send: it never makes a node look too fast. */
START_TEST(learns_round_trips)
{
	struct rig_answer good = {.id = true};
	struct sim_sent first, s;
	uint64_t start = r.host.world.w.now_us, took;

	ping(&peer, NULL);
	ck_assert(rig_take(&r, &first));
	for (int sends = 1; sends < 3; sends++)
		while (!rig_take(&r, &s))
			rig_pass_ms(&r, 1);
	ck_assert_int_eq(rig_answer(&r, &first, &good), 0);
	took = (r.host.world.w.now_us - start) / 1000;
	ck_assert_uint_ge(took, 750);
	ck_assert_uint_eq(rtt_table_timeout_ms(
			      &r.d->requests.rtts, &r.host.world.w, &peer, 1),
	    took + 2 * (took / 2));
	rig_pass_ms(&r, 700 * 1000); /* that is forgotten */
	rig_skip(&r);
	ping(&peer, NULL);
	ck_assert(rig_take(&r, &first));
	rig_pass_ms(&r, 200);
	ck_assert_int_eq(rig_answer(&r, &first, &good), 0);
	ck_assert_uint_eq(last.rtt_us, 200000);
	ck_assert_uint_eq(rtt_table_timeout_ms(
			      &r.d->requests.rtts, &r.host.world.w, &peer, 1),
	    400);
}
END_TEST

/* ---- tids (pitfalls R4, R17) ---- */

static uint32_t next_random[8];
static unsigned randoms_len, randoms_at;
static struct world_ops scripted;
static const struct world_ops *original;

static void
scripted_random(struct world *w, void *out, size_t len)
{
	if (len == 4 && randoms_at < randoms_len)
		memcpy(out, &next_random[randoms_at++], len);
	else
		original->random(w, out, len);
}

/* The world's next numbers of four bytes. */
static void
script(const uint32_t *numbers, unsigned n)
{
	original = r.host.world.w.ops;
	scripted = *original;
	scripted.random = scripted_random;
	r.host.world.w.ops = &scripted;
	memcpy(next_random, numbers, n * sizeof *numbers);
	randoms_len = n;
	randoms_at = 0;
}

/* Pitfall R17: 0 is an ordinary tid. */
START_TEST(tid_0_is_an_ordinary_tid)
{
	static const uint32_t zero[] = {0};
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s;

	script(zero, 1);
	ck_assert_uint_eq(ping(&peer, NULL)->tid, 0);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_uint_eq(m.tid, 0);
	ck_assert_int_eq(rig_answer(&r, &s, &good), 0);
	ck_assert_uint_eq(replies, 1);
}
END_TEST

/* No tid is in flight twice, whatever the random numbers. */
START_TEST(no_tid_is_used_twice_at_a_time)
{
	/* Between two tids falls the jitter of the first wait. */
	static const uint32_t dice[] = {7, 0, 7, 7, 65535 + 8, 0};
	struct request *a, *b;

	script(dice, 6);
	a = ping(&peer, NULL);
	b = ping_host(1, NULL);
	ck_assert_uint_eq(a->tid, 7);
	ck_assert_uint_ne(b->tid, 7);
}
END_TEST

START_TEST(tids_cannot_be_guessed)
{
	uint16_t before = 0;
	unsigned steps = 0;

	for (unsigned i = 0; i < 100; i++) {
		uint16_t tid = ping_host(i, NULL)->tid;

		steps += tid == (uint16_t)(before + 1);
		before = tid;
	}
	ck_assert_uint_lt(steps, 3);
}
END_TEST

/* ---- the congestion window (protocol 01 §9.3, pitfall R14) ---- */

START_TEST(the_window_paces_a_burst)
{
	unsigned sent[6] = {0};
	struct sim_sent s;

	timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
	for (unsigned i = 0; i < 400; i++) {
		struct addr a = rig_host(i);
		struct dht_call c = {.to = a,
		    .internal = true,
		    .command = RPC_PING,
		    .sends = 1,
		    .timeout_ms = 60000};

		ck_assert_int_eq(
		    dht_call(r.d, &c, (struct dht_done){.call = on_end}, NULL),
		    0);
	}
	for (int slot = 0; slot < 6; slot++) {
		while (rig_take(&r, &s))
			sent[slot]++;
		rig_pass_ms(&r, 750);
	}
	/* 80 in a slot, 160 in four; what is empty is filled again. */
	ck_assert_uint_eq(sent[0], 80);
	ck_assert_uint_eq(sent[1], 80);
	ck_assert_uint_eq(sent[2] + sent[3], 0);
	ck_assert_uint_eq(sent[4], 80);
	ck_assert_uint_eq(sent[5], 80);
}
END_TEST

/* Pitfall R14: what waits is cancelled too, and gives nothing back that it
 * never took. */
START_TEST(cancelled_waiters_give_no_credit)
{
	struct request *q[200];
	uint16_t total;
	unsigned sent = 0;
	struct sim_sent s;

	for (unsigned i = 0; i < 200; i++)
		q[i] = ping_host(i, NULL);
	total = r.d->requests.window.total;
	ck_assert_uint_eq(total, 80);
	for (unsigned i = 80; i < 200; i++) {
		ck_assert(q[i]->waiting);
		dht_cancel(r.d, q[i]);
	}
	ck_assert_uint_eq(cancelled, 120);
	ck_assert_uint_eq(r.d->requests.window.total, total);
	ck_assert_uint_eq(r.d->requests.len, 80);
	for (unsigned i = 0; i < 80; i++)
		dht_cancel(r.d, q[i]);
	ck_assert_uint_eq(r.d->requests.window.total, 0);
	ck_assert_uint_eq(ends, 200);
	/* Nothing of it leaves later; the next burst finds 80 places. */
	rig_skip(&r);
	rig_pass_ms(&r, 4000);
	ck_assert(!rig_take(&r, &s));
	for (unsigned i = 0; i < 100; i++)
		ping_host(i, NULL);
	while (rig_take(&r, &s))
		sent++;
	ck_assert_uint_eq(sent, 80);
}
END_TEST

/* A place that a request gives back is taken at once, not at the next slot. */
START_TEST(freed_places_are_used)
{
	struct request *q[90];
	unsigned sent = 0;
	struct sim_sent s;

	for (unsigned i = 0; i < 90; i++)
		q[i] = ping_host(i, NULL);
	rig_skip(&r);
	for (unsigned i = 0; i < 3; i++)
		dht_cancel(r.d, q[i]);
	rig_pass_ms(&r, 1);
	while (rig_take(&r, &s))
		sent++;
	ck_assert_uint_eq(sent, 3);
	ck_assert(!q[82]->waiting);
	ck_assert(q[83]->waiting);
}
END_TEST

/* ---- exactly one end (pitfall R13) ---- */

START_TEST(refuses_at_once_or_ends_once)
{
	struct dht_call c = {.to = peer, .internal = true};
	struct dht_done done = {.call = on_end};
	uint8_t big[DGRAM_MAX] = {0};
	struct limits l;

	c.to.port = 0;
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_VALUE);
	c.to = addr_v4(255, 255, 255, 255, 1);
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_VALUE);
	c.to = (struct addr){.family = ADDR_V6, .ip = {32, 1}, .port = 1};
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_VALUE);
	c.to = peer;
	c.value = (struct bytes){big, sizeof big};
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_VALUE);
	c.value = (struct bytes){0};

	/* Protocol 01 §9.3 and the limit: ERR_BUSY is returned at once. */
	limits_init(&l);
	l.requests = 64;
	r.host.limits = l;
	dht_limits_changed(r.d);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(dht_call(r.d, &c, done, NULL), 0);
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_BUSY);
	ck_assert_uint_eq(r.host.stats.requests_refused, 1);
	ck_assert_uint_eq(ends, 0);

	dht_end(r.d);
	ck_assert_uint_eq(closed, 64);
	ck_assert_uint_eq(ends, 64);
	ck_assert_int_eq(dht_call(r.d, &c, done, NULL), ERR_CLOSED);
	ck_assert_uint_eq(ends, 64);
}
END_TEST

/* A completion that starts and cancels others, as completions may. */
enum { CROWD = 4000, AT_ONCE = 300 };

static struct request *live[CROWD];
static unsigned ended[CROWD], started;
static struct prng dice;

static void on_crowd(void *owner, const struct dht_answer *a);

static void
start_one(void)
{
	struct addr a = rig_host(prng_below(&dice, 500));
	struct dht_call c = {.to = a,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = (uint8_t)prng_below(&dice, 4)};
	struct dht_done done = {.call = on_crowd, .owner = &ended[started]};

	if (started == CROWD)
		return;
	if (dht_call(r.d, &c, done, &live[started]) == 0)
		started++;
}

static void
cancel_one(void)
{
	unsigned i = started > 0 ? prng_below(&dice, started) : 0;

	if (live[i] != NULL)
		dht_cancel(r.d, live[i]);
}

static void
on_crowd(void *owner, const struct dht_answer *a)
{
	unsigned *mine = owner;

	(void)a;
	++*mine;
	live[mine - ended] = NULL;
	for (int i = 0; i < 2; i++) {
		if (prng_below(&dice, 3) == 0)
			start_one();
		if (prng_below(&dice, 4) == 0)
			cancel_one();
	}
}

START_TEST(a_crowd_ends_each_exactly_once)
{
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s;

	dice = prng_seeded((uint64_t)_i);
	started = 0;
	memset(ended, 0, sizeof ended);
	while (started < CROWD) {
		while (r.d->requests.len < AT_ONCE && started < CROWD)
			start_one();
		rig_pass_ms(&r, prng_below(&dice, 200));
		while (rig_take_request(&r, &s, &m))
			if (prng_below(&dice, 2) == 0)
				rig_answer(&r, &s, &good);
		if (prng_below(&dice, 3) == 0)
			cancel_one();
	}
	if (_i % 2 == 0)
		rig_pass_ms(&r, 60000);
	dht_end(r.d);
	for (unsigned i = 0; i < started; i++)
		if (ended[i] != 1)
			ck_abort_msg("%u ended %u times", i, ended[i]);
	ck_assert_uint_eq(r.d->requests.len, 0);
}
END_TEST

/* A full batch is a lost datagram: the timer sends it again. */
START_TEST(a_full_batch_is_like_a_loss)
{
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s;

	r.host.world.batch_max = 1;
	ping_host(1, NULL);
	ping(&peer, NULL);
	ck_assert(rig_take(&r, &s));
	ck_assert(!rig_take(&r, &s));
	r.host.world.batch_max = 0;
	rig_pass_ms(&r, 600);
	while (rig_take_request(&r, &s, &m))
		if (addr_equal(&s.meta.to, &peer))
			ck_assert_int_eq(rig_answer(&r, &s, &good), 0);
	ck_assert_uint_eq(replies, 1);
}
END_TEST

/* A node may require a token: the request is sent once more, with it. */
START_TEST(returns_a_token_that_a_node_wants)
{
	static const uint8_t token[RPC_TOKEN_LEN] = {7, 8, 9};
	struct rig_answer refusal = {
	    .id = true, .token = token, .error = RPC_INVALID_TOKEN};
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s, again;

	ping(&peer, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_ptr_null(m.token);
	ck_assert_int_eq(rig_answer(&r, &s, &refusal), 0);
	ck_assert_uint_eq(ends, 0);
	ck_assert(rig_take_request(&r, &again, &m));
	ck_assert_ptr_nonnull(m.token);
	ck_assert_mem_eq(m.token, token, sizeof token);
	/* An answer to a copy without the token changes nothing. */
	ck_assert_int_eq(rig_answer(&r, &s, &refusal), 0);
	ck_assert(!rig_take_request(&r, &again, &m));
	ck_assert_uint_eq(ends, 0);
	ck_assert_int_eq(rig_answer(&r, &s, &good), 0);
	ck_assert_uint_eq(replies, 1);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dht_request", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, takes_the_golden_replies, 0,
	    t_rows("rpc.json", "malformed_replies"));
	tcase_add_loop_test(tc, survives_damaged_replies, 0, 3);
	tcase_add_test(tc, believes_only_who_was_asked);
	tcase_add_test(tc, takes_a_reply_on_either_socket);
	tcase_add_test(tc, a_further_socket_asks_and_is_asked);
	tcase_add_test(tc, a_closed_socket_ends_what_was_to_leave_from_it);
	tcase_add_test(tc, waits_double_up_to_a_second);
	tcase_add_test(tc, learns_nothing_from_unsolicited_replies);
	tcase_add_test(tc, a_request_not_sent_yet_has_no_reply);
	tcase_add_test(tc, requests_carry_the_id_only_where_it_is_true);
	tcase_add_loop_test(tc, sends_the_same_bytes_again, 0, T_ROWS(retries));
	tcase_add_test(tc, a_change_of_role_does_not_change_what_is_sent_again);
	tcase_add_test(tc, learns_round_trips);
	tcase_add_test(tc, tid_0_is_an_ordinary_tid);
	tcase_add_test(tc, no_tid_is_used_twice_at_a_time);
	tcase_add_test(tc, tids_cannot_be_guessed);
	tcase_add_test(tc, the_window_paces_a_burst);
	tcase_add_test(tc, freed_places_are_used);
	tcase_add_test(tc, cancelled_waiters_give_no_credit);
	tcase_add_test(tc, refuses_at_once_or_ends_once);
	tcase_add_loop_test(tc, a_crowd_ends_each_exactly_once, 0, 6);
	tcase_add_test(tc, a_full_batch_is_like_a_loss);
	tcase_add_test(tc, returns_a_token_that_a_node_wants);
	return s;
}
