/* SPDX-License-Identifier: ISC */
/*
 *   dialer_connect()
 *         |
 *   handshake to known nodes --+-- walk that carries the handshake
 *         |                    |       | ended without an answer
 *         |                    |   walk that asks who knows the key
 *         |                    |       | each that does
 *         |<-------------------+-- handshake to that node
 *         | first valid answer: all else is cancelled
 *   answer.c: terminal, or paths
 *         |
 *   conn.c: open, or not in time
 *
 * Two timers: `next` starts what waits its turn, `deadline` ends it all. The
 * connection tells its fate once (on_settled), and that is the end of a dial.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/query.h"
#include "peer/handshake_answer.h"
#include "peer/dialer.h"
#include "peer/inside.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum {
	TIMEOUT_MS = 30000, /* protocol 03 §8.1 */
	/* From the answer to the proof of a path; also what an open client
	 * waits for its server, protocol 03 §8.2. */
	PATHS_MS = 10000,
	/* Known nodes get so much of a start before the walk; a peer that is
	 * connected gets two round trips, if that is more. */
	WALK_AFTER_MS = 150,
	WALK_AFTER_MS_MAX = 1000,
	/* A try without an answer lets another begin, pitfall H2. */
	STAGGER_MS = 300,
	TRIES_OPEN = 3, /* at a time, from the start ... */
	TRIES_OPEN_MAX = 6,
	TRIES_MAX = 32,
	/* The way of a handshake is twice that of other requests. */
	TRY_WAIT_MS = 500,
	VALUE_MAX = NOISE_MESSAGE_MAX + 16,
};

struct
try {
	struct dial *dial;
	struct addr node;
	int sock; /* that it leaves from, or WORLD_NO_SOCK: as all others */
	struct request *request; /* while it is open */
	bool begun;
};

struct dial {
	struct peers *peers;
	struct conn *conn; /* until it has settled */
	uint8_t key[KEY_LEN], target[HASH_LEN];
	struct noise noise;
	uint8_t value[VALUE_MAX]; /* of all handshake requests */
	size_t value_len;

	struct try tries[TRIES_MAX];
	uint8_t tries_len, tries_open, tries_allowed;

	uint32_t walk_after_ms;
	struct query *walk;
	bool walked;  /* no more walks to come */
	bool asking;  /* the walk asks who knows the key */
	int walk_err; /* of the last one */
	bool found;   /* somebody knows the key */
	bool deaf;    /* nobody answered the last walk at all */

	struct timer next, deadline;
	int sock; /* that the handshake leaves from, or WORLD_NO_SOCK */
	bool answered, ended;
};

static void
note(struct dial *d, enum dial_step_kind kind, const struct addr *node, int err)
{
	struct dial_step step = {.kind = kind, .err = err};

	if (node != NULL)
		step.addr = *node;
	conn_note(d->conn, &step);
}

static uint64_t
after(const struct dial *d, uint32_t ms)
{
	return d->peers->core->world->now_us + (uint64_t)ms * 1000;
}

/* ---- the end ---- */

static void
cancel_tries(struct dial *d)
{
	for (uint8_t i = 0; i < d->tries_len; i++)
		if (d->tries[i].request != NULL)
			dht_cancel(d->peers->base.dht, d->tries[i].request);
}

static void
dial_free(struct dial *d)
{
	noise_wipe(&d->noise);
	free(d);
}

static void
on_settled(void *owner, struct conn *c, int err)
{
	struct dial *d = owner;

	(void)c;
	d->ended = true;
	if (err != 0)
		d->peers->core->stats->dials_failed++;
	d->peers->dials--;
	timer_disarm(d->peers->core->timers, &d->next);
	timer_disarm(d->peers->core->timers, &d->deadline);
	cancel_tries(d);
	/* The walk's own end frees it then, now or after its callback. */
	if (d->walk != NULL)
		query_cancel(d->walk);
	else
		dial_free(d);
}

/* Nobody is left to ask, and nobody still to answer: why? */
static void
check_over(struct dial *d)
{
	if (d->answered || !d->walked || d->tries_open > 0)
		return;
	for (uint8_t i = 0; i < d->tries_len; i++)
		if (!d->tries[i].begun)
			return;
	if (d->found)
		conn_fail(d->conn, ERR_NO_ANSWER);
	else
		conn_fail(
		    d->conn, d->walk_err != 0 ? d->walk_err : ERR_NOT_FOUND);
}

static void
on_deadline(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, deadline);

	conn_fail(d->conn, d->answered ? conn_punch_failure(d->conn)
			   : d->deaf   ? ERR_UNREACHABLE
				       : ERR_TIMEOUT);
}

/* ---- the answer ---- */

/* The first valid answer ends the search; what follows is about paths. */
static void
take_paths(struct dial *d, struct answer *a)
{
	struct peers *p = d->peers;
	struct addr relays[RELAY_MEMORY_PER_KEY];
	int err = answer_verdict(a);
	bool found;

	/* To anybody else it would be one more connection. */
	if (conn_mends(d->conn) && !(a->payload.features & PAYLOAD_MENDS))
		err = ERR_NOT_FOUND;
	if (err == 0)
		err =
		    conn_complete_handshake(d->conn, &a->secrets, true, a->payload.udx_id);
	if (err == 0) {
		if (a->payload.features & PAYLOAD_NATIVE)
			conn_set_native(d->conn);
		conn_set_rtt(d->conn, a->rtt_us);
		if (a->payload.features & PAYLOAD_REUSABLE)
			conn_set_reusable(d->conn);
		relay_memory_put(&p->relays, d->key, relays,
		    answer_relays(a, relays, RELAY_MEMORY_PER_KEY));
		found = answer_paths(a, &p->base, d->conn);
		conn6_begin(d->conn, &a->payload);
		answer_punch(a, d->target, d->conn);
		if (!found && !conn_is_punching(d->conn) &&
		    !conn6_hopes(d->conn))
			err = ERR_NO_PATH;
	}
	if (err != 0)
		conn_fail(d->conn, err);
	else if (!conn_is_punching(d->conn) &&
		 d->deadline.due_us > after(d, PATHS_MS))
		timer_arm(p->core->timers, &d->deadline, after(d, PATHS_MS));
}

/* True if it was one: then d may be gone. */
static bool
take_answer(struct dial *d, const struct dht_answer *reply)
{
	struct answer a;
	int err = answer_read(&a, &d->noise, reply);

	if (err != 0) {
		note(d, DIAL_STEP_NO_ANSWER, &reply->from, err);
		return false;
	}
	note(d, DIAL_STEP_ANSWER, &reply->from, 0);
	d->answered = true;
	cancel_tries(d);
	if (d->walk != NULL)
		query_cancel(d->walk);
	timer_disarm(d->peers->core->timers, &d->next);
	take_paths(d, &a);
	answer_wipe(&a);
	return true;
}

/* ---- handshakes through single nodes ---- */

static void begin_tries(struct dial *d);

static void
on_tried(void *owner, const struct dht_answer *reply)
{
	struct try *t = owner;
	struct dial *d = t->dial;
	struct dht_answer a = *reply;

	t->request = NULL;
	d->tries_open--;
	if (d->ended || d->answered)
		return;
	a.from = t->node; /* also of one that has not answered */
	if (take_answer(d, &a))
		return;
	relay_memory_forget(&d->peers->relays, d->key, &t->node);
	begin_tries(d);
	check_over(d);
}

/* False if no more can be sent now. */
static bool
begin(struct dial *d, struct try *t)
{
	struct dht_call c = {
	    .to = t->node,
	    .command = CMD_PEER_HANDSHAKE,
	    .target = d->target,
	    .value = {d->value, d->value_len},
	    .timeout_ms = TRY_WAIT_MS,
	    .doubling = true,
	};
	struct dht_done done = {.call = on_tried, .owner = t};
	bool usual = t->sock == WORLD_NO_SOCK;
	int err = dht_call_from(d->peers->base.dht, usual ? d->sock : t->sock,
	    &c, done, &t->request);

	if (err == ERR_BUSY || err == ERR_CLOSED)
		return false;
	t->begun = true;
	if (err != 0)
		return true;
	if (usual)
		conn_punch_sent(d->conn, &t->node);
	d->tries_open++;
	note(d, DIAL_STEP_HANDSHAKE, &t->node, 0);
	return true;
}

static void
begin_tries(struct dial *d)
{
	for (uint8_t i = 0; i < d->tries_len; i++) {
		if (d->tries_open >= d->tries_allowed)
			return;
		if (!d->tries[i].begun && !begin(d, &d->tries[i]))
			return;
	}
}

static void
add_try(struct dial *d, const struct addr *node)
{
	if (d->tries_len == TRIES_MAX ||
	    !dht_may_send(d->peers->base.dht, node))
		return;
	for (uint8_t i = 0; i < d->tries_len; i++)
		if (addr_equal(&d->tries[i].node, node))
			return;
	d->tries[d->tries_len++] =
	    (struct try){.dial = d, .node = *node, .sock = WORLD_NO_SOCK};
}

/* The peer itself, by the path of a connection that there is already. */
static void
add_peer(struct dial *d)
{
	const struct conn *c = conn_to_reuse(d->peers, d->key);
	struct conn_status st;

	if (c == NULL)
		return;
	conn_status(c, &st);
	if (st.udx.srtt_us / 500 > d->walk_after_ms)
		d->walk_after_ms = (uint32_t)(st.udx.srtt_us / 500);
	if (d->walk_after_ms > WALK_AFTER_MS_MAX)
		d->walk_after_ms = WALK_AFTER_MS_MAX;
	d->tries[d->tries_len++] = (struct try){
	    .dial = d, .node = conn_remote(c), .sock = conn_sock(c)};
	/* It will answer; if not, the others' turn comes soon. */
	d->tries_allowed = 1;
}

/* ---- walks ---- */

static bool
names_peer(const struct dial *d, struct bytes value)
{
	struct peer_record p;

	return value.p != NULL && peer_decode(&p, value.p, value.len) == 0 &&
	       memcmp(p.key, d->key, KEY_LEN) == 0;
}

/* A node of the walk answered; without a value, it knows nothing of the key. */
static void
on_node(void *owner, const struct dht_answer *reply)
{
	struct dial *d = owner;

	if (d->ended || d->answered || reply->reply->value.p == NULL)
		return;
	if (!d->asking) {
		take_answer(d, reply);
	} else if (names_peer(d, reply->reply->value)) {
		d->found = true;
		note(d, DIAL_STEP_FOUND, &reply->from, 0);
		add_try(d, &reply->from);
		begin_tries(d);
	}
}

static void on_walked(void *owner, const struct query_result *r);

/* A second walk starts from those who have answered the first. */
static int
walk(struct dial *d, const struct query_result *before)
{
	struct query_spec spec = {
	    .command = d->asking ? CMD_FIND_PEER : CMD_PEER_HANDSHAKE,
	    .passed_on = !d->asking,
	    .socket = (uint32_t)(d->sock + 1),
	    .reply = on_node,
	    .done = on_walked,
	    .owner = d,
	};
	struct addr start[RPC_K];

	if (!d->asking)
		spec.value = (struct bytes){d->value, d->value_len};
	memcpy(spec.target, d->target, HASH_LEN);
	spec.start = start;
	while (before != NULL && spec.start_len < before->closest_len) {
		start[spec.start_len] = before->closest[spec.start_len].addr;
		spec.start_len++;
	}
	return query_start(d->peers->base.dht, &spec, &d->walk);
}

static void
on_walked(void *owner, const struct query_result *r)
{
	struct dial *d = owner;

	d->walk = NULL;
	if (d->ended) {
		dial_free(d);
		return;
	}
	if (d->answered)
		return;
	note(d, DIAL_STEP_LOOKUP, NULL, r->err);
	d->walk_err = r->err;
	d->deaf = r->err == ERR_UNREACHABLE;
	/* Silence is no news where the message was passed on. */
	if ((r->err == 0 || r->err == ERR_UNREACHABLE) && !d->asking) {
		d->asking = true;
		d->walk_err = walk(d, r);
		if (d->walk_err == 0)
			return;
	}
	d->walked = true;
	check_over(d);
}

/* ---- what waits its turn ---- */

static void
on_next(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, next);

	/* Too many walks at once: this one begins when it can. */
	if (d->walk == NULL && !d->walked && !d->asking)
		walk(d, NULL);
	else if (d->tries_open == d->tries_allowed &&
		 d->tries_allowed < TRIES_OPEN_MAX)
		d->tries_allowed++;
	begin_tries(d);
	timer_arm(d->peers->core->timers, &d->next, after(d, STAGGER_MS));
}

/* ---- the beginning ---- */

/* One message for all ways, pitfalls H1, H4. */
static int
make_message(struct dial *d, const struct key_pair *own)
{
	struct peers *p = d->peers;
	struct payload payload = {
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .features = PAYLOAD_NATIVE | PAYLOAD_REUSABLE,
	    .udx_id = conn_udx_id(d->conn),
	};
	uint8_t seed[KEY_SEED_LEN], plain[PAYLOAD_LEN_MAX];
	uint8_t noise[NOISE_MESSAGE_MAX];
	struct handshake m = {.mode = MODE_FROM_CLIENT};
	size_t len;
	int err;

	if (conn_mends(d->conn))
		payload.features |= PAYLOAD_MENDS;
	peers_describe(p, &payload);
	len = payload_encode(&payload, plain, sizeof plain);
	p->core->world->ops->random(p->core->world, seed, sizeof seed);
	err = noise_write1(
	    &d->noise, own, d->key, seed, (struct bytes){plain, len}, noise);
	sodium_memzero(seed, sizeof seed);
	m.noise = (struct bytes){noise, len + NOISE_1_OVERHEAD};
	d->value_len = handshake_encode(&m, d->value, sizeof d->value);
	return err;
}

/* Who may know the way: whom we forward to ourselves, was told, remember. */
static void
gather_known(struct dial *d, const struct dial_spec *spec)
{
	struct peers *p = d->peers;
	struct addr known[RELAY_MEMORY_PER_KEY], server;
	size_t n = relay_memory_get(&p->relays, d->key, known);

	/* What is to be mended leads nowhere. */
	if (!spec->mends)
		add_peer(d);
	if (records_forward_for(p->base.records, d->target, &server))
		add_try(d, &server);
	for (size_t i = 0; i < spec->relays_len; i++)
		add_try(d, &spec->relays[i]);
	for (size_t i = 0; i < n; i++)
		add_try(d, &known[i]);
	if (n > 0)
		conn_note(
		    d->conn, &(struct dial_step){.kind = DIAL_STEP_CACHED,
				 .number = (uint32_t)n});
}

static int
dial_begin(struct dial *d, const struct dial_spec *spec)
{
	struct timers *ts = d->peers->core->timers;
	uint32_t timeout_ms =
	    spec->timeout_ms != 0 ? spec->timeout_ms : TIMEOUT_MS;
	int err = make_message(d, spec->own);

	if (err != 0)
		return err;
	gather_known(d, spec);
	err = timer_arm(ts, &d->deadline, after(d, timeout_ms));
	if (err == 0)
		err = timer_arm(ts, &d->next,
		    after(d, d->tries_len > 0 ? d->walk_after_ms : 0));
	if (err == 0)
		begin_tries(d);
	return err;
}

int
dialer_connect(struct peers *p, const struct dial_spec *spec, uint32_t *number)
{
	struct conn_spec cs = {.key = spec->key,
	    .own_key = spec->own->public_key,
	    .own = spec->own,
	    .mends = spec->mends,
	    .settled = on_settled};
	struct dial *d;
	int err;

	if (memcmp(spec->key, spec->own->public_key, KEY_LEN) == 0)
		return ERR_VALUE;
	if (p->dials >= p->core->limits->dials)
		return ERR_LIMIT;
	if ((d = calloc(1, sizeof *d)) == NULL)
		return ERR_MEMORY;
	d->peers = p;
	d->next.fire = on_next;
	d->deadline.fire = on_deadline;
	d->tries_allowed = TRIES_OPEN;
	d->walk_after_ms = WALK_AFTER_MS;
	memcpy(d->key, spec->key, KEY_LEN);
	key_target(d->target, d->key);
	cs.owner = d;
	d->conn = conn_new(p, &cs, &err);
	if (d->conn == NULL) {
		dial_free(d);
		return err;
	}
	d->sock = conn_punch_open(d->conn);
	p->dials++;
	p->core->stats->dials++;
	*number = conn_number(d->conn);
	err = dial_begin(d, spec);
	if (err != 0)
		conn_close(d->conn);
	return err;
}
