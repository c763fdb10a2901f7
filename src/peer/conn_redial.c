/* SPDX-License-Identifier: ISC */
/*
 * A new path for open streams whose old one is dead at both ends, so that
 * neither is heard by the other: as when two NATs let in only whom they have
 * sent to, and one was started anew. Whoever dialed them dials the same key
 * again, with all that belongs to it: relays, a walk, punching. What opens then
 * carries no bytes and no application hears of it; it leads the streams to its
 * own path (conn_migrate.c) and ends.
 */
#include <string.h>

#include "base/err.h"
#include "peer/dialer.h"
#include "peer/inside.h"

enum {
	DIAL_MS = 15000,
	/* From one dial to the next, then twice that. */
	WAIT_MS_FIRST = 4000,
	WAIT_MS_MAX = 30000,
	/* Streams are led so often; then they have moved or will not. */
	LEAD_MS = 250,
	LIFE_MS = 3000,
	/* The end of one that was accepted is the dialer's to say. */
	LIFE_ACCEPTED_MS = 10000,
};

static uint64_t
after_ms(const struct peers *p, uint32_t ms)
{
	return p->core->world->now_us + ms * UINT64_C(1000);
}

static bool
is_of_pair(const struct conn *c, const uint8_t *own_key, const uint8_t *key)
{
	return memcmp(c->own_key, own_key, KEY_LEN) == 0 &&
	       memcmp(c->key, key, KEY_LEN) == 0;
}

/* An open stream between these keys, dialed or not, to be mended. */
static bool
is_mendable(const struct conn *c, bool initiator, const uint8_t *own_key,
    const uint8_t *key)
{
	return c->state == CONN_OPEN && c->native && !c->mends &&
	       c->initiator == initiator && is_of_pair(c, own_key, key);
}

/* What finds a path for them already. */
static struct conn *
find_mending(const struct peers *p, const uint8_t *own_key, const uint8_t *key)
{
	struct conn *m = p->conns;

	while (m != NULL && (!m->mends || m->state == CONN_CLOSED ||
				!is_of_pair(m, own_key, key)))
		m = m->hh.next;
	return m;
}

/* ---- who dialed ---- */

void
conn_mend(struct conn *c)
{
	struct peers *p = c->peers;
	struct dial_spec spec = {
	    .key = c->key, .own = c->own, .timeout_ms = DIAL_MS, .mends = true};
	uint32_t number;

	if (c->own == NULL || p->core->world->now_us < c->mend_us ||
	    find_mending(p, c->own_key, c->key) != NULL)
		return;
	if (c->mend_wait_ms == 0)
		c->mend_wait_ms = WAIT_MS_FIRST;
	c->mend_us = after_ms(p, c->mend_wait_ms);
	c->mend_wait_ms *= 2;
	if (c->mend_wait_ms > WAIT_MS_MAX)
		c->mend_wait_ms = WAIT_MS_MAX;
	if (dialer_connect(p, &spec, &number) == 0)
		p->core->stats->mends++;
}

/* By its path; each then follows if the other end is there. */
static void
lead(struct conn *m)
{
	struct peers *p = m->peers;
	struct addr to = conn_remote(m);

	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (is_mendable(c, true, m->own_key, m->key) &&
		    !conn_goes_by(c, conn_sock(m), &to))
			conn_here(c, conn_sock(m), &to);
	timer_arm(p->core->timers, &m->knock, after_ms(p, LEAD_MS));
}

static void
on_lead(struct timer *t)
{
	lead(container_of(t, struct conn, knock));
}

static void
on_late(struct timer *t)
{
	conn_fail(container_of(t, struct conn, stuck), ERR_CANCELLED);
}

void
conn_mend_opened(struct conn *m)
{
	struct peers *p = m->peers;

	m->stuck.fire = on_late;
	timer_arm(p->core->timers, &m->stuck,
	    after_ms(p, m->own != NULL ? LIFE_MS : LIFE_ACCEPTED_MS));
	if (m->own == NULL)
		return;
	m->knock.fire = on_lead;
	lead(m);
}

void
conn_mend_failed(struct conn *m, int err)
{
	if (m->own == NULL || err != ERR_PEER_REFUSED)
		return;
	for (struct conn *c = m->peers->conns; c != NULL; c = c->hh.next)
		if (is_mendable(c, true, m->own_key, m->key) && c->silent > 0)
			conn_fail(c, ERR_RESET);
}

/* ---- who was dialed ---- */

bool
conn_mend_accept(struct peers *p, const uint8_t *own_key, const uint8_t *key)
{
	struct conn *m = find_mending(p, own_key, key);
	struct conn *c = p->conns;

	while (c != NULL && !is_mendable(c, false, own_key, key))
		c = c->hh.next;
	if (c != NULL && m != NULL && m->own == NULL)
		conn_fail(m, ERR_CANCELLED);
	return c != NULL;
}
