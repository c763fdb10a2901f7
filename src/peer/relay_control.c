/* SPDX-License-Identifier: ISC */
#include "peer/relay_control.h"

#include "base/err.h"
#include "peer/conn_struct.h"
#include "peer/dialer.h"

enum {
	FRAME_LEN_MAX = 16384, /* messages have less than a hundred bytes */
	/* Time for the last acknowledgement or reset of the user's stream: the
	 * relay forwards only while the control connection is open. */
	RELEASE_MS = 1000,
	END_MS = 3000,       /* time for the relay to end its side */
	UNREACHED_MS = 3000, /* a relay not reached by then is offline */
	PROOF_MS = 5000, /* time to open the channel, from the connection on */
};

/* Dials a relay for *client, whose key it sets. */
static int
dial_relay(struct peers *p, const uint8_t *relay,
    struct relay_client_spec *client, struct conn **k)
{
	const struct key_pair *own = p->base.identity;
	struct dial_spec dial = {
	    .key = relay, .own = own, .purpose = CONN_FOR_RELAY};
	uint32_t number;
	int err;

	if (own == NULL)
		return ERR_VALUE;
	if ((err = dialer_connect(p, &dial, &number)) != 0)
		return err;
	client->key = own->public_key;
	*k = peers_conn(p, number);
	(*k)->relay.control.client = relay_client_new(client);
	if ((*k)->relay.control.client != NULL)
		return 0;
	conn_fail(*k, ERR_MEMORY);
	return ERR_MEMORY;
}

int
relay_control_dial(const struct relay_control_spec *spec, uint32_t *number)
{
	struct relay_client_spec client = {
	    .token = spec->token,
	    .initiator = spec->initiator,
	    .stream_id = udx_id(spec->user->udx),
	};
	struct conn *k;
	int err = dial_relay(spec->user->peers, spec->relay, &client, &k);

	if (err != 0)
		return err;
	k->relay.control.user = spec->user->number;
	*number = k->number;
	return 0;
}

int
relay_control_prove(struct peers *p, const uint8_t *relay)
{
	struct relay_client_spec client = {.token = NULL};
	struct conn *k;
	int err = dial_relay(p, relay, &client, &k);

	if (err == 0)
		k->relay.control.proves = true;
	return err;
}

/* ---- messages ---- */

static int
read_messages(struct conn *k)
{
	struct bytes m;
	bool whole;
	int err = 0;

	secret_set_frame_max(k->secret, FRAME_LEN_MAX);
	for (;;) {
		m = secret_peek(k->secret, &whole, &err);
		if (err != 0 || m.p == NULL)
			return err;
		err = relay_client_read(k->relay.control.client, m);
		if (err != 0)
			return err;
		secret_consume(k->secret, m.len);
	}
}

static int
send_messages(struct conn *k)
{
	struct relay_client *client = k->relay.control.client;
	struct bytes m;
	int err;

	while ((m = relay_client_peek(client)).p != NULL) {
		err = secret_send(k->secret, m.p, m.len);
		if (err == ERR_FULL || err == ERR_CLOSED)
			return 0;
		if (err != 0)
			return err;
		relay_client_consume(client);
	}
	return 0;
}

static void
notify_user(struct conn *k)
{
	struct conn *c = peers_conn(k->peers, k->relay.control.user);

	if (c != NULL)
		conn_queue(c);
}

static void
expire_in(struct conn *k, uint32_t ms)
{
	timer_arm(k->peers->core->timers, &k->relay.control.expiry,
	    peers_after_ms(k->peers, ms));
}

/* Reports a relay that has opened its channel, and ends the connection. */
static void
check_proof(struct conn *k)
{
	struct relay_control *rc = &k->relay.control;
	struct addr addr = conn_remote(k);
	struct udx_status st;

	if (!relay_client_is_open(rc->client) || rc->refused)
		return;
	udx_status(k->udx, &st);
	rc->proves = false;
	relay_finder_proved(&k->peers->finder, k->key, &addr, st.srtt_us);
	expire_in(k, 0);
}

/* Keeps the pool from dialing a relay before the time that its refusal
 * names. */
static void
note_refusal(struct conn *k)
{
	struct relay_control *rc = &k->relay.control;
	const struct relay_refusal *why = relay_client_refusal(rc->client);

	if (why == NULL || rc->refused)
		return;
	rc->refused = true;
	relay_finder_refused(&k->peers->finder, k->key, why->retry_s);
}

void
relay_control_run(struct conn *k)
{
	struct relay_control *rc = &k->relay.control;
	enum relay_client_state before;
	int err;

	if (rc->client == NULL || k->state == CONN_CLOSED)
		return;
	if (rc->user == 0 && !rc->proves && !conn_is_open(k)) {
		conn_fail(k, ERR_CANCELLED);
		return;
	}
	if (!conn_is_open(k))
		return;
	/* The user was detached before it opened. */
	if (rc->user == 0 && !timer_armed(&rc->expiry))
		expire_in(k, rc->proves ? PROOF_MS : RELEASE_MS);
	before = relay_client_state(rc->client);
	err = read_messages(k);
	note_refusal(k);
	if (err == 0)
		err = send_messages(k);
	/* A relay that ends its side has dropped our pairing. */
	if (err == 0 && secret_ended(k->secret))
		err = ERR_RESET;
	if (err != 0)
		conn_fail(k, err);
	else if (rc->proves)
		check_proof(k);
	else if (relay_client_state(rc->client) != before)
		notify_user(k);
}

/* ---- the end ---- */

static void
on_expiry_timer(struct timer *t)
{
	struct conn *k = container_of(t, struct conn, relay.control.expiry);

	if (k->relay.control.ending || !conn_is_open(k)) {
		conn_fail(k, ERR_CANCELLED);
		return;
	}
	k->relay.control.ending = true;
	conn_end(k);
	timer_arm(k->peers->core->timers, t, peers_after_ms(k->peers, END_MS));
}

/* Queues a connection that is not open, which then fails. */
static void
give_up(struct conn *k)
{
	if (k->peers->core->world->now_us >=
	    k->began_us + UNREACHED_MS * UINT64_C(1000))
		relay_finder_failed(&k->peers->finder, k->key);
	conn_queue(k);
}

void
relay_control_release(struct conn *k)
{
	k->relay.control.user = 0;
	if (conn_is_open(k))
		expire_in(k, RELEASE_MS);
	else
		give_up(k);
}

void
relay_control_init(struct conn *k)
{
	k->relay.control.expiry.fire = on_expiry_timer;
}

/* Returns true if a connection that ends shows that its relay is of no use.
 * It does not matter which peer has named it. */
static bool
is_relay_failure(const struct conn *k)
{
	const struct relay_control *rc = &k->relay.control;

	if (rc->ending)
		return false;
	return rc->proves ||
	       relay_client_state(rc->client) == RELAY_CLIENT_CLOSED ||
	       (k->err != 0 && k->err != ERR_CANCELLED && k->err != ERR_CLOSED);
}

void
relay_control_fini(struct conn *k)
{
	struct relay_control *rc = &k->relay.control;

	timer_disarm(k->peers->core->timers, &rc->expiry);
	if (rc->client == NULL)
		return;
	if (is_relay_failure(k))
		relay_finder_failed(&k->peers->finder, k->key);
	notify_user(k);
	relay_client_free(rc->client);
	rc->client = NULL;
}
