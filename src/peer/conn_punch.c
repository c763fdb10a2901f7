/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "base/err.h"
#include "peer/conn_punch.h"
#include "peer/inside.h"

/*
 * While a path is looked for, the stream may have been sent to where nobody is:
 * a random punch takes longer than a stream waits for its first answer.
 */
static void
set_punching(struct conn *c, bool on)
{
	c->punching = on;
	if (c->udx != NULL)
		udx_ignore_timeouts(c->udx, on);
}

/* ---- events ---- */

static void
note(struct conn *c, enum dial_step_kind kind, const struct punch_event *e)
{
	struct dial_step step = {.kind = kind,
	    .path = CONN_PATH_PUNCHED,
	    .addr = e->addr,
	    .err = e->err,
	    .number = e->number};

	conn_note(c, &step);
}

/* A path that punching did not find. */
static bool
has_other_path(const struct conn *c)
{
	for (uint8_t i = 0; i < c->paths_len; i++)
		if (c->paths[i].kind != CONN_PATH_PUNCHED)
			return true;
	return false;
}

/*
 * Other ways may still lead there; if there is none, that was it: what
 * punching found would have proved itself by now.
 */
void
conn_punch_hopeless(struct conn *c)
{
	if (c->state == CONN_PROVING && c->punch_err != 0 && !c->punching &&
	    !has_other_path(c))
		conn_fail(c, conn_punch_failure(c));
}

static void
on_failed(struct conn *c, const struct punch_event *e)
{
	set_punching(c, false);
	note(c, DIAL_STEP_PATH_LOST, e);
	c->punch_err = e->err;
	if (!conn6_hopes(c))
		conn_punch_hopeless(c);
}

static void
on_event(void *owner, const struct punch_event *e)
{
	struct conn *c = owner;

	switch (e->kind) {
	case PUNCH_ROUND:
		note(c, DIAL_STEP_PUNCH, e);
		break;
	case PUNCH_ANSWER:
		note(c, DIAL_STEP_NAT_TYPE, e);
		break;
	case PUNCH_PROBING:
		note(c, DIAL_STEP_PROBES, e);
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
	struct punch_owner o = {.event = on_event, .owner = c};
	int err;

	if (dht_open_address(p->base.dht) != NULL)
		return WORLD_NO_SOCK;
	c->puncher = puncher_new(p->base.punch, &o, &err);
	return c->puncher != NULL ? puncher_sock(c->puncher) : WORLD_NO_SOCK;
}

void
conn_punch_sent(struct conn *c, const struct addr *to)
{
	if (c->puncher != NULL)
		puncher_note_sent(c->puncher, to);
}

void
conn_punch_saw(
    struct conn *c, int sock, const struct addr *us, const struct addr *by)
{
	if (c->puncher != NULL && puncher_sock(c->puncher) == sock)
		puncher_add_sample(c->puncher, us, by);
}

bool
conn_punch_connect(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer)
{
	struct punch_peer with = *peer;
	uint8_t key[KEY_LEN];
	int err;

	if (c->puncher == NULL)
		return false;
	noise_punch_key(key, s->hash);
	with.secret = key;
	set_punching(c, true);
	err = puncher_connect(c->puncher, &with);
	sodium_memzero(key, sizeof key);
	return err == 0;
}

bool
conn_punch_accept(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer)
{
	struct punch_peer with = *peer;
	uint8_t key[KEY_LEN];

	if (c->puncher == NULL)
		return false;
	noise_punch_key(key, s->hash);
	with.secret = key;
	set_punching(c, true);
	puncher_accept(c->puncher, &with);
	sodium_memzero(key, sizeof key);
	return true;
}

int
conn_punch_serve(struct conn *c, const struct router_call *call, bool own_relay)
{
	if (c->puncher == NULL)
		return stats_drop(c->peers->core->stats, ERR_UNKNOWN);
	return puncher_serve(c->puncher, call, own_relay);
}

bool
conn_is_punching(const struct conn *c)
{
	return c->punching;
}

int
conn_punch_failure(const struct conn *c)
{
	switch (c->punch_err) {
	case ERR_PUNCH:
	case ERR_NAT_UNKNOWN:
	case ERR_NAT_RANDOM:
	case ERR_ABORTED:
	case ERR_PEER_BUSY:
	case ERR_LIMIT:
		return c->punch_err;
	default:
		return ERR_NO_PATH;
	}
}

/* ---- the end ---- */

void
conn_punch_settle(struct conn *c)
{
	if (c->puncher == NULL)
		return;
	c->sock = conn_sock(c);
	puncher_free(c->puncher, c->sock);
	c->puncher = NULL;
	set_punching(c, false);
}

void
conn_punch_fini(struct conn *c)
{
	conn_punch_settle(c);
	if (c->sock != WORLD_NO_SOCK && !peers_has_socket(c->peers, c->sock))
		lingering_sockets_leave(c->peers, c->sock);
	c->sock = WORLD_NO_SOCK;
}
