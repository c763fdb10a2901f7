/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/punch_context.h"

/* Addresses that the reference reports of a consistent NAT, protocol 04 §2; a
 * peer that reports more is predicting. */
enum { REPORTED_MAX = 2 };

/* Covers the time from one message of an attempt to the next, and to its
 * probes. */
enum { QUIET_MS = 2000 };

static void on_deadline(struct timer *t);
static void on_failure(struct timer *t);
static void on_slot_granted(struct punch_slot *slot);
static void on_sample(void *owner);

/* ---- creation ---- */

void
puncher_keep_quiet(struct puncher *p)
{
	struct socket_table *t = &p->punch->sockets;

	if (nat_classifier_step(&p->socket->classifier) != 0)
		t->quiet_until_us =
		    t->core->world->now_us + QUIET_MS * UINT64_C(1000);
}

static void
use_socket(struct puncher *p, struct punch_socket *s)
{
	p->socket = s;
	s->entry.puncher = p;
	s->owner = p;
	s->on_sample = on_sample;
}

static uint32_t
get_now_ms(const struct puncher *p)
{
	return (uint32_t)(p->punch->core->world->now_us / 1000);
}

struct puncher *
puncher_new(struct punch *punch, const struct punch_owner *o, int *err)
{
	struct world *w = punch->core->world;
	struct puncher *p;
	struct punch_socket *s;

	*err = ERR_LIMIT;
	if (punch->punchers_len >= punch->core->limits->punchers)
		return NULL;
	*err = ERR_MEMORY;
	if ((p = calloc(1, sizeof *p)) == NULL)
		return NULL;
	if ((s = punch_pool_take(&punch->pool, err)) == NULL) {
		free(p);
		return NULL;
	}
	*err = 0;
	p->punch = punch;
	p->owner = *o;
	p->deadline.fire = on_deadline;
	p->failure.fire = on_failure;
	p->probing.slot.ready = on_slot_granted;
	echo_limiter_init(&p->echo_limiter, get_now_ms(p));
	w->ops->random(w, p->token_secret, sizeof p->token_secret);
	punch_client_init(p);
	punch_server_init(p);
	use_socket(p, s);
	puncher_keep_quiet(p);
	TAILQ_INSERT_TAIL(&punch->punchers, p, link);
	punch->punchers_len++;
	return p;
}

/* Removes a socket from the attempt, for the stream that goes on to use it. */
static void
detach_socket(struct puncher *p, int sock)
{
	if (p->socket->entry.sock == sock) {
		p->socket->entry.puncher = NULL;
		p->socket->on_sample = NULL;
		p->socket = NULL;
	}
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->old_sockets[i]->entry.sock == sock)
			p->old_sockets[i]->entry.puncher = NULL;
	for (uint32_t i = 0; i < p->probing.sockets_len; i++)
		if (p->probing.sockets[i]->sock == sock)
			p->probing.sockets[i]->puncher = NULL;
}

void
puncher_abandon(struct puncher *p)
{
	if (p->initiator && puncher_is_active(p))
		punch_client_abandon(p);
}

void
puncher_free(struct puncher *p, int keep)
{
	struct punch *punch;

	if (p == NULL)
		return;
	punch = p->punch;
	if (keep != WORLD_NO_SOCK)
		detach_socket(p, keep);
	probing_fini(p);
	punch_client_fini(p);
	punch_server_fini(p);
	timer_disarm(punch->core->timers, &p->deadline);
	timer_disarm(punch->core->timers, &p->failure);
	if (p->socket != NULL)
		punch_pool_return(&punch->pool, p->socket, !p->has_probed);
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->old_sockets[i]->entry.sock != keep)
			punch_socket_close(p->old_sockets[i]);
	TAILQ_REMOVE(&punch->punchers, p, link);
	punch->punchers_len--;
	sodium_memzero(p->secret, sizeof p->secret);
	sodium_memzero(p->token_secret, sizeof p->token_secret);
	free(p);
}

int
puncher_sock(const struct puncher *p)
{
	return p->socket->entry.sock;
}

bool
puncher_uses_socket(const struct puncher *p, int sock)
{
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->old_sockets[i]->entry.sock == sock)
			return false;
	return puncher_has_socket(p, sock);
}

void
puncher_note_sent(struct puncher *p, const struct addr *to)
{
	punch_socket_note_sent(p->socket, to);
}

void
puncher_add_sample(
    struct puncher *p, const struct addr *us, const struct addr *by)
{
	punch_socket_add_sample(p->socket, us, by);
}

/* ---- state ---- */

void
puncher_set_state(struct puncher *p, enum puncher_state state)
{
	assert(p->state != PUNCHER_FAILED);
	assert(state != PUNCHER_PROBING || p->state == PUNCHER_ROUNDS);
	p->state = state;
}

bool
puncher_is_active(const struct puncher *p)
{
	return p->state == PUNCHER_ROUNDS || p->state == PUNCHER_PROBING;
}

static void
start_attempt(struct puncher *p, const struct punch_peer *peer, bool initiator)
{
	puncher_set_state(p, PUNCHER_ROUNDS);
	p->initiator = initiator;
	p->peer = *peer;
	memcpy(p->secret, peer->secret, sizeof p->secret);
	p->peer.secret = p->secret;
	p->punch->core->stats->punches++;
}

int
puncher_connect(struct puncher *p, const struct punch_peer *peer)
{
	if (peer->relays_len == 0)
		return ERR_VALUE;
	start_attempt(p, peer, true);
	p->peer.origin.cause = PROBE_DIALED;
	memcpy(p->target, peer->target, sizeof p->target);
	p->peer.target = p->target;
	punch_client_begin(p);
	return 0;
}

void
puncher_set_origin(struct puncher *p, const struct probe_origin *origin)
{
	p->peer.origin = *origin;
}

void
puncher_await_client(struct puncher *p)
{
	timer_arm(p->punch->core->timers, &p->deadline,
	    p->punch->core->world->now_us + SERVER_WAIT_MS * UINT64_C(1000));
}

void
puncher_accept(struct puncher *p, const struct punch_peer *peer)
{
	start_attempt(p, peer, false);
	p->peer.origin.cause = PROBE_ASKED;
	puncher_await_client(p);
	punch_server_begin(p);
}

void
puncher_emit(struct puncher *p, const struct punch_event *e)
{
	p->owner.event(p->owner.owner, e);
}

/* Stops everything. Returns false if the attempt has failed before: only the
 * first error is reported. */
static bool
stop_attempt(struct puncher *p, int err)
{
	if (p->state == PUNCHER_FAILED)
		return false;
	probing_stop(p);
	puncher_set_state(p, PUNCHER_FAILED);
	p->err = err;
	timer_disarm(p->punch->core->timers, &p->deadline);
	punch_client_fini(p);
	punch_server_fini(p);
	return true;
}

/* Reports the failure; the owner may free the puncher. */
static void
report_failure(struct puncher *p)
{
	struct punch_event e = {.kind = PUNCH_FAILED, .err = p->err};

	puncher_emit(p, &e);
}

static void
on_failure(struct timer *t)
{
	report_failure(container_of(t, struct puncher, failure));
}

static void
on_deadline(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, deadline);

	if (p->initiator && punch_client_try_again(p))
		return;
	stop_attempt(p, ERR_TIMEOUT);
	report_failure(p);
}

void
puncher_fail(struct puncher *p, int err)
{
	if (stop_attempt(p, err))
		timer_arm(p->punch->core->timers, &p->failure,
		    p->punch->core->world->now_us);
}

static void
on_sample(void *owner)
{
	struct puncher *p = owner;

	if (!puncher_is_active(p))
		return;
	if (p->initiator)
		punch_client_sampled(p);
	else
		punch_server_sampled(p);
}

static void
on_slot_granted(struct punch_slot *slot)
{
	struct puncher *p = container_of(slot, struct puncher, probing.slot);

	if (p->initiator)
		punch_client_slot_granted(p);
	else
		punch_server_slot_granted(p);
}

void
puncher_status(const struct puncher *p, struct puncher_status *out)
{
	struct punch_local local;

	puncher_get_local(p, &local);
	*out = (struct puncher_status){
	    .own = local.nat_type,
	    .peer = p->remote.nat_type,
	    .rounds = p->client.rounds,
	    .probes = p->probing.probes,
	    .sockets = p->probing.sockets_len + 1,
	};
}

/* ---- what we report about our NAT ---- */

static bool
is_remote_predicting(const struct puncher *p)
{
	return p->remote.nat_type == NAT_TYPE_CONSISTENT &&
	       p->remote.addrs_len > REPORTED_MAX;
}

/* Returns how many attempts with predicted ports have failed. */
static uint32_t
predictions_failed(const struct puncher *p)
{
	return p->initiator ? p->client.predictions : p->server.restarts;
}

/*
 * Puts the mapping of an earlier datagram to the peer's host into the list:
 * where the NAT has one mapping for all ports of a host, that one stays in use
 * and no new one is created. It takes a place in the middle; the others keep
 * theirs, see predict_addresses(). Such NATs are rare, and with others a reply
 * to a probe through it uses up a predicted mapping, so that the first attempt
 * does without.
 */
static void
add_old_mapping(const struct puncher *p, struct punch_local *s)
{
	uint32_t order = punch_socket_order_host(p->socket, &p->peer.addr);
	struct addr *place = &s->addrs[s->addrs_len / 2], old;

	if (predictions_failed(p) == 0 || order == p->socket->dests_len ||
	    nat_classifier_predict(&p->socket->classifier, order, &old, 1) == 0)
		return;
	for (uint8_t i = 0; i < s->addrs_len; i++)
		if (addr_equal(&s->addrs[i], &old))
			return;
	*place = old;
}

/*
 * Predicts the addresses of sequential ports, protocol 04 §17.7. If the peer
 * predicts too, both sides go through their lists in order, so ours must begin
 * with the next new mapping; otherwise with the one that leads to the peer, if
 * there is one. Returns false if the ports cannot be predicted.
 */
static bool
predict_addresses(const struct puncher *p, struct punch_local *s)
{
	uint32_t order = is_remote_predicting(p)
			     ? p->socket->dests_len
			     : punch_socket_order(p->socket, &p->peer.addr);

	if (p->prediction_failed)
		return false;
	s->addrs_len = (uint8_t)nat_classifier_predict(
	    &p->socket->classifier, order, s->addrs, NAT_PREDICTED_MAX);
	if (s->addrs_len == 0)
		return false;
	add_old_mapping(p, s);
	s->nat_type = NAT_TYPE_CONSISTENT;
	return s->predicted = true;
}

/* Lists the sampled ports: they may show the block of ports that the NAT has
 * assigned to us, protocol 04 §17.8. */
static void
list_samples(const struct nat_classifier *n, struct punch_local *s)
{
	s->addrs_len = 0;
	for (uint8_t i = 0; i < n->len && s->addrs_len < HOLEPUNCH_ADDRS_MAX;
	     i++)
		if (addr_same_host(&n->samples[i].saw, &n->addrs[0]))
			s->addrs[s->addrs_len++] = n->samples[i].saw;
}

void
puncher_get_local(const struct puncher *p, struct punch_local *out)
{
	const struct nat_classifier *n = &p->socket->classifier;

	if (n->frozen) {
		*out = p->frozen;
		return;
	}
	*out = (struct punch_local){
	    .nat_type = n->nat_type, .addrs_len = n->addrs_len};
	memcpy(out->addrs, n->addrs, n->addrs_len * sizeof *n->addrs);
	if (n->nat_type == NAT_TYPE_RANDOM && !predict_addresses(p, out))
		list_samples(n, out);
}

void
puncher_freeze(struct puncher *p)
{
	puncher_get_local(p, &p->frozen);
	nat_classifier_freeze(&p->socket->classifier);
}

void
puncher_fill_payload(const struct puncher *p, struct holepunch_payload *c)
{
	struct punch_local s;

	puncher_get_local(p, &s);
	c->firewall = s.nat_type;
	c->has_addrs = s.addrs_len > 0;
	c->addrs_len = s.addrs_len;
	memcpy(c->addrs, s.addrs, s.addrs_len * sizeof *s.addrs);
}

size_t
puncher_seal_payload(struct puncher *p, const struct holepunch_payload *c,
    uint8_t box[HOLEPUNCH_BOX_MAX])
{
	struct world *w = p->punch->core->world;
	uint8_t nonce[HOLEPUNCH_NONCE_LEN];

	w->ops->random(w, nonce, sizeof nonce);
	return holepunch_payload_seal(c, p->secret, nonce, box);
}

/* ---- what the peer reports ---- */

void
puncher_set_remote(struct puncher *p, const struct holepunch_payload *c,
    const struct addr *proven)
{
	struct punch_remote *r = &p->remote;

	r->known = true;
	r->round = c->round;
	r->nat_type = nat_type_decode(c->firewall);
	r->punching = c->punching;
	r->addrs_len = c->addrs_len;
	memcpy(r->addrs, c->addrs, c->addrs_len * sizeof *c->addrs);
	if (c->has_token)
		memcpy(r->token, c->token, sizeof r->token);
	r->has_token |= c->has_token;
	if (proven != NULL) {
		r->verified = *proven;
		r->verified.port = 0;
	}
}

bool
puncher_is_predicting(const struct puncher *p)
{
	struct punch_local s;

	puncher_get_local(p, &s);
	return s.predicted || is_remote_predicting(p);
}

bool
puncher_is_unpunchable(const struct puncher *p)
{
	struct punch_local s;

	puncher_get_local(p, &s);
	return s.nat_type == NAT_TYPE_UNKNOWN ||
	       (s.nat_type == NAT_TYPE_RANDOM && p->remote.known &&
		   p->remote.nat_type == NAT_TYPE_RANDOM);
}

bool
puncher_reopen(struct puncher *p)
{
	struct punch_socket *s;
	int err;

	if (p->reopened >= PUNCHER_REOPENS_MAX || p->state == PUNCHER_PROBING ||
	    (s = punch_socket_open(&p->punch->sockets, &err)) == NULL)
		return false;
	puncher_keep_quiet(p);
	p->socket->on_sample = NULL;
	p->old_sockets[p->reopened++] = p->socket;
	use_socket(p, s);
	return true;
}

bool
puncher_reopen_unpunchable(struct puncher *p)
{
	return p->reopened < UNPUNCHABLE_REOPENS_MAX && puncher_reopen(p);
}

/* ---- received probes ---- */

/*
 * Returns whether the handshake is evidence for this source: the relay saw its
 * host, or the peer reported it under encryption. A peer behind a NAT with
 * several addresses may use any of them, and a peer in our own network may be
 * seen at a private address.
 */
static bool
is_plausible(const struct puncher *p, const struct addr *from)
{
	const struct punch_remote *r = &p->remote;

	if (addr_same_host(from, &p->peer.addr) ||
	    addr_scope(from) != ADDR_PUBLIC || r->nat_type == NAT_TYPE_RANDOM)
		return true;
	for (uint8_t i = 0; i < r->addrs_len; i++)
		if (addr_same_host(from, &r->addrs[i]))
			return true;
	return false;
}

/* Returns true for a replaced socket whose NAT assigns sequential ports. */
static bool
is_of_old_prediction(const struct puncher *p, int sock)
{
	for (uint8_t i = 0; i < p->reopened; i++)
		if (p->old_sockets[i]->entry.sock == sock)
			return nat_classifier_step(
				   &p->old_sockets[i]->classifier) != 0;
	return false;
}

int
puncher_recv_probe(struct puncher *p, const struct dgram *dg)
{
	struct stats *st = p->punch->core->stats;
	struct punch_event e = {
	    .kind = PUNCH_CANDIDATE, .addr = dg->from, .sock = dg->sock};

	if (!puncher_is_active(p))
		return stats_drop(st, ERR_UNMATCHED);
	/* A reply would use up the mapping that was predicted for our own
	 * probes; the peer will probe again. */
	if (p->socket->classifier.frozen && p->frozen.predicted &&
	    p->state != PUNCHER_PROBING)
		return 0;
	/* So would a reply from the replaced socket of a prediction. */
	if (is_of_old_prediction(p, dg->sock))
		return 0;
	/* The server echoes from the handshake to the end (pitfall P4), within
	 * limits (pitfall P19). */
	if (!p->initiator) {
		if (!echo_limiter_take(
			&p->echo_limiter, &dg->from, get_now_ms(p)))
			return stats_drop(st, ERR_BUDGET);
		probing_send_to_host(p, dg->sock, &dg->from);
		return 0;
	}
	if (!is_plausible(p, &dg->from))
		return stats_drop(st, ERR_UNMATCHED);
	puncher_emit(p, &e);
	return 0;
}
