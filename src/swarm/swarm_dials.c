/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "swarm/swarm_struct.h"
#include "swarm/swarm_tie.h"

enum {
	GOOD_US = 15000000, /* open for so long: attempts count anew */
	DIRECT_ATTEMPTS_MAX = 4,
	DIRECT_US = 1000000, /* for each attempt */
};

void
swarm_report(struct swarm *s, enum swarm_change change, const uint8_t *key,
    uint32_t conn, int err)
{
	const struct swarm_event e = {change, key, conn, err};

	s->config.ops->report(s->config.owner, &e);
}

static bool
is_allowed(const struct swarm *s, const uint8_t *key)
{
	for (size_t i = 0; i < s->config.allow_len; i++)
		if (memcmp(s->config.allow[i], key, KEY_LEN) == 0)
			return true;
	return s->config.allow_len == 0;
}

bool
swarm_may_connect(const struct swarm *s, const struct swarm_peer *p)
{
	return !s->suspended && !p->banned && is_allowed(s, p->key);
}

/* ---- links ---- */

static struct swarm_peer *
find_conn(const struct swarm *s, uint32_t conn)
{
	struct swarm_peer *p;

	HASH_FIND_BYHASHVALUE(hh_conn, s->by_conn, &conn, sizeof conn, conn, p);
	return p;
}

bool
swarm_has_conn(const struct swarm *s, uint32_t conn)
{
	return find_conn(s, conn) != NULL;
}

static uint32_t *
counter_of(struct swarm *s, enum swarm_link link)
{
	if (link == SWARM_LINK_DIALING)
		return &s->dialing_len;
	return link == SWARM_LINK_OPEN_DIALED ? &s->dialed_len
					      : &s->accepted_len;
}

/* Sets the link of a peer and the connection that it consists of. Returns
 * false, without a link, if memory is short. */
static bool
set_link(struct swarm_peer *p, enum swarm_link link, uint32_t conn)
{
	struct swarm *s = p->swarm;

	if (p->link != SWARM_LINK_IDLE) {
		--*counter_of(s, p->link);
		HASH_DELETE(hh_conn, s->by_conn, p);
	}
	p->link = link;
	p->conn = conn;
	p->since_us = swarm_now_us(s);
	if (link == SWARM_LINK_IDLE)
		return true;
	HASH_ADD_BYHASHVALUE(
	    hh_conn, s->by_conn, conn, sizeof p->conn, conn, p);
	if (p->hh_conn.tbl == NULL) {
		p->link = SWARM_LINK_IDLE;
		return false;
	}
	++*counter_of(s, link);
	swarm_peer_unqueue(p);
	timer_disarm(s->core->timers, &p->retry);
	return true;
}

/* ---- dialing ---- */

static uint32_t
links_len(const struct swarm *s)
{
	return s->dialing_len + s->dialed_len + s->accepted_len;
}

/* Explicit peers leave less to the others, protocol 08 §5. */
static uint32_t
peers_factor(const struct swarm *s)
{
	if (s->explicit_len >= 4)
		return 4;
	return s->explicit_len == 3 ? 3 : s->explicit_len + 1;
}

static bool
is_slow(const struct swarm *s, const struct swarm_peer *p)
{
	return p->link == SWARM_LINK_DIALING &&
	       swarm_now_us(s) - p->since_us >= SLOW_DIAL_US;
}

/* Returns whether one more dial may be in progress. A peer that does not answer
 * keeps the others waiting for a moment only. */
static bool
may_dial(struct swarm *s)
{
	uint64_t next_us = WORLD_NEVER;
	uint32_t fast = 0;

	if (s->dialing_len < PARALLEL_DIALS)
		return true;
	if (s->dialing_len >= SLOW_DIALS_MAX)
		return false;
	for (struct swarm_peer *p = s->by_conn; p != NULL;
	     p = p->hh_conn.next) {
		if (p->link != SWARM_LINK_DIALING || is_slow(s, p))
			continue;
		fast++;
		if (p->since_us + SLOW_DIAL_US < next_us)
			next_us = p->since_us + SLOW_DIAL_US;
	}
	if (fast < PARALLEL_DIALS)
		return true;
	timer_arm(s->core->timers, &s->slow, next_us);
	return false;
}

static void
dial_ended(struct swarm_peer *p, uint32_t relay_ms)
{
	struct swarm *s = p->swarm;
	enum swarm_retry which;
	uint64_t due_us;

	/* Once only, so that a peer that always fails is given up. */
	if (relay_ms > 0 && !p->force_relay) {
		p->force_relay = true;
		p->attempts = 0;
	} else {
		relay_ms = 0;
	}
	p->attempts++;
	if (p->banned || !swarm_peer_is_wanted(p) || s->suspended)
		return;
	which = swarm_retry_after(p->attempts, p->proven, p->explicit_peer);
	if (which == SWARM_RETRY_NONE)
		return;
	if (relay_ms > 0)
		due_us = swarm_now_us(s) + relay_ms * UINT64_C(1000);
	else
		due_us = swarm_clock_due_us(&s->clocks, which, swarm_now_us(s));
	timer_arm(s->core->timers, &p->retry, due_us);
}

static void
dial(struct swarm_peer *p)
{
	struct swarm *s = p->swarm;
	uint32_t conn;

	swarm_peer_unqueue(p);
	if (!swarm_may_connect(s, p)) {
		if (!p->banned && !s->suspended)
			swarm_report(
			    s, SWARM_PEER_REFUSED, p->key, 0, ERR_REFUSED);
		swarm_peer_forget(p);
		return;
	}
	timer_disarm(s->core->timers, &p->retry);
	p->remote = (struct addr){0};
	conn = s->config.ops->dial(
	    s->config.owner, p->key, p->relays, p->relays_len);
	if (conn == 0 || !set_link(p, SWARM_LINK_DIALING, conn)) {
		if (conn != 0)
			s->config.ops->close(s->config.owner, conn);
		p->since_us = swarm_now_us(s);
		dial_ended(p, 0);
		swarm_flush_check(s, 1);
		swarm_peer_forget(p);
	}
}

/* The direct path of explicit peers, protocol 08 §10. */
static bool
is_direct_due(const struct swarm *s, const struct swarm_peer *p)
{
	return p->explicit_peer && p->link == SWARM_LINK_IDLE &&
	       swarm_may_connect(s, p) && p->attempts <= DIRECT_ATTEMPTS_MAX &&
	       p->attempts > 0 &&
	       swarm_now_us(s) - p->since_us >=
		   (uint64_t)p->attempts * DIRECT_US;
}

static void
dial_explicit(struct swarm *s)
{
	struct swarm_peer *p, *next;

	if (s->explicit_len == 0)
		return;
	HASH_ITER (hh, s->peers, p, next)
		if (is_direct_due(s, p) && may_dial(s))
			dial(p);
}

void
swarm_pump(struct swarm *s)
{
	struct swarm_peer *p;

	if (s->suspended)
		return;
	while (peers_factor(s) * links_len(s) < s->core->limits->swarm_peers &&
	       may_dial(s) && (p = swarm_queue_next(s)) != NULL)
		dial(p);
	dial_explicit(s);
}

static void
on_slow(struct timer *t)
{
	swarm_pump(container_of(t, struct swarm, slow));
}

void
swarm_dials_init(struct swarm *s)
{
	s->slow.fire = on_slow;
	swarm_clocks_init(&s->clocks, s->core->world);
	for (int i = 0; i <= SWARM_PRIORITY_MAX; i++)
		TAILQ_INIT(&s->queue[i]);
}

void
swarm_opened(struct swarm *s, uint32_t conn)
{
	struct swarm_peer *p = find_conn(s, conn);

	if (p == NULL || !set_link(p, SWARM_LINK_OPEN_DIALED, conn))
		return;
	p->proven = true;
	p->client = true;
	swarm_report(s, SWARM_PEER_CONNECTED, p->key, conn, 0);
	swarm_flush_check(s, 1);
	swarm_pump(s);
}

/* Ends the link of a peer. */
static void
unlink_peer(struct swarm_peer *p, int err)
{
	enum swarm_link was = p->link;
	uint32_t conn = p->conn;
	uint64_t open_us = swarm_now_us(p->swarm) - p->since_us;

	if (was == SWARM_LINK_OPEN_DIALED && open_us >= GOOD_US)
		p->attempts = 0;
	set_link(p, SWARM_LINK_IDLE, 0);
	if (was != SWARM_LINK_DIALING)
		swarm_report(p->swarm, SWARM_PEER_LOST, p->key, conn, err);
}

void
swarm_closed(struct swarm *s, uint32_t conn, int err, uint32_t relay_ms)
{
	struct swarm_peer *p = find_conn(s, conn);
	bool dialed, opened;

	if (p == NULL)
		return;
	dialed = p->link != SWARM_LINK_OPEN_ACCEPTED;
	opened = p->link != SWARM_LINK_DIALING;
	unlink_peer(p, err);
	if (dialed)
		dial_ended(p, opened ? 0 : relay_ms);
	swarm_peer_forget(p);
	swarm_flush_check(s, dialed && !opened);
	swarm_pump(s);
}

/* ---- accepting ---- */

static bool
is_full(const struct swarm *s, const struct addr *remote)
{
	const struct limits *l = s->core->limits;
	uint32_t near = 0;

	if (s->accepted_len >= l->swarm_accepted)
		return true;
	if (remote->family != ADDR_V4 || addr_scope(remote) != ADDR_PUBLIC)
		return false;
	for (const struct swarm_peer *p = s->by_conn; p != NULL;
	     p = p->hh_conn.next)
		near += p->link == SWARM_LINK_OPEN_ACCEPTED &&
			p->remote.family == ADDR_V4 &&
			memcmp(p->remote.ip, remote->ip, 3) == 0;
	return near >= l->swarm_accepted_prefix;
}

/* Decides between an incoming connection and the link that exists. Returns
 * whether the incoming one is kept, after closing the other. */
static bool
replace_link(struct swarm *s, struct swarm_peer *p)
{
	const struct swarm_ops *ops = s->config.ops;
	uint32_t old = p->conn;
	bool used =
	    p->link != SWARM_LINK_DIALING && ops->is_used(s->config.owner, old);

	if (!swarm_tie_takes_incoming(s->config.own_key, p->key, used)) {
		ops->probe(s->config.owner, old);
		return false;
	}
	if (p->link == SWARM_LINK_DIALING)
		swarm_flush_check(s, 1);
	unlink_peer(p, ERR_EXISTS);
	ops->close(s->config.owner, old);
	return true;
}

static bool
accept_link(struct swarm *s, struct swarm_peer *p, uint32_t conn,
    const struct addr *remote)
{
	if (!set_link(p, SWARM_LINK_OPEN_ACCEPTED, conn))
		return false;
	p->client = false;
	p->relays_len = 0;
	p->remote = *remote;
	swarm_report(s, SWARM_PEER_CONNECTED, p->key, conn, 0);
	return true;
}

bool
swarm_incoming(struct swarm *s, uint32_t conn, const uint8_t *key,
    const struct addr *remote)
{
	struct swarm_peer *p = swarm_peer_find(s, key);
	bool kept;

	if (s->suspended || memcmp(key, s->config.own_key, KEY_LEN) == 0 ||
	    (p != NULL && p->banned) || !is_allowed(s, key))
		return false;
	if (p != NULL && p->link != SWARM_LINK_IDLE) {
		if (!replace_link(s, p))
			return false;
	} else if (is_full(s, remote) || (p = swarm_peer_get(s, key)) == NULL) {
		swarm_report(s, SWARM_PEER_REFUSED, key, conn, ERR_LIMIT);
		return false;
	}
	kept = accept_link(s, p, conn, remote);
	swarm_pump(s);
	return kept;
}

/* ---- suspension ---- */

void
swarm_dials_close(struct swarm *s)
{
	struct swarm_peer *p, *next;
	uint32_t conn;

	HASH_ITER (hh_conn, s->by_conn, p, next) {
		conn = p->conn;
		if (p->link != SWARM_LINK_DIALING)
			continue;
		unlink_peer(p, ERR_CLOSED);
		s->config.ops->close(s->config.owner, conn);
	}
}

void
swarm_dials_suspend(struct swarm *s)
{
	struct swarm_peer *p, *next;
	uint32_t conn;

	timer_disarm(s->core->timers, &s->slow);
	HASH_ITER (hh, s->peers, p, next) {
		conn = p->conn;
		p->resumes = swarm_peer_is_wanted(p) &&
			     (p->priority != 0 || timer_armed(&p->retry) ||
				 p->link == SWARM_LINK_DIALING ||
				 p->link == SWARM_LINK_OPEN_DIALED);
		swarm_peer_unqueue(p);
		timer_disarm(s->core->timers, &p->retry);
		if (p->link == SWARM_LINK_IDLE)
			continue;
		unlink_peer(p, ERR_CLOSED);
		s->config.ops->close(s->config.owner, conn);
		swarm_peer_forget(p);
	}
}
