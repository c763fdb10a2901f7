/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "punch/punch_context.h"

enum {
	/* The client sends four times, a second apart, protocol 04 §15: a reply
	 * within three seconds reaches it. */
	SLOT_WAIT_MS = 3000,
	/* Delay after which copies of the handshake have been answered. */
	REFRESH_MS = 20,
	/* Half of a round trip through the relay, if it is not known. */
	DELAY_UNKNOWN_US = 50000,
	ROUND_TRIP_MAX_US = 2000000,
};

static void on_slot_timeout(struct timer *t);

static void
on_refresh_timer(struct timer *t)
{
	struct puncher *p =
	    container_of(t, struct puncher, server.refresh_timer);

	punch_socket_refresh(p->socket);
}

void
punch_server_init(struct puncher *p)
{
	p->server.refresh_timer.fire = on_refresh_timer;
	p->server.slot_timer.fire = on_slot_timeout;
}

void
punch_server_fini(struct puncher *p)
{
	p->server.message_pending = false;
	timer_disarm(p->punch->core->timers, &p->server.slot_timer);
	timer_disarm(p->punch->core->timers, &p->server.refresh_timer);
}

void
punch_server_begin(struct puncher *p)
{
	const struct nat_classifier *n = &p->socket->classifier;

	p->server.client_addr = p->peer.addr;
	/* Takes samples only after the answers to the relays are sent, since
	 * these may have created mappings. */
	timer_arm(p->punch->core->timers, &p->server.refresh_timer,
	    p->punch->core->world->now_us + REFRESH_MS * UINT64_C(1000));
	/* A native client sends its handshake from its punch socket: open our
	 * NAT for it now, protocol 04 §17.2. If our port is not predictable,
	 * the client's NAT may still admit our host. */
	if (p->peer.native)
		probing_open(p, &p->peer.addr, n->nat_type != NAT_TYPE_RANDOM);
}

/* ---- replies ---- */

static void
send_sealed_reply(struct puncher *p, const struct holepunch_payload *c)
{
	uint8_t box[HOLEPUNCH_BOX_MAX];
	size_t len = puncher_seal_payload(p, c, box);

	p->server.message_pending = false;
	timer_disarm(p->punch->core->timers, &p->server.slot_timer);
	punch_socket_note_sent(p->socket, &p->server.ticket.from);
	/* The message may have come to a socket that was replaced. */
	if (len > 0)
		router_answer(p->punch->router, &p->server.ticket,
		    (struct bytes){box, len}, p->socket->entry.sock);
}

/* Replies that the attempt is aborted, so that the client need not wait, and
 * fails. */
static void
refuse_client(struct puncher *p, int err)
{
	struct holepunch_payload aborted = {.error = HOLEPUNCH_ABORTED};
	struct punch_local local;

	/* The reference sends no NAT type here and ignores ours. */
	puncher_get_local(p, &local);
	aborted.firewall = local.nat_type;
	send_sealed_reply(p, &aborted);
	puncher_fail(p, err);
}

static void
send_reply(struct puncher *p, enum holepunch_error error)
{
	struct punch_server *s = &p->server;
	struct holepunch_payload c = {.error = error,
	    .round = p->remote.round,
	    .punching = p->state == PUNCHER_PROBING};

	if (c.round > HOLEPUNCH_ROUND_MAX)
		return;
	puncher_fill_payload(p, &c);
	/* The client relies on the addresses that we report. */
	if (c.firewall != NAT_TYPE_UNKNOWN)
		puncher_freeze(p);
	if (s->own_relay) {
		c.has_token = true;
		holepunch_token_derive(
		    c.token, p->token_secret, &s->client_addr);
	}
	c.has_remote_token = s->payload.has_token;
	memcpy(c.remote_token, s->payload.token, sizeof c.remote_token);
	send_sealed_reply(p, &c);
	s->answered_us = p->punch->core->world->now_us;
}

/* ---- the pending message ---- */

/*
 * Sends open probes to the client, which has opened its NAT for the address in
 * its message. If that is our address, the probes reach it; if our address is
 * not predictable, its NAT may still admit our host.
 */
static void
open_nat_early(struct puncher *p)
{
	const struct punch_server *s = &p->server;
	struct punch_local local;

	if (p->state == PUNCHER_PROBING ||
	    s->payload.remote.family == ADDR_NONE)
		return;
	puncher_get_local(p, &local);
	if (local.nat_type == NAT_TYPE_RANDOM) {
		probing_open(p, &s->client_addr, false);
		return;
	}
	for (uint8_t i = 0; i < local.addrs_len && !local.predicted; i++)
		if (addr_equal(&local.addrs[i], &s->payload.remote)) {
			probing_open(p, &s->client_addr, false);
			return;
		}
}

/*
 * Returns how long to wait until the client's own probes may be under way. It
 * has opened its NAT for us already if it knows our address; otherwise it does
 * so half a round trip from now.
 */
static uint64_t
start_delay_us(const struct puncher *p)
{
	const struct punch_server *s = &p->server;
	uint64_t rtt_us = p->punch->core->world->now_us - s->answered_us;

	if (s->payload.remote.family != ADDR_NONE && !puncher_is_predicting(p))
		return 0;
	return s->answered_us == 0 || rtt_us > ROUND_TRIP_MAX_US
		   ? DELAY_UNKNOWN_US
		   : rtt_us / 2;
}

/* Starts the probes, before the reply announces them (pitfall P11). Returns 0
 * if they are being sent, 1 if a slot is waited for, or an error. */
static int
start_probing(struct puncher *p)
{
	const struct addr *peer = &p->peer.addr;
	int err = 0;

	if (p->state == PUNCHER_PROBING)
		return 0;
	if (p->probing.slot.state == SLOT_WAITING)
		return 1;
	puncher_freeze(p);
	/* In a private network all peers may be of one /24. */
	if (dht_is_private(p->punch->dht))
		peer = NULL;
	if (p->probing.slot.state == SLOT_NONE)
		err = probing_acquire_slot(p, peer);
	return err != 0 ? err : probing_start(p, start_delay_us(p));
}

static void
arm_slot_timer(struct puncher *p)
{
	if (!timer_armed(&p->server.slot_timer))
		timer_arm(p->punch->core->timers, &p->server.slot_timer,
		    p->punch->core->world->now_us +
			SLOT_WAIT_MS * UINT64_C(1000));
}

/* Replies to the pending message as soon as our NAT type is known. */
static void
handle_pending_message(struct puncher *p)
{
	struct punch_server *s = &p->server;
	int err = 0;

	if (!nat_classifier_decided(&p->socket->classifier))
		return;
	if (puncher_is_unpunchable(p) && !s->payload.punching &&
	    puncher_reopen_unpunchable(p) &&
	    !nat_classifier_decided(&p->socket->classifier))
		return;
	if (puncher_is_unpunchable(p)) {
		refuse_client(p, p->remote.nat_type == NAT_TYPE_RANDOM
				     ? ERR_NAT_RANDOM
				     : ERR_NAT_UNKNOWN);
		return;
	}
	open_nat_early(p);
	if (s->payload.punching)
		err = start_probing(p);
	if (err == 0)
		send_reply(p, HOLEPUNCH_OK);
	else if (err == 1)
		arm_slot_timer(p);
	else if (err == ERR_BUSY)
		send_reply(p, HOLEPUNCH_TRY_LATER);
	else
		refuse_client(p, err);
}

void
punch_server_sampled(struct puncher *p)
{
	if (p->server.message_pending)
		handle_pending_message(p);
}

void
punch_server_slot_granted(struct puncher *p)
{
	if (p->server.message_pending)
		handle_pending_message(p);
	else
		punch_admission_release(&p->punch->admission, &p->probing.slot);
}

/* Leaves the queue before the client gives up, so that it can try later. */
static void
on_slot_timeout(struct timer *t)
{
	struct punch_server *s =
	    container_of(t, struct punch_server, slot_timer);
	struct puncher *p = container_of(s, struct puncher, server);

	punch_admission_release(&p->punch->admission, &p->probing.slot);
	if (s->message_pending)
		send_reply(p, HOLEPUNCH_TRY_LATER);
}

/*
 * Starts over with a new prediction, ours or the client's. This happens at most
 * as often as the client has sockets for, so that it cannot keep the attempt
 * alive for ever.
 */
static void
restart_prediction(struct puncher *p)
{
	struct punch_local local;

	p->server.restarts++;
	probing_stop(p);
	puncher_get_local(p, &local);
	puncher_await_client(p);
	if (local.predicted && puncher_reopen(p))
		p->prediction_failed = p->server.restarts >= PREDICTIONS_MAX;
	else
		nat_classifier_unfreeze(&p->socket->classifier);
}

static void
accept_payload(struct puncher *p, const struct holepunch_payload *c)
{
	struct punch_server *s = &p->server;
	struct punch_event e = {.kind = PUNCH_ANSWER, .addr = s->ticket.from};
	bool proven = s->own_relay && holepunch_payload_echoes_token(
					  c, p->token_secret, &s->client_addr);

	if (p->state == PUNCHER_PROBING && !c->punching &&
	    puncher_is_predicting(p) && s->restarts < PUNCHER_REOPENS_MAX)
		restart_prediction(p);
	puncher_set_remote(p, c, proven ? &s->client_addr : NULL);
	p->peer.addr = s->client_addr;
	e.number = p->remote.nat_type;
	puncher_emit(p, &e);
}

int
puncher_serve(struct puncher *p, const struct router_call *call, bool own_relay)
{
	struct punch_server *s = &p->server;
	struct holepunch_payload c;
	int err;

	if (!puncher_is_active(p) || p->initiator)
		return stats_drop(p->punch->core->stats, ERR_UNMATCHED);
	if ((err = holepunch_payload_open(&c, p->secret, call->sealed)) != 0)
		return stats_drop(p->punch->core->stats, err);
	puncher_keep_quiet(p);
	timer_disarm(p->punch->core->timers, &s->refresh_timer);
	s->message_pending = true;
	s->ticket = call->ticket;
	s->client_addr = call->client;
	s->own_relay = own_relay;
	s->payload = c;
	if (c.error != HOLEPUNCH_OK) {
		refuse_client(p, ERR_ABORTED);
		return 0;
	}
	/* The relay reports our address, the client does not (pitfall P9). */
	if (call->ticket.sock == p->socket->entry.sock)
		punch_socket_add_sample(
		    p->socket, &call->us, &call->ticket.from);
	if (!p->remote.known || c.round >= p->remote.round)
		accept_payload(p, &c);
	handle_pending_message(p);
	return 0;
}
