/* SPDX-License-Identifier: ISC */
#include "peer/conn_redial.h"

#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"
#include "peer/dialer.h"

enum {
	DIAL_MS = 15000,
	/* From one dial to the next; the wait doubles up to the maximum. */
	WAIT_MS_FIRST = 4000,
	WAIT_MS_MAX = 30000,
	/* HERE is repeated until the streams have migrated, or will not. */
	LEAD_MS = 250,
	LIFE_MS = 3000,
	/* An accepted one is ended by its dialer. */
	LIFE_ACCEPTED_MS = 10000,
};

static bool
has_keys(const struct conn *c, const uint8_t *own_key, const uint8_t *key)
{
	return memcmp(c->own_key, own_key, KEY_LEN) == 0 &&
	       memcmp(c->key, key, KEY_LEN) == 0;
}

/* Returns true for an open stream between these keys, dialed or accepted,
 * that can be migrated. */
static bool
is_migratable(const struct conn *c, bool initiator, const uint8_t *own_key,
    const uint8_t *key)
{
	return conn_is_open(c) && conn_is_native(c) && !conn_is_hidden(c) &&
	       c->initiator == initiator && has_keys(c, own_key, key);
}

static struct conn *
find_redial(const struct peers *p, const uint8_t *own_key, const uint8_t *key)
{
	struct conn *r = key_index_first(&p->by_key, key);

	while (r != NULL &&
	       (r->purpose != CONN_FOR_REDIAL || r->state == CONN_CLOSED ||
		   !has_keys(r, own_key, key)))
		r = TAILQ_NEXT(r, same_key);
	return r;
}

/* ---- the dialer of the streams ---- */

void
conn_redial(struct conn *c)
{
	struct conn_redial *r = &c->redialing;
	struct peers *p = c->peers;
	struct dial_spec spec = {.key = c->key,
	    .own = c->own,
	    .timeout_ms = DIAL_MS,
	    .purpose = CONN_FOR_REDIAL};
	uint32_t number;

	if (c->own == NULL || p->core->world->now_us < r->next_us ||
	    find_redial(p, c->own_key, c->key) != NULL)
		return;
	if (r->wait_ms == 0)
		r->wait_ms = WAIT_MS_FIRST;
	r->next_us = peers_after_ms(p, r->wait_ms);
	r->wait_ms *= 2;
	if (r->wait_ms > WAIT_MS_MAX)
		r->wait_ms = WAIT_MS_MAX;
	if (dialer_connect(p, &spec, &number) == 0)
		p->core->stats->mends++;
}

void
conn_redial_reset(struct conn *c)
{
	c->redialing.next_us = 0;
	c->redialing.wait_ms = 0;
}

/* Sends HERE over the new path for each stream that does not use it yet. */
static void
lead_streams(struct conn *r)
{
	struct peers *p = r->peers;
	struct addr to = conn_remote(r);

	for (struct conn *c = key_index_first(&p->by_key, r->key); c != NULL;
	     c = TAILQ_NEXT(c, same_key))
		if (is_migratable(c, true, r->own_key, r->key) &&
		    !conn_uses_path(c, conn_sock(r), &to))
			conn_send_here_by(c, conn_sock(r), &to);
	timer_arm(
	    p->core->timers, &r->redialing.lead, peers_after_ms(p, LEAD_MS));
}

static void
on_lead_timer(struct timer *t)
{
	lead_streams(container_of(t, struct conn, redialing.lead));
}

static void
on_expiry_timer(struct timer *t)
{
	conn_fail(
	    container_of(t, struct conn, redialing.expiry), ERR_CANCELLED);
}

void
conn_redial_init(struct conn *c)
{
	c->redialing.lead.fire = on_lead_timer;
	c->redialing.expiry.fire = on_expiry_timer;
}

void
conn_redial_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->redialing.lead);
	timer_disarm(c->peers->core->timers, &c->redialing.expiry);
}

void
conn_redial_opened(struct conn *r)
{
	struct peers *p = r->peers;

	timer_arm(p->core->timers, &r->redialing.expiry,
	    peers_after_ms(p, r->own != NULL ? LIFE_MS : LIFE_ACCEPTED_MS));
	if (r->own != NULL)
		lead_streams(r);
}

void
conn_redial_failed(struct conn *r, int err)
{
	if (r->own == NULL || err != ERR_PEER_REFUSED)
		return;
	for (struct conn *c = key_index_first(&r->peers->by_key, r->key);
	     c != NULL; c = TAILQ_NEXT(c, same_key))
		if (is_migratable(c, true, r->own_key, r->key) &&
		    conn_migrate_is_silent(c))
			conn_fail(c, ERR_RESET);
}

/* ---- the side that accepted the streams ---- */

bool
conn_redial_accept(struct peers *p, const uint8_t *own_key, const uint8_t *key)
{
	struct conn *r = find_redial(p, own_key, key);
	struct conn *c = key_index_first(&p->by_key, key);

	while (c != NULL && !is_migratable(c, false, own_key, key))
		c = TAILQ_NEXT(c, same_key);
	if (c != NULL && r != NULL && r->own == NULL)
		conn_fail(r, ERR_CANCELLED);
	return c != NULL;
}
