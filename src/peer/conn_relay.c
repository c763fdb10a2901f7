/* SPDX-License-Identifier: ISC */
#include "peer/conn_relay.h"

#include "base/err.h"
#include "peer/conn_struct.h"

enum {
	PAIR_MS = 15000, /* until the relay replies, protocol 06 §C.3 */
	/* How long the relay is kept after a migration to a direct path. If the
	 * peer is silent on that path, the stream then returns to the relay. */
	LEFT_MS = 3000,
	/* A stream whose control connection is lost ends if it receives nothing
	 * for this long: the relay has stopped forwarding. */
	LOST_MS = 5000,
	/* Time for a direct path to win before the relayed one is used. */
	PROVE_MS = 250,
	MOVES_MAX = 2,   /* migrations to direct paths that fail */
	OPEN_MS = 10000, /* until the peer's header, after the pairing */
};

/* Sets the state. No other function does. */
static void
relay_set_state(struct conn *c, enum conn_relay_state state)
{
	c->relay.state = state;
}

static struct conn *
control_of(const struct conn *c)
{
	return peers_conn(c->peers, c->relay.number);
}

static bool
is_alive(const struct conn *k)
{
	return k != NULL && k->state != CONN_CLOSED &&
	       k->relay.control.client != NULL;
}

static void
arm_timer(struct conn *c, uint32_t ms)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	c->relay.packets_in = st.packets_in;
	timer_arm(c->peers->core->timers, &c->relay.timer,
	    peers_after_ms(c->peers, ms));
}

static void
record_relay(struct conn *c, enum dial_step_kind kind, int err)
{
	conn_record(c, &(struct dial_step){.kind = kind,
			   .path = CONN_PATH_RELAYED,
			   .addr = c->relay.addr,
			   .err = err});
}

/* ---- relays that clients have named: pitfall V11 ---- */

void
followed_relays_init(struct followed_relays *f)
{
	TAILQ_INIT(&f->list);
	f->len = 0;
}

static void
unfollow(struct conn *c)
{
	struct followed_relays *f = &c->peers->followed;

	if (!c->relay.is_followed)
		return;
	c->relay.is_followed = false;
	TAILQ_REMOVE(&f->list, &c->relay, followed_link);
	f->len--;
}

/* Charges a relay that a client has named to payer. Returns false if the limit
 * for all clients, or for the payer's prefix, is reached. */
static bool
follow(struct conn *c, const struct addr *payer)
{
	struct followed_relays *f = &c->peers->followed;
	const struct limits *l = c->peers->core->limits;
	const struct conn_relay *r;
	uint32_t same = 0;

	c->relay.prefix = addr_prefix_key(payer);
	TAILQ_FOREACH (r, &f->list, followed_link)
		same += r->prefix == c->relay.prefix;
	if (f->len >= l->relays_followed ||
	    (same >= l->relays_followed_prefix &&
		!dht_is_private(c->peers->base.dht)))
		return false;
	c->relay.is_followed = true;
	TAILQ_INSERT_TAIL(&f->list, &c->relay, followed_link);
	f->len++;
	return true;
}

/* ---- the end ---- */

/* Detaches the control connection, which then closes. */
static void
release_control(struct conn *c)
{
	struct conn *k = control_of(c);

	c->relay.number = 0;
	if (is_alive(k))
		relay_control_release(k);
}

static void
end_relay(struct conn *c, int err)
{
	if (c->relay.state == CONN_RELAY_NONE ||
	    c->relay.state == CONN_RELAY_OVER)
		return;
	timer_disarm(c->peers->core->timers, &c->relay.timer);
	unfollow(c);
	release_control(c);
	c->relay.err = err;
	relay_set_state(c, CONN_RELAY_OVER);
}

static void
fail_relay(struct conn *c, int err)
{
	c->peers->core->stats->relay_failed++;
	record_relay(c, DIAL_STEP_PATH_LOST, err);
	end_relay(c, err);
	conn_check_failed(c, err);
}

void
conn_relay_fini(struct conn *c)
{
	end_relay(c, 0);
	relay_control_fini(c);
}

/* ---- pairing ---- */

void
conn_relay_begin(struct conn *c, const struct conn_relay_spec *spec)
{
	struct relay_control_spec control = {.relay = spec->key,
	    .token = spec->token,
	    .initiator = spec->initiator,
	    .user = c};
	int err;

	if (c->purpose != CONN_FOR_APPLICATION ||
	    c->relay.state != CONN_RELAY_NONE)
		return;
	if (spec->payer != NULL && !follow(c, spec->payer)) {
		c->peers->core->stats->relays_refused++;
		return;
	}
	c->peers->core->stats->relay_dials++;
	relay_set_state(c, CONN_RELAY_PAIRING);
	record_relay(c, DIAL_STEP_RELAY, 0);
	err = relay_control_dial(&control, &c->relay.number);
	if (err != 0) {
		/* conn_relay_poll() handles it later: the caller still uses
		 * this connection. */
		c->relay.number = 0;
		c->relay.err = err;
		conn_queue(c);
	}
	arm_timer(c, PAIR_MS);
}

static void
use_relayed_path(struct conn *c, const struct conn *k)
{
	struct conn_relay *r = &c->relay;

	unfollow(c);
	r->id = relay_client_stream_id(k->relay.control.client);
	r->sock = conn_sock(k);
	r->addr = conn_remote(k);
	r->paired_us = c->peers->core->world->now_us;
	relay_set_state(c, CONN_RELAY_PAIRED);
	c->peers->core->stats->relay_pairs++;
	conn_add_path(c, CONN_PATH_RELAYED, r->sock, &r->addr);
	/* Another path that works is proved within this time. */
	arm_timer(c, PROVE_MS);
}

/* Returns the error for a relay that has refused, by the reason that it has
 * sent. */
static int
refusal_err(const struct conn *k)
{
	const struct relay_refusal *why =
	    relay_client_refusal(k->relay.control.client);

	if (why != NULL && why->reason == RELAY_REASON_FULL)
		return ERR_RELAY_FULL;
	if (why != NULL && why->reason == RELAY_REASON_SPENT)
		return ERR_RELAY_SPENT;
	return ERR_RELAY_REFUSED;
}

static void
check_pairing(struct conn *c, const struct conn *k)
{
	if (!is_alive(k))
		fail_relay(c,
		    c->relay.err != 0 ? c->relay.err : ERR_RELAY_UNREACHABLE);
	else if (relay_client_state(k->relay.control.client) ==
		 RELAY_CLIENT_PAIRED)
		use_relayed_path(c, k);
	else if (relay_client_state(k->relay.control.client) ==
		 RELAY_CLIENT_CLOSED)
		fail_relay(c, refusal_err(k));
	else if (conn_is_open(k))
		/* A relay that closes from now on has refused. */
		c->relay.err = ERR_RELAY_REFUSED;
}

/* Handles the loss of the control connection: sends an empty frame, whose
 * acknowledgement proves that the relay still forwards. */
static void
check_loss(struct conn *c)
{
	if (conn_is_open(c))
		secret_send_empty(c->secret);
	arm_timer(c, LOST_MS);
}

void
conn_relay_poll(struct conn *c)
{
	struct conn *k = control_of(c);

	switch (c->relay.state) {
	case CONN_RELAY_PAIRING:
		check_pairing(c, k);
		break;
	case CONN_RELAY_PAIRED:
	case CONN_RELAY_LEFT:
		if (is_alive(k) || c->relay.number == 0)
			break;
		c->relay.number = 0;
		if (conn_relay_is_used(c) && conn_migrate_is_silent(c))
			conn_fail(c, ERR_RELAY_LOST);
		else if (c->relay.state == CONN_RELAY_PAIRED)
			check_loss(c);
		break;
	default:
		break;
	}
}

/* ---- the direct path ---- */

bool
conn_relay_is_used(const struct conn *c)
{
	return c->relay.state == CONN_RELAY_PAIRED &&
	       conn_path_kind(c) == CONN_PATH_RELAYED;
}

bool
conn_relay_is_punching(const struct conn *c)
{
	return conn_relay_is_used(c) && conn_is_punching(c);
}

bool
conn_relay_seeks_path(const struct conn *c)
{
	return c->relay.state == CONN_RELAY_LEFT || conn_relay_is_used(c);
}

bool
conn_relay_is_source(const struct conn *c, int sock, const struct addr *from)
{
	const struct conn_relay *r = &c->relay;
	const struct conn *k;

	if (r->state == CONN_RELAY_PAIRED || r->state == CONN_RELAY_LEFT)
		return sock == r->sock && addr_equal(from, &r->addr);
	/* The peer may send before the relay's reply reaches us. */
	k = r->state == CONN_RELAY_PAIRING ? control_of(c) : NULL;
	if (k == NULL || !conn_is_open(k))
		return false;
	return conn_uses_path(k, sock, from);
}

/*
 * Sends on the new path the empty message from which a reference peer learns
 * that the stream has left the relay, and a frame that the peer acknowledges.
 */
static void
announce_move(struct conn *c)
{
	(void)udx_send_message(c->udx, NULL, 0);
	secret_send_empty(c->secret);
}

void
conn_relay_migrated(struct conn *c)
{
	if (c->relay.state != CONN_RELAY_PAIRED ||
	    conn_path_kind(c) == CONN_PATH_RELAYED || !conn_is_open(c))
		return;
	c->peers->core->stats->relay_upgrades++;
	relay_set_state(c, CONN_RELAY_LEFT);
	announce_move(c);
	arm_timer(c, LEFT_MS);
}

/*
 * Migrates to the direct path on which a packet has arrived. It carries the id
 * of our stream, which only the peer and the relay know.
 */
void
conn_relay_check_source(struct conn *c)
{
	struct udx_source s;

	if (!conn_is_open(c) || !conn_relay_is_used(c) ||
	    c->relay.moves == MOVES_MAX || !udx_source(c->udx, &s) ||
	    conn_relay_is_source(c, s.sock, &s.from) ||
	    !conn_knows_path(c, s.sock, &s.from))
		return;
	conn_migrate_to(c, s.sock, &s.from);
}

/* Returns to the relay from a path on which the peer does not answer. */
static void
return_to_relay(struct conn *c)
{
	c->relay.moves++;
	relay_set_state(c, CONN_RELAY_PAIRED);
	conn_migrate_to(c, c->relay.sock, &c->relay.addr);
	/* Without punching there is no other path to wait for. */
	if (!conn_is_punching(c))
		conn_confirm_path(c);
}

static void
on_left_timer(struct conn *c, const struct udx_status *st)
{
	/* Packets that arrive through the relay do not validate the direct
	 * path: the peer may not receive ours on it. */
	if (st->path_packets_in == 0 && is_alive(control_of(c))) {
		return_to_relay(c);
		return;
	}
	end_relay(c, 0);
	conn_confirm_path(c);
}

static void
on_paired_timer(struct conn *c, const struct udx_status *st)
{
	if (c->state == CONN_PROVING && !conn_relay_is_used(c))
		conn_migrate_to(c, c->relay.sock, &c->relay.addr);
	if (c->relay.number != 0)
		return;
	if (!conn_relay_is_used(c))
		end_relay(c, ERR_RELAY_LOST);
	else if (st->packets_in == c->relay.packets_in)
		conn_fail(c, ERR_RELAY_LOST);
	else
		check_loss(c);
}

static void
on_relay_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, relay.timer);
	const struct conn *k = control_of(c);
	struct udx_status st;

	udx_status(c->udx, &st);
	if (c->relay.state == CONN_RELAY_LEFT)
		on_left_timer(c, &st);
	else if (c->relay.state == CONN_RELAY_PAIRED)
		on_paired_timer(c, &st);
	else
		fail_relay(c, k != NULL && conn_is_open(k)
				  ? ERR_RELAY_TIMEOUT
				  : ERR_RELAY_UNREACHABLE);
}

void
conn_relay_settle(struct conn *c)
{
	if (!conn_relay_is_used(c))
		end_relay(c, 0);
}

/* ---- status ---- */

void
conn_relay_init(struct conn *c)
{
	c->relay.timer.fire = on_relay_timer;
	c->relay.sock = WORLD_NO_SOCK;
	relay_control_init(c);
}

bool
conn_relay_is_pending(const struct conn *c)
{
	const struct conn_relay *r = &c->relay;

	return r->state == CONN_RELAY_PAIRING ||
	       (r->state == CONN_RELAY_PAIRED && c->state == CONN_PROVING &&
		   c->peers->core->world->now_us <
		       r->paired_us + OPEN_MS * UINT64_C(1000));
}

bool
conn_relay_owns(const struct conn *c, int sock)
{
	const struct conn_relay *r = &c->relay;

	return sock == r->sock &&
	       (r->state == CONN_RELAY_PAIRED || r->state == CONN_RELAY_LEFT);
}

int
conn_relay_failure(const struct conn *c)
{
	return c->relay.state == CONN_RELAY_OVER ? c->relay.err : 0;
}
