/* SPDX-License-Identifier: ISC */
#include "peer/conn_punch.h"

#include <sodium.h>

#include "base/err.h"
#include "peer/conn_struct.h"

/*
 * Has the stream ignore timeouts while punching is under way: it may have been
 * sent to a path that does not work, and punching a random NAT takes longer
 * than a stream waits for its first acknowledgement.
 */
static void
set_active(struct conn *c, bool active)
{
	c->punch.active = active;
	if (c->udx != NULL)
		udx_ignore_timeouts(c->udx, active);
}

void
conn_punch_init(struct conn *c)
{
	c->punch.sock = WORLD_NO_SOCK;
	c->punch.origin.cause = c->listener == 0 ? PROBE_DIALED : PROBE_ASKED;
}

/* ---- events ---- */

static void
record_step(
    struct conn *c, enum dial_step_kind kind, const struct punch_event *e)
{
	struct dial_step step = {.kind = kind,
	    .path = CONN_PATH_PUNCHED,
	    .addr = e->addr,
	    .err = e->err,
	    .number = e->number};

	conn_record(c, &step);
}

static bool
has_other_path(const struct conn_paths *paths)
{
	for (uint8_t i = 0; i < paths->len; i++)
		if (paths->list[i].kind != CONN_PATH_PUNCHED)
			return true;
	return false;
}

/* A punched path would have carried the peer's header by now. */
void
conn_check_failed(struct conn *c, int err)
{
	if (c->state == CONN_PROVING && !c->punch.active &&
	    !conn_ipv6_is_probing(c) && !conn_relay_is_pending(c) &&
	    !has_other_path(&c->paths))
		conn_fail(c, err);
}

void
conn_punch_check_failed(struct conn *c)
{
	int relay = conn_relay_failure(c);

	if (c->punch.err != 0)
		conn_check_failed(
		    c, relay != 0 ? relay : conn_punch_failure(c));
}

static void
on_failed(struct conn *c, const struct punch_event *e)
{
	set_active(c, false);
	record_step(c, DIAL_STEP_PATH_LOST, e);
	c->punch.err = e->err;
	conn_punch_check_failed(c);
	/* The stream stays on the relay. */
	if (conn_is_open(c) && conn_relay_is_used(c))
		conn_confirm_path(c);
}

static void
on_punch_event(void *owner, const struct punch_event *e)
{
	struct conn *c = owner;

	switch (e->kind) {
	case PUNCH_ROUND:
		record_step(c, DIAL_STEP_PUNCH, e);
		break;
	case PUNCH_ANSWER:
		record_step(c, DIAL_STEP_NAT_TYPE, e);
		break;
	case PUNCH_PROBING:
		record_step(c, DIAL_STEP_PROBES, e);
		break;
	case PUNCH_CANDIDATE:
		conn_add_path(c, CONN_PATH_PUNCHED, e->sock, &e->addr);
		break;
	case PUNCH_FAILED:
		on_failed(c, e);
		break;
	}
}

/* ---- the handshake ---- */

int
conn_punch_open(struct conn *c)
{
	struct peers *p = c->peers;
	struct punch_owner o = {.event = on_punch_event, .owner = c};
	int err;

	if (dht_open_address(p->base.dht) != NULL)
		return WORLD_NO_SOCK;
	c->punch.puncher = puncher_new(p->base.punch, &o, &err);
	return c->punch.puncher != NULL ? puncher_sock(c->punch.puncher)
					: WORLD_NO_SOCK;
}

void
conn_punch_set_origin(struct conn *c, const struct probe_origin *origin)
{
	c->punch.origin = *origin;
	if (c->punch.puncher != NULL && c->punch.active)
		puncher_set_origin(c->punch.puncher, origin);
}

void
conn_punch_sent(struct conn *c, const struct addr *to)
{
	if (c->punch.puncher != NULL)
		puncher_note_sent(c->punch.puncher, to);
}

void
conn_punch_saw(
    struct conn *c, int sock, const struct addr *us, const struct addr *by)
{
	struct puncher *p = c->punch.puncher;

	if (p != NULL && puncher_sock(p) == sock)
		puncher_add_sample(p, us, by);
}

bool
conn_punch_connect(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer)
{
	struct punch_peer with = *peer;
	uint8_t key[KEY_LEN];
	int err;

	if (c->punch.puncher == NULL)
		return false;
	noise_punch_key(key, s->hash);
	with.secret = key;
	with.origin = c->punch.origin;
	set_active(c, true);
	err = puncher_connect(c->punch.puncher, &with);
	sodium_memzero(key, sizeof key);
	return err == 0;
}

bool
conn_punch_accept(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer)
{
	struct punch_peer with = *peer;
	uint8_t key[KEY_LEN];

	if (c->punch.puncher == NULL)
		return false;
	noise_punch_key(key, s->hash);
	with.secret = key;
	with.origin = c->punch.origin;
	set_active(c, true);
	puncher_accept(c->punch.puncher, &with);
	sodium_memzero(key, sizeof key);
	return true;
}

int
conn_punch_serve(struct conn *c, const struct router_call *call, bool own_relay)
{
	if (c->punch.puncher == NULL)
		return stats_drop(c->peers->core->stats, ERR_UNKNOWN);
	return puncher_serve(c->punch.puncher, call, own_relay);
}

bool
conn_is_punching(const struct conn *c)
{
	return c->punch.active;
}

int
conn_punch_failure(const struct conn *c)
{
	switch (c->punch.err) {
	case ERR_PUNCH:
	case ERR_NAT_UNKNOWN:
	case ERR_NAT_RANDOM:
	case ERR_ABORTED:
	case ERR_PEER_BUSY:
	case ERR_LIMIT:
		return c->punch.err;
	default:
		return ERR_NO_PATH;
	}
}

/* ---- sockets ---- */

bool
conn_punch_has(const struct conn *c, int sock)
{
	const struct conn_punch *punch = &c->punch;

	return sock == punch->sock ||
	       (punch->puncher != NULL &&
		   puncher_has_socket(punch->puncher, sock));
}

bool
conn_punch_uses(const struct conn *c, int sock)
{
	return c->punch.puncher != NULL &&
	       puncher_uses_socket(c->punch.puncher, sock);
}

void
conn_punch_hold(struct conn *c, int sock)
{
	if (c->punch.puncher != NULL)
		puncher_hold_socket(c->punch.puncher, sock);
}

void
conn_punch_keep(struct conn *c, int sock)
{
	int before = c->punch.sock;

	if (c->punch.puncher != NULL)
		return;
	c->punch.sock = peers_has_socket(c->peers, sock) ? WORLD_NO_SOCK : sock;
	if (before != WORLD_NO_SOCK && before != c->punch.sock)
		lingering_sockets_add(c->peers, before);
}

void
conn_punch_settle(struct conn *c)
{
	if (c->punch.puncher == NULL)
		return;
	c->punch.sock = conn_relay_is_used(c) ? WORLD_NO_SOCK : conn_sock(c);
	puncher_free(c->punch.puncher, c->punch.sock);
	c->punch.puncher = NULL;
	set_active(c, false);
}

void
conn_punch_fini(struct conn *c)
{
	int sock;

	/* The connection is closed before it has opened. */
	if (c->punch.puncher != NULL)
		puncher_abandon(c->punch.puncher);
	conn_punch_settle(c);
	sock = c->punch.sock;
	if (sock != WORLD_NO_SOCK && !peers_has_socket(c->peers, sock))
		lingering_sockets_add(c->peers, sock);
	c->punch.sock = WORLD_NO_SOCK;
}
