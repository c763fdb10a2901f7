/* SPDX-License-Identifier: ISC */
/* clang-format off */
/*
 *   dialer_connect()
 *         |
 *   KNOWN     handshakes to known nodes
 *         |
 *   FORWARD   a lookup that carries the handshake ---- no answer --.
 *         |                                                        |
 *         |   FIND   a lookup for the nodes that know the key  <---'
 *         |         |  each of them gets the handshake
 *         |   SEARCHED   the handshakes in flight are the last chance
 *         |         |
 *   ANSWERED <------'   by the first valid answer: all else is cancelled;
 *         |             handshake_answer.c: an error, or path candidates
 *   SETTLED   conn.c: the connection is open, or has failed
 */
/* clang-format on */
#include "peer/dialer.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/query.h"
#include "peer/conn_struct.h"
#include "peer/handshake_answer.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum {
	TIMEOUT_MS = 30000, /* protocol 03 §8.1 */
	/* From the answer to the verified header; also the time that an open
	 * client waits for its server, protocol 03 §8.2. */
	PATHS_MS = 10000,
	/* Head start of known nodes before the lookup; a peer that is
	 * connected gets two round trips, if that is more. */
	LOOKUP_AFTER_MS = 150,
	LOOKUP_AFTER_MS_MAX = 1000,
	/* An attempt without an answer lets another one begin, pitfall H2. */
	STAGGER_MS = 300,
	ATTEMPTS_OPEN = 3, /* in flight, from the start ... */
	ATTEMPTS_OPEN_MAX = 6,
	/* A forwarded handshake takes twice the way of other requests. */
	ATTEMPT_TIMEOUT_MS = 500,
	VALUE_MAX = NOISE_MESSAGE_MAX + 16,
};

/* Each state follows from the event in the drawing above. */
enum dial_state {
	DIAL_KNOWN,
	DIAL_FORWARD,
	DIAL_FIND,
	DIAL_SEARCHED,
	DIAL_ANSWERED,
	DIAL_SETTLED,
};

/* The handshake sent to one node. */
struct dial_attempt {
	struct dial *dial;
	struct addr node;
	int sock; /* that it is sent from; WORLD_NO_SOCK: that of the dial */
	struct request *request; /* while it is in flight */
	bool sent;
};

struct named_relay {
	bool set;
	uint8_t key[KEY_LEN], token[PAYLOAD_TOKEN_LEN];
};

/*
 * Timers: `next` starts the lookup and further attempts, `deadline` fails the
 * connection. The connection notifies on_settled() once, which ends the dial.
 */
struct dial {
	struct peers *peers;
	struct conn *conn; /* until it has settled */
	enum dial_state state;
	uint8_t key[KEY_LEN], target[HASH_LEN];
	int sock; /* that handshakes are sent from, or WORLD_NO_SOCK */
	struct named_relay relay; /* that we name */
	struct noise noise;
	uint8_t value[VALUE_MAX]; /* of all handshake requests */
	size_t value_len;

	struct dial_attempt attempts[DIAL_ATTEMPTS_MAX];
	uint8_t attempts_len, attempts_open, attempts_allowed;

	struct query *lookup;
	int lookup_err;    /* of the last lookup that ended or did not start */
	bool key_found;    /* a node knows the key */
	bool no_responses; /* no node responded to the last lookup */

	uint32_t lookup_after_ms;
	struct timer next, deadline;
};

/* The only place that changes the state. */
static void
dial_set_state(struct dial *d, enum dial_state state)
{
	assert(state >= d->state || d->state == DIAL_FORWARD);
	d->state = state;
}

static void
record_step(
    struct dial *d, enum dial_step_kind kind, const struct addr *node, int err)
{
	struct dial_step step = {.kind = kind, .err = err};

	if (node != NULL)
		step.addr = *node;
	conn_record(d->conn, &step);
}

/* ---- the end ---- */

static void
cancel_attempts(struct dial *d)
{
	for (uint8_t i = 0; i < d->attempts_len; i++)
		if (d->attempts[i].request != NULL)
			dht_cancel(d->peers->base.dht, d->attempts[i].request);
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

	dial_set_state(d, DIAL_SETTLED);
	if (err != 0)
		d->peers->core->stats->dials_failed++;
	if (c->purpose == CONN_FOR_APPLICATION)
		relay_finder_note_dial(&d->peers->finder, err);
	d->peers->dials--;
	timer_disarm(d->peers->core->timers, &d->next);
	timer_disarm(d->peers->core->timers, &d->deadline);
	cancel_attempts(d);
	/* on_lookup_done() frees it then, now or after this callback. */
	if (d->lookup != NULL)
		query_cancel(d->lookup);
	else
		dial_free(d);
}

/* Fails the connection if no answer can come any more. */
static void
check_exhausted(struct dial *d)
{
	if (d->state != DIAL_SEARCHED || d->attempts_open > 0)
		return;
	for (uint8_t i = 0; i < d->attempts_len; i++)
		if (!d->attempts[i].sent)
			return;
	if (d->key_found)
		conn_fail(d->conn, ERR_NO_ANSWER);
	else
		conn_fail(d->conn,
		    d->lookup_err != 0 ? d->lookup_err : ERR_NOT_FOUND);
}

static void
on_deadline(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, deadline);
	int err = ERR_TIMEOUT;

	if (d->state == DIAL_ANSWERED)
		err = conn_relay_failure(d->conn) != 0
			  ? conn_relay_failure(d->conn)
			  : conn_punch_failure(d->conn);
	else if (d->no_responses)
		err = ERR_UNREACHABLE;
	conn_fail(d->conn, err);
}

/* ---- the answer ---- */

/* Returns 0, or why the answer permits no connection. */
static int
judge_answer(const struct dial *d, const struct handshake_answer *a)
{
	int err = handshake_answer_judge(a);

	/* A peer that cannot redial would accept one more connection. */
	if (conn_is_redial(d->conn) && !(a->payload.features & PAYLOAD_REDIAL))
		err = ERR_NOT_FOUND;
	return err;
}

/* Dials the blind relay that one side has named, the server's if both have.
 * Does nothing if the client is open or has reached the server directly: the
 * server then connects without a relay. */
static void
begin_relay(struct dial *d, const struct handshake_answer *a)
{
	const struct payload *theirs = &a->payload;
	struct conn_relay_spec spec = {.initiator = true};

	if (!a->relayed || dht_open_address(d->peers->base.dht) != NULL)
		return;
	if (payload_has(theirs, PAYLOAD_RELAY_THROUGH))
		spec = (struct conn_relay_spec){
		    .key = theirs->relay_key, .token = theirs->relay_token};
	else if (d->relay.set) {
		spec.key = d->relay.key;
		spec.token = d->relay.token;
	}
	if (spec.key != NULL)
		conn_relay_begin(d->conn, &spec);
}

/* Adds the path candidates of the answer and starts punching. Returns
 * ERR_NO_PATH if there is no candidate and none can be expected. */
static int
add_paths(struct dial *d, struct handshake_answer *a)
{
	struct peers *p = d->peers;
	struct addr relays[RELAY_MEMORY_PER_KEY];
	bool found;

	conn_set_features(d->conn, a->payload.features);
	conn_set_rtt(d->conn, a->rtt_us);
	relay_memory_put(&p->relays, d->key, relays,
	    handshake_answer_relays(a, relays, RELAY_MEMORY_PER_KEY));
	found = handshake_answer_add_paths(a, &p->base, d->conn);
	conn_ipv6_begin(d->conn, &a->payload, true);
	handshake_answer_punch(a, d->target, d->conn);
	begin_relay(d, a);
	return found || conn_relay_is_pending(d->conn) ||
		       conn_is_punching(d->conn) ||
		       conn_ipv6_is_probing(d->conn)
		   ? 0
		   : ERR_NO_PATH;
}

static void
apply_answer(struct dial *d, struct handshake_answer *a)
{
	uint64_t due_us = peers_after_ms(d->peers, PATHS_MS);
	int err = judge_answer(d, a);

	if (err == 0)
		err = conn_complete_handshake(
		    d->conn, &a->secrets, true, a->payload.udx_id);
	if (err == 0)
		err = add_paths(d, a);
	if (err != 0)
		conn_fail(d->conn, err);
	else if (!conn_is_punching(d->conn) &&
		 !conn_relay_is_pending(d->conn) && d->deadline.due_us > due_us)
		timer_arm(d->peers->core->timers, &d->deadline, due_us);
}

/* Returns true if the reply is a valid answer, which ends the search. Then d
 * may be freed. */
static bool
take_answer(struct dial *d, const struct dht_answer *reply)
{
	struct handshake_answer a;
	int err = handshake_answer_read(&a, &d->noise, reply);

	if (err != 0) {
		record_step(d, DIAL_STEP_NO_ANSWER, &reply->from, err);
		return false;
	}
	record_step(d, DIAL_STEP_ANSWER, &reply->from, 0);
	dial_set_state(d, DIAL_ANSWERED);
	cancel_attempts(d);
	if (d->lookup != NULL)
		query_cancel(d->lookup);
	timer_disarm(d->peers->core->timers, &d->next);
	apply_answer(d, &a);
	handshake_answer_wipe(&a);
	return true;
}

/* ---- attempts: the handshake through single nodes ---- */

static void send_attempts(struct dial *d);

static void
on_attempt_done(void *owner, const struct dht_answer *reply)
{
	struct dial_attempt *t = owner;
	struct dial *d = t->dial;
	struct dht_answer a = *reply;

	t->request = NULL;
	d->attempts_open--;
	if (d->state >= DIAL_ANSWERED)
		return;
	a.from = t->node; /* the reply has none if it timed out */
	if (take_answer(d, &a))
		return;
	relay_memory_forget(&d->peers->relays, d->key, &t->node);
	send_attempts(d);
	check_exhausted(d);
}

/* Returns false if no more requests can be sent now. */
static bool
send_attempt(struct dial *d, struct dial_attempt *t)
{
	struct dht_call c = {
	    .to = t->node,
	    .command = CMD_PEER_HANDSHAKE,
	    .target = d->target,
	    .value = {d->value, d->value_len},
	    .timeout_ms = ATTEMPT_TIMEOUT_MS,
	    .doubling = true,
	};
	struct dht_done done = {.call = on_attempt_done, .owner = t};
	bool is_usual = t->sock == WORLD_NO_SOCK;
	int err = dht_call_from(d->peers->base.dht,
	    is_usual ? d->sock : t->sock, &c, done, &t->request);

	if (err == ERR_BUSY || err == ERR_CLOSED)
		return false;
	t->sent = true;
	if (err != 0)
		return true;
	if (is_usual)
		conn_punch_sent(d->conn, &t->node);
	d->attempts_open++;
	record_step(d, DIAL_STEP_HANDSHAKE, &t->node, 0);
	return true;
}

static void
send_attempts(struct dial *d)
{
	for (uint8_t i = 0; i < d->attempts_len; i++) {
		if (d->attempts_open >= d->attempts_allowed)
			return;
		if (!d->attempts[i].sent && !send_attempt(d, &d->attempts[i]))
			return;
	}
}

static void
add_attempt(struct dial *d, const struct addr *node)
{
	if (d->attempts_len == DIAL_ATTEMPTS_MAX ||
	    !dht_may_send(d->peers->base.dht, node))
		return;
	for (uint8_t i = 0; i < d->attempts_len; i++)
		if (addr_equal(&d->attempts[i].node, node))
			return;
	d->attempts[d->attempts_len++] = (struct dial_attempt){
	    .dial = d, .node = *node, .sock = WORLD_NO_SOCK};
}

/* Adds the peer itself, over the path of a connection to it. */
static void
add_connected_peer(struct dial *d)
{
	const struct conn *c = conn_to_reuse(d->peers, d->key);
	struct conn_status st;

	if (c == NULL)
		return;
	conn_status(c, &st);
	if (st.udx.srtt_us / 500 > d->lookup_after_ms)
		d->lookup_after_ms = (uint32_t)(st.udx.srtt_us / 500);
	if (d->lookup_after_ms > LOOKUP_AFTER_MS_MAX)
		d->lookup_after_ms = LOOKUP_AFTER_MS_MAX;
	d->attempts[d->attempts_len++] = (struct dial_attempt){
	    .dial = d, .node = conn_remote(c), .sock = conn_sock(c)};
	/* It most likely answers; if not, on_next() allows more soon. */
	d->attempts_allowed = 1;
}

/* ---- lookups ---- */

static bool
names_peer(const struct dial *d, struct bytes value)
{
	struct peer_record p;

	return value.p != NULL && peer_decode(&p, value.p, value.len) == 0 &&
	       memcmp(p.key, d->key, KEY_LEN) == 0;
}

/* Handles a reply of a lookup; one without a value knows nothing of the key. */
static void
on_lookup_reply(void *owner, const struct dht_answer *reply)
{
	struct dial *d = owner;

	if (d->state >= DIAL_ANSWERED || reply->reply->value.p == NULL)
		return;
	if (d->state != DIAL_FIND) {
		take_answer(d, reply);
	} else if (names_peer(d, reply->reply->value)) {
		d->key_found = true;
		record_step(d, DIAL_STEP_FOUND, &reply->from, 0);
		add_attempt(d, &reply->from);
		send_attempts(d);
	}
}

static void on_lookup_done(void *owner, const struct query_result *r);

/* Starts the lookup of the state FORWARD or FIND. The second one starts from
 * the nodes that have responded to the first. */
static int
start_lookup(struct dial *d, const struct query_result *before)
{
	bool forwards = d->state == DIAL_FORWARD;
	struct query_spec spec = {
	    .command = forwards ? CMD_PEER_HANDSHAKE : CMD_FIND_PEER,
	    .passed_on = forwards,
	    .socket = (uint32_t)(d->sock + 1),
	    .reply = on_lookup_reply,
	    .done = on_lookup_done,
	    .owner = d,
	};
	struct addr start[RPC_K];

	if (forwards)
		spec.value = (struct bytes){d->value, d->value_len};
	memcpy(spec.target, d->target, HASH_LEN);
	spec.start = start;
	while (before != NULL && spec.start_len < before->closest_len) {
		start[spec.start_len] = before->closest[spec.start_len].addr;
		spec.start_len++;
	}
	return query_start(d->peers->base.dht, &spec, &d->lookup);
}

static void
on_lookup_done(void *owner, const struct query_result *r)
{
	struct dial *d = owner;

	d->lookup = NULL;
	if (d->state == DIAL_SETTLED) {
		dial_free(d);
		return;
	}
	if (d->state == DIAL_ANSWERED)
		return;
	record_step(d, DIAL_STEP_LOOKUP, NULL, r->err);
	d->lookup_err = r->err;
	d->no_responses = r->err == ERR_UNREACHABLE;
	/* A forwarded handshake that was not answered may have been lost on its
	 * way to a node that knows the key. */
	if ((r->err == 0 || r->err == ERR_UNREACHABLE) &&
	    d->state == DIAL_FORWARD && dht_is_reachable(d->peers->base.dht)) {
		dial_set_state(d, DIAL_FIND);
		d->lookup_err = start_lookup(d, r);
		if (d->lookup_err == 0)
			return;
	}
	dial_set_state(d, DIAL_SEARCHED);
	check_exhausted(d);
}

/* Starts the first lookup; at the limit of lookups it stays KNOWN. */
static void
try_lookup(struct dial *d)
{
	dial_set_state(d, DIAL_FORWARD);
	if (start_lookup(d, NULL) != 0)
		dial_set_state(d, DIAL_KNOWN);
}

static void
on_next(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, next);

	if (d->state == DIAL_KNOWN)
		try_lookup(d);
	else if (d->attempts_open == d->attempts_allowed &&
		 d->attempts_allowed < ATTEMPTS_OPEN_MAX)
		d->attempts_allowed++;
	send_attempts(d);
	timer_arm(d->peers->core->timers, &d->next,
	    peers_after_ms(d->peers, STAGGER_MS));
}

/* ---- the beginning ---- */

/* Writes the one message for all nodes, pitfalls H1, H4. */
static int
write_message(struct dial *d, const struct key_pair *own)
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

	if (conn_is_redial(d->conn))
		payload.features |= PAYLOAD_REDIAL;
	peers_describe(p, &payload);
	if (d->relay.set) {
		payload.flags |= PAYLOAD_RELAY_THROUGH;
		memcpy(payload.relay_key, d->relay.key, KEY_LEN);
		memcpy(payload.relay_token, d->relay.token, PAYLOAD_TOKEN_LEN);
	}
	len = payload_encode(&payload, plain, sizeof plain);
	p->core->world->ops->random(p->core->world, seed, sizeof seed);
	err = noise_write1(
	    &d->noise, own, d->key, seed, (struct bytes){plain, len}, noise);
	sodium_memzero(seed, sizeof seed);
	m.noise = (struct bytes){noise, len + NOISE_1_OVERHEAD};
	d->value_len = handshake_encode(&m, d->value, sizeof d->value);
	return err;
}

/* Adds the nodes that may know the key: we forward for it ourselves, the
 * caller has given them, or an earlier dial has found them. */
static void
add_known_nodes(struct dial *d, const struct dial_spec *spec)
{
	struct peers *p = d->peers;
	struct addr known[RELAY_MEMORY_PER_KEY], server;
	size_t n = relay_memory_get(&p->relays, d->key, known);

	/* A redial must not use the path that is lost. */
	if (spec->purpose != CONN_FOR_REDIAL)
		add_connected_peer(d);
	if (records_forward_for(p->base.records, d->target, &server))
		add_attempt(d, &server);
	for (size_t i = 0; i < spec->relays_len; i++)
		add_attempt(d, &spec->relays[i]);
	for (size_t i = 0; i < n; i++)
		add_attempt(d, &known[i]);
	if (n > 0)
		conn_record(
		    d->conn, &(struct dial_step){.kind = DIAL_STEP_CACHED,
				 .number = (uint32_t)n});
}

static int
start_dial(struct dial *d, const struct dial_spec *spec)
{
	struct timers *ts = d->peers->core->timers;
	uint32_t timeout_ms =
	    spec->timeout_ms != 0 ? spec->timeout_ms : TIMEOUT_MS;
	int err = write_message(d, spec->own);

	if (err != 0)
		return err;
	add_known_nodes(d, spec);
	timer_arm(ts, &d->deadline, peers_after_ms(d->peers, timeout_ms));
	timer_arm(ts, &d->next,
	    peers_after_ms(
		d->peers, d->attempts_len > 0 ? d->lookup_after_ms : 0));
	send_attempts(d);
	return 0;
}

static void
name_relay(struct dial *d, const uint8_t *key)
{
	struct world *w = d->peers->core->world;

	d->relay.set = true;
	memcpy(d->relay.key, key, KEY_LEN);
	w->ops->random(w, d->relay.token, PAYLOAD_TOKEN_LEN);
}

static struct dial *
dial_new(struct peers *p, const struct dial_spec *spec, int *err)
{
	struct conn_spec cs = {.key = spec->key,
	    .own_key = spec->own->public_key,
	    .own = spec->own,
	    .purpose = spec->purpose,
	    .settled = on_settled};
	struct dial *d = calloc(1, sizeof *d);
	const uint8_t *relay = spec->relay_through;

	*err = ERR_MEMORY;
	if (d == NULL)
		return NULL;
	if (relay == NULL && spec->purpose == CONN_FOR_APPLICATION)
		relay = relay_finder_for_dial(&p->finder, spec->key);
	d->peers = p;
	d->next.fire = on_next;
	d->deadline.fire = on_deadline;
	d->attempts_allowed = ATTEMPTS_OPEN;
	d->lookup_after_ms = LOOKUP_AFTER_MS;
	memcpy(d->key, spec->key, KEY_LEN);
	if (relay != NULL)
		name_relay(d, relay);
	key_target(d->target, d->key);
	cs.owner = d;
	d->conn = conn_new(p, &cs, err);
	if (d->conn == NULL) {
		dial_free(d);
		return NULL;
	}
	d->sock = conn_punch_open(d->conn);
	return d;
}

uint32_t
peers_dials(const struct peers *p)
{
	return p->dials;
}

int
dialer_connect(struct peers *p, const struct dial_spec *spec, uint32_t *number)
{
	struct dial *d;
	int err;

	if (p->dials >= p->core->limits->dials)
		return ERR_LIMIT;
	if ((d = dial_new(p, spec, &err)) == NULL)
		return err;
	p->dials++;
	p->core->stats->dials++;
	*number = conn_number(d->conn);
	err = start_dial(d, spec);
	if (err != 0)
		conn_close(d->conn);
	return err;
}
