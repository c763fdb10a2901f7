/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "punch/punch_context.h"
#include "records/record.h"
#include "signal/signal_message.h"

/*
 * Timers, one at a time:
 *	relay_timer	PROBE_ROUND, PUNCH_ROUND: the relay is slow, repeat
 *			the message through another one
 *	undecided_timer	SERVER_UNDECIDED: the server has had time to
 *			classify its NAT, start another round
 *	busy_timer	SERVER_BUSY: the server may have a free slot
 */
enum {
	SENDS =
	    9, /* four hops there and back: one of 100 is lost at 20 % loss */
	TIMEOUT_MIN_MS = 60,
	TIMEOUT_UNKNOWN_MS = 500,
	TIMEOUT_SEND_ONCE_MS = 1500,
	TIMEOUT_EXTRA_MS = 30, /* the server's processing time, and jitter */
	ABORT_SENDS = 3,
	OTHER_RELAY_MS = 1000, /* protocol 04 §17.5 */
	UNDECIDED_MS = 1000,
	BUSY_MS = 2000, /* and up to as much again */
	PROBE_ROUNDS = 2,
	/* No entry of the server's list: the relay of the handshake. */
	RELAY_OF_HANDSHAKE = UINT8_MAX,
};

static void on_reply(void *owner, const struct dht_answer *a);
static void on_relay_timer(struct timer *t);
static void on_undecided_timer(struct timer *t);
static void on_busy_timer(struct timer *t);
static void choose_next_round(struct puncher *p);
static void acquire_slot(struct puncher *p);

void
punch_client_init(struct puncher *p)
{
	p->client.relay_timer.fire = on_relay_timer;
	p->client.undecided_timer.fire = on_undecided_timer;
	p->client.busy_timer.fire = on_busy_timer;
	for (int i = 0; i < PUNCH_MESSAGES_MAX; i++)
		p->client.messages[i].puncher = p;
}

static void
cancel_messages(struct puncher *p)
{
	for (int i = 0; i < PUNCH_MESSAGES_MAX; i++)
		if (p->client.messages[i].request != NULL)
			dht_cancel(
			    p->punch->dht, p->client.messages[i].request);
}

static void
disarm_timers(struct puncher *p)
{
	struct timers *ts = p->punch->core->timers;

	timer_disarm(ts, &p->client.relay_timer);
	timer_disarm(ts, &p->client.undecided_timer);
	timer_disarm(ts, &p->client.busy_timer);
}

/* Changes the state and arms its timer, if it has one. */
static void
set_client_state(struct puncher *p, enum punch_client_state state)
{
	struct punch_client *cl = &p->client;
	struct world *w = p->punch->core->world;
	struct timer *t = NULL;
	uint32_t ms = 0;

	disarm_timers(p);
	cl->state = state;
	switch (state) {
	case PUNCH_CLIENT_PROBE_ROUND:
	case PUNCH_CLIENT_PUNCH_ROUND:
		t = &cl->relay_timer;
		ms = OTHER_RELAY_MS;
		break;
	case PUNCH_CLIENT_SERVER_UNDECIDED:
		t = &cl->undecided_timer;
		ms = UNDECIDED_MS;
		break;
	case PUNCH_CLIENT_SERVER_BUSY:
		t = &cl->busy_timer;
		ms = BUSY_MS + world_below(w, BUSY_MS);
		break;
	default:
		return;
	}
	timer_arm(p->punch->core->timers, t, w->now_us + ms * UINT64_C(1000));
}

void
punch_client_fini(struct puncher *p)
{
	set_client_state(p, PUNCH_CLIENT_IDLE);
	cancel_messages(p);
}

/* ---- messages ---- */

/* Returns a relay and the server's address as that relay sees it. */
static void
get_hop(const struct puncher *p, uint8_t entry, struct addr *relay,
    struct addr *server)
{
	if (entry == RELAY_OF_HANDSHAKE) {
		*relay = p->peer.relay;
		*server = p->peer.addr;
		return;
	}
	*relay = p->peer.relays[entry].relay;
	*server = p->peer.relays[entry].peer;
	/* The relay of the handshake has seen the server's punch socket, which
	 * is more recent than the list (pitfall P6). */
	if (addr_equal(relay, &p->peer.relay))
		*server = p->peer.addr;
}

/*
 * QUIRK: a reference server takes a second copy of the message that starts a
 * random punch for another punch, for which it has no slot, and aborts both
 * (its limits, protocol 04 §12). It also takes some time to open its sockets.
 * Returns whether the message must not be repeated.
 */
static bool
must_send_once(const struct puncher *p)
{
	return p->client.state == PUNCH_CLIENT_PUNCH_ROUND && !p->peer.native &&
	       probing_schedule_kind(p) != SCHEDULE_STEADY;
}

/*
 * Returns the first timeout of a message. The reply takes the same route as the
 * handshake, and as long, so that a lost datagram costs little; the timeout
 * doubles in case the reply is merely late.
 */
static uint32_t
message_timeout_ms(const struct puncher *p)
{
	uint64_t ms = p->peer.rtt_us / 1000;

	if (must_send_once(p))
		return TIMEOUT_SEND_ONCE_MS;
	if (ms == 0)
		return TIMEOUT_UNKNOWN_MS;
	ms += ms / 8 + TIMEOUT_EXTRA_MS;
	return ms < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : (uint32_t)ms;
}

static int
send_payload(struct puncher *p, int sock, const struct holepunch_payload *c,
    uint8_t entry, uint8_t sends, struct punch_message *k)
{
	uint8_t box[HOLEPUNCH_BOX_MAX], value[HOLEPUNCH_BOX_MAX + 32];
	struct holepunch m = {
	    .mode = MODE_FROM_CLIENT, .id = p->peer.id, .payload.p = box};
	struct dht_call call = {.command = CMD_PEER_HOLEPUNCH,
	    .target = p->target,
	    .value.p = value,
	    .sends = sends,
	    .timeout_ms = message_timeout_ms(p),
	    .doubling = true};
	struct dht_done done = {0};
	int err;

	get_hop(p, entry, &call.to, &m.peer);
	m.payload.len = puncher_seal_payload(p, c, box);
	call.value.len = holepunch_encode(&m, value, sizeof value);
	if (m.payload.len == 0 || call.value.len == 0)
		return ERR_VALUE;
	if (k != NULL) {
		done = (struct dht_done){.call = on_reply, .owner = k};
		k->relay = entry;
	}
	err = dht_call_from(
	    p->punch->dht, sock, &call, done, k != NULL ? &k->request : NULL);
	if (err == 0 && sock != WORLD_NO_SOCK)
		punch_socket_note_sent(p->socket, &call.to);
	return err;
}

static struct punch_message *
find_free_message(struct puncher *p)
{
	for (int i = 0; i < PUNCH_MESSAGES_MAX; i++)
		if (p->client.messages[i].request == NULL)
			return &p->client.messages[i];
	return NULL;
}

/* Sends the message of the current state through this relay. */
static int
send_message(struct puncher *p, uint8_t entry)
{
	struct punch_event e = {.kind = PUNCH_ROUND};
	struct punch_client *cl = &p->client;
	struct holepunch_payload c = {.round = cl->rounds};
	struct punch_message *k = find_free_message(p);
	struct addr server;
	int err;

	if (k == NULL || cl->rounds > HOLEPUNCH_ROUND_MAX)
		return ERR_LIMIT;
	puncher_fill_payload(p, &c);
	/* The address that the relay saw a moment ago, not the one of the
	 * announced list: the server compares it exactly (pitfalls P6, P7). */
	c.remote = p->peer.addr;
	if (cl->state == PUNCH_CLIENT_PUNCH_ROUND) {
		c.punching = true;
		c.has_token = true;
		holepunch_token_derive(c.token, p->token_secret, &p->peer.addr);
		c.has_remote_token = p->remote.has_token;
		memcpy(c.remote_token, p->remote.token, sizeof c.remote_token);
	}
	err = send_payload(p, p->socket->entry.sock, &c, entry, SENDS, k);
	if (err != 0)
		return err;
	cl->relay = entry;
	get_hop(p, entry, &e.addr, &server);
	e.number = cl->rounds++;
	puncher_emit(p, &e);
	return 0;
}

/* Returns the relay for the first rounds: the one of the handshake if it is
 * listed, protocol 04 §7. */
static uint8_t
choose_relay(const struct puncher *p)
{
	for (uint8_t i = 0; i < p->peer.relays_len; i++)
		if (addr_equal(&p->peer.relays[i].relay, &p->peer.relay))
			return i;
	return 0;
}

static void
send_round(struct puncher *p, enum punch_client_state state, uint8_t entry)
{
	int err;

	puncher_keep_quiet(p);
	cancel_messages(p);
	set_client_state(p, state);
	if ((err = send_message(p, entry)) != 0)
		puncher_fail(p, err);
}

static void
send_probe_round(struct puncher *p)
{
	p->client.probe_rounds++;
	p->client.reopened = false;
	send_round(p, PUNCH_CLIENT_PROBE_ROUND, choose_relay(p));
}

/* Notifies the server that the attempt is aborted. */
static void
send_abort(struct puncher *p, int sock)
{
	struct holepunch_payload c = {
	    .error = HOLEPUNCH_ABORTED, .round = p->client.rounds};

	(void)send_payload(p, sock, &c, choose_relay(p), ABORT_SENDS, NULL);
}

static void
give_up(struct puncher *p, int err)
{
	send_abort(p, p->socket->entry.sock);
	puncher_fail(p, err);
}

void
punch_client_abandon(struct puncher *p)
{
	/* The socket of the attempt is about to be closed, which ends the
	 * requests from it. */
	if (p->client.rounds > 0)
		send_abort(p, WORLD_NO_SOCK);
}

/* ---- the start ---- */

/*
 * Opens our NAT for the server. Behind a random NAT, a probe that expires on
 * the way creates no mapping that the server could predict, but one that
 * arrives may be admitted if the server's NAT filters by host or not at all.
 */
static void
open_nat(struct puncher *p)
{
	const struct nat_classifier *n = &p->socket->classifier;

	if (n->nat_type == NAT_TYPE_RANDOM) {
		p->client.probed_full_ttl = true;
		probing_open(p, &p->peer.addr, false);
	} else if (!p->peer.native) {
		probing_open(p, &p->peer.addr, true);
	}
}

void
punch_client_begin(struct puncher *p)
{
	struct punch_event e = {.kind = PUNCH_CANDIDATE, .addr = p->peer.addr};

	/* The search for the server used an unknown number of sequential ports:
	 * only a new socket can predict the next ones. */
	if (nat_classifier_step(&p->socket->classifier) != 0)
		puncher_reopen(p);
	e.sock = p->socket->entry.sock;
	open_nat(p);
	send_probe_round(p);
	/* A native server has opened its NAT for our socket already: the first
	 * packet of the stream may be admitted, protocol 04 §17.2. */
	if (p->peer.native && puncher_is_active(p)) {
		punch_socket_note_sent(p->socket, &p->peer.addr);
		puncher_emit(p, &e);
	}
}

/* ---- replies ---- */

/* Stores the server's report. If the relay of the handshake now sees another
 * address, the server has replaced its socket (protocol 04 §7, step 9). */
static void
handle_reply(struct puncher *p, const struct dht_answer *a,
    const struct holepunch *m, const struct holepunch_payload *c)
{
	struct punch_event e = {.kind = PUNCH_ANSWER, .addr = a->from};
	const struct addr *proven = NULL;

	if (holepunch_payload_echoes_token(c, p->token_secret, &p->peer.addr))
		proven = &p->peer.addr;
	puncher_set_remote(p, c, proven);
	if (m->peer.family != ADDR_NONE &&
	    addr_equal(&a->from, &p->peer.relay) &&
	    !addr_equal(&m->peer, &p->peer.addr)) {
		p->peer.addr = m->peer;
		open_nat(p);
	}
	e.number = p->remote.nat_type;
	puncher_emit(p, &e);
}

/* Waits until the server may have a free slot; only a native one keeps its
 * puncher that long. */
static void
wait_for_server(struct puncher *p)
{
	punch_admission_release(&p->punch->admission, &p->probing.slot);
	if (!p->peer.native)
		puncher_fail(p, ERR_PEER_BUSY);
	else
		set_client_state(p, PUNCH_CLIENT_SERVER_BUSY);
}

static void
start_probing(struct puncher *p)
{
	int err = p->remote.punching ? probing_start(p, 0) : ERR_ABORTED;

	if (err != 0)
		give_up(p, err);
	else
		set_client_state(p, PUNCH_CLIENT_PROBING);
}

static int
abort_reason(const struct puncher *p, const struct holepunch_payload *c)
{
	struct punch_local local;

	puncher_get_local(p, &local);
	return local.nat_type == NAT_TYPE_RANDOM &&
		       nat_type_decode(c->firewall) == NAT_TYPE_RANDOM
		   ? ERR_NAT_RANDOM
		   : ERR_ABORTED;
}

static void
act_on_reply(struct puncher *p, const struct holepunch_payload *c)
{
	enum punch_client_state state = p->client.state;

	if (c->error == HOLEPUNCH_TRY_LATER &&
	    state == PUNCH_CLIENT_PUNCH_ROUND)
		wait_for_server(p);
	else if (c->error != HOLEPUNCH_OK)
		puncher_fail(p, abort_reason(p, c));
	else if (state == PUNCH_CLIENT_PUNCH_ROUND)
		start_probing(p);
	else if (p->remote.nat_type == NAT_TYPE_UNKNOWN)
		set_client_state(p, PUNCH_CLIENT_SERVER_UNDECIDED);
	else
		choose_next_round(p);
}

static int
read_reply(const struct puncher *p, const struct dht_answer *a,
    struct holepunch *m, struct holepunch_payload *c)
{
	struct bytes v = a->reply->value;
	int err = a->reply->error != RPC_OK ? ERR_REFUSED
					    : holepunch_decode(m, v.p, v.len);

	if (err == 0 && m->mode != MODE_REPLY)
		err = ERR_VALUE;
	return err != 0 ? err
			: holepunch_payload_open(c, p->secret, m->payload);
}

static bool
has_message_in_flight(const struct puncher *p)
{
	for (int i = 0; i < PUNCH_MESSAGES_MAX; i++)
		if (p->client.messages[i].request != NULL)
			return true;
	return false;
}

/*
 * Repeats the message through the next relay. Returns false if there is none.
 */
static bool
send_through_next_relay(struct puncher *p)
{
	struct punch_client *cl = &p->client;
	uint8_t next = cl->relay == RELAY_OF_HANDSHAKE ? 0 : cl->relay + 1;

	for (; next < p->peer.relays_len; next++)
		if (!addr_equal(&p->peer.relays[next].relay, &p->peer.relay))
			return send_message(p, next) == 0;
	return false;
}

static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct punch_message *k = owner;
	struct puncher *p = k->puncher;
	struct holepunch m;
	struct holepunch_payload c;
	int err = a->err;

	k->request = NULL;
	if (p->client.state == PUNCH_CLIENT_IDLE || err == ERR_CANCELLED)
		return;
	if (err == 0)
		err = read_reply(p, a, &m, &c);
	if (err != 0) {
		/* A relay that returns garbage is treated like a silent one. */
		if (!send_through_next_relay(p) && !has_message_in_flight(p))
			puncher_fail(p, err);
		return;
	}
	if (a->sock == p->socket->entry.sock)
		punch_socket_add_sample(p->socket, &a->reply->to, &a->from);
	disarm_timers(p);
	cancel_messages(p);
	handle_reply(p, a, &m, &c);
	act_on_reply(p, &c);
}

/* ---- between the rounds ---- */

void
punch_client_sampled(struct puncher *p)
{
	if (p->socket->classifier.nat_type == NAT_TYPE_RANDOM &&
	    !p->client.probed_full_ttl &&
	    nat_classifier_decided(&p->socket->classifier))
		open_nat(p);
	if (p->client.state == PUNCH_CLIENT_SAMPLING)
		choose_next_round(p);
}

/*
 * Returns true if the samples show sequential ports and the socket is still
 * that of the query, which has created an unknown number of mappings.
 */
static bool
must_replace_search_socket(const struct puncher *p)
{
	return p->reopened == 0 &&
	       nat_classifier_step(&p->socket->classifier) != 0;
}

/* Performs steps 6 to 8 of protocol 04 §7. */
static void
choose_next_round(struct puncher *p)
{
	struct punch_client *cl = &p->client;
	bool bad;

	set_client_state(p, PUNCH_CLIENT_SAMPLING);
	if (!nat_classifier_decided(&p->socket->classifier))
		return;
	if (must_replace_search_socket(p) && puncher_reopen(p)) {
		cl->reopened = true;
		if (!nat_classifier_decided(&p->socket->classifier))
			return;
	}
	bad = puncher_is_unpunchable(p);
	if (bad && puncher_reopen_unpunchable(p)) {
		cl->reopened = true;
		if (!nat_classifier_decided(&p->socket->classifier))
			return;
		bad = puncher_is_unpunchable(p);
	}
	if ((cl->reopened || p->remote.nat_type == NAT_TYPE_UNKNOWN ||
		!p->remote.has_token) &&
	    !(bad && cl->reopened) &&
	    cl->probe_rounds < PROBE_ROUNDS + p->reopened) {
		send_probe_round(p);
		return;
	}
	if (bad && p->remote.nat_type == NAT_TYPE_RANDOM)
		give_up(p, ERR_NAT_RANDOM);
	else if (bad || p->remote.nat_type == NAT_TYPE_UNKNOWN)
		give_up(p, ERR_NAT_UNKNOWN);
	else
		acquire_slot(p);
}

static void
send_punch_round(struct puncher *p)
{
	send_round(p, PUNCH_CLIENT_PUNCH_ROUND, RELAY_OF_HANDSHAKE);
}

/* Acquires a slot if the punch is random, before the server starts to probe. */
static void
acquire_slot(struct puncher *p)
{
	int err;

	puncher_freeze(p);
	err = probing_acquire_slot(p, NULL);
	if (err < 0)
		give_up(p, err);
	else if (err == 1)
		set_client_state(p, PUNCH_CLIENT_SLOT_WAIT);
	else
		send_punch_round(p);
}

void
punch_client_slot_granted(struct puncher *p)
{
	send_punch_round(p);
}

static void
on_relay_timer(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, client.relay_timer);

	if (!must_send_once(p) && send_through_next_relay(p))
		set_client_state(p, p->client.state);
}

static void
on_undecided_timer(struct timer *t)
{
	choose_next_round(
	    container_of(t, struct puncher, client.undecided_timer));
}

static void
on_busy_timer(struct timer *t)
{
	acquire_slot(container_of(t, struct puncher, client.busy_timer));
}

bool
punch_client_try_again(struct puncher *p)
{
	struct punch_client *cl = &p->client;

	if (cl->state != PUNCH_CLIENT_PROBING || !puncher_is_predicting(p))
		return false;
	probing_stop(p);
	/* The last attempt sends no predictions. A reference server takes the
	 * second attempt for the first, but would not take a third one so. */
	p->prediction_failed =
	    !p->peer.native || ++cl->predictions >= PREDICTIONS_MAX;
	if (!puncher_reopen(p))
		return false;
	cl->reopened = true;
	cl->probe_rounds = 0;
	choose_next_round(p);
	return true;
}
