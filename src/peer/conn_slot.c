/* SPDX-License-Identifier: ISC */
#include "peer/conn_slot.h"

#include "base/err.h"
#include "base/pool.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"

enum {
	PROBE_US = 400000, /* between two probes of one connection */
};

static uint64_t
now_us(const struct peers *p)
{
	return p->core->world->now_us;
}

/* ---- limits ---- */

/* Returns how many connections are not accepted ones: they come before them. */
static uint32_t
count_others(const struct peers *p)
{
	return HASH_COUNT(p->conns) - slot_scope_len(p->slots);
}

static uint32_t
dial_reserve(const struct limits *l)
{
	return l->dial_reserve < l->connections / 2 ? l->dial_reserve
						    : l->connections / 2;
}

uint32_t
conn_slot_accepted_max(const struct limits *l)
{
	return l->connections - dial_reserve(l);
}

size_t
conn_slot_bytes_max(const struct limits *l)
{
	/* Of the frame budget, each may have a share of its own prefix. */
	size_t each = heap_bytes(sizeof(struct conn)) +
		      heap_bytes(sizeof(struct key_entry)) +
		      heap_bytes(sizeof(struct secret)) + 2 * HASH_ENTRY_BYTES +
		      slot_holders_bytes_max() + frame_share_bytes() +
		      udx_stream_bytes_max();

	return conn_slot_accepted_max(l) * each;
}

static uint32_t
share_of(uint32_t max, uint32_t permille)
{
	uint32_t share = (uint32_t)((uint64_t)max * permille / 1000);

	return share > 0 ? share : 1;
}

static struct slot_limits
limits_at(const struct peers *p, enum slot_level level)
{
	const struct limits *l = p->core->limits;
	uint32_t others = count_others(p), kept = dial_reserve(l);
	struct slot_limits out = {.max = l->listener_connections};

	if (others > kept)
		kept = others;
	if (level == CONN_SLOT_NODE)
		out.max = l->connections > kept ? l->connections - kept : 0;
	out.key_max = share_of(out.max, l->connections_key_permille);
	out.prefix_max = share_of(out.max, l->connections_prefix_permille);
	return out;
}

bool
conn_slot_for_dial(const struct peers *p)
{
	const struct limits *l = p->core->limits;
	uint32_t accepted = slot_scope_len(p->slots);
	uint32_t accepted_max = conn_slot_accepted_max(l);

	/* More are accepted while a connection waits to displace another. */
	if (accepted > accepted_max)
		accepted = accepted_max;
	return (uint64_t)count_others(p) + accepted < l->connections;
}

/* ---- admission ---- */

/* Returns true for a peer that no share binds. */
static bool
is_exempt(const struct listener *l, const struct addr *addr)
{
	return l->allow_len > 0 || (dht_is_private(l->ls->peers->base.dht) &&
				       addr_scope(addr) != ADDR_PUBLIC);
}

static void
close_displaced(struct peers *p, struct slot *victim)
{
	struct conn *c = container_of(victim, struct conn, slot.slot);

	p->core->stats->conns_displaced++;
	conn_fail(c, ERR_LIMIT);
}

/* ---- the connections of one key ---- */

bool
conn_slot_key_is_full(const struct listener *l, const uint8_t *key)
{
	return l->limits.per_peer > 0 &&
	       slot_scope_key_len(l->slots, key) >= l->limits.per_peer;
}

/* Returns true while nothing need arrive from the peer: the application decides
 * about it, its data is unread, or it waits for a blind relay. */
static bool
may_be_silent(const struct conn *c)
{
	return c->state == CONN_NEW || c->state == CONN_DRAINING ||
	       (!conn_is_open(c) && conn_relay_is_pending(c));
}

/* Looks for signs of life since the latest probe, and probes the connection
 * again. */
static void
probe_conn(struct conn *c)
{
	struct conn_slot *slot = &c->slot;
	struct udx_status st;
	uint64_t heard, now = now_us(c->peers);

	udx_status(c->udx, &st);
	heard = st.packets_in + slot->messages;
	if (heard != slot->heard_len && slot->probed_us != 0)
		slot->heard_us = now;
	slot->heard_len = heard;
	if (slot->probed_us != 0 && now - slot->probed_us < PROBE_US)
		return;
	slot->probed_us = now;
	if (conn_is_open(c) && !st.closed)
		udx_probe_path(c->udx, &st.path);
}

static bool
is_silent(const struct conn *c, uint64_t since_us)
{
	return !may_be_silent(c) && c->slot.heard_us <= since_us;
}

size_t
conn_slot_probe(const struct listener *l, const uint8_t *key, uint64_t since_us)
{
	struct slot *slots[SLOTS_IDLE_MAX];
	size_t len = slot_scope_idle(l->slots, key, slots), silent = 0;

	for (size_t i = 0; i < len; i++) {
		struct conn *c = container_of(slots[i], struct conn, slot.slot);

		if (!may_be_silent(c))
			probe_conn(c);
		silent += is_silent(c, since_us);
	}
	return silent;
}

void
conn_slot_close_silent(
    const struct listener *l, const uint8_t *key, uint64_t since_us)
{
	struct slot *slots[SLOTS_IDLE_MAX];
	size_t len = slot_scope_idle(l->slots, key, slots);

	for (size_t i = 0; i < len && conn_slot_key_is_full(l, key); i++) {
		struct conn *c = container_of(slots[i], struct conn, slot.slot);

		if (!is_silent(c, since_us))
			continue;
		c->peers->core->stats->conns_silent++;
		conn_fail(c, ERR_TIMEOUT);
	}
}

void
conn_slot_heard(struct conn *c)
{
	c->slot.messages++;
}

bool
conn_slot_admit(
    const struct listener *l, const uint8_t *key, const struct addr *addr)
{
	struct peers *p = l->ls->peers;
	const struct slot_peer peer = {key, addr, is_exempt(l, addr)};
	struct slot_scope *scopes[] = {
	    [CONN_SLOT_LISTENER] = l->slots, [CONN_SLOT_NODE] = p->slots};
	struct slot *victims[CONN_SLOT_LEVELS];

	if (conn_slot_key_is_full(l, key))
		return false;
	for (int level = 0; level < CONN_SLOT_LEVELS; level++) {
		struct slot_limits max = limits_at(p, level);

		if (!slot_scope_admits(
			scopes[level], &max, &peer, now_us(p), &victims[level]))
			return false;
	}
	for (int level = 0; level < CONN_SLOT_LEVELS; level++)
		if (victims[level] != NULL &&
		    victims[level]->state == CONN_SLOT_RESERVED)
			close_displaced(p, victims[level]);
	return true;
}

int
conn_slot_reserve(
    struct conn *c, const struct listener *l, const struct addr *addr)
{
	const struct slot_peer peer = {c->key, addr, is_exempt(l, addr)};

	c->slot.idle_us = l->limits.idle_s * UINT64_C(1000000);
	udx_set_window(c->udx, CONN_UNCLAIMED_WINDOW_BYTES_MAX);
	return slot_reserve(&c->slot.slot, l->slots, c->peers->slots, &peer);
}

/* ---- idle connections ---- */

static void
arm_expiry(struct conn *c)
{
	timer_arm(c->peers->core->timers, &c->slot.expiry,
	    c->slot.moved_us + c->slot.idle_us);
}

static void
on_expiry_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, slot.expiry);

	if (c->slot.moved_us + c->slot.idle_us > now_us(c->peers)) {
		arm_expiry(c);
		return;
	}
	c->peers->core->stats->conns_idle++;
	conn_fail(c, ERR_IDLE);
}

/* ---- life ---- */

void
conn_slot_init(struct conn *c)
{
	c->slot.expiry.fire = on_expiry_timer;
}

void
conn_slot_opened(struct conn *c)
{
	struct slot *slot = &c->slot.slot, *victim;
	struct peers *p = c->peers;
	struct addr remote = conn_remote(c);

	slot_open(slot, &remote, now_us(p));
	for (int level = 0; level < CONN_SLOT_LEVELS; level++) {
		struct slot_limits max = limits_at(p, level);

		victim = slot_victim(slot, level, &max, now_us(p));
		if (victim != NULL)
			close_displaced(p, victim);
	}
	c->slot.moved_us = now_us(p);
	if (c->slot.idle_us > 0)
		arm_expiry(c);
}

void
conn_slot_claim(struct conn *c)
{
	if (c->slot.slot.state == CONN_SLOT_UNCLAIMED)
		udx_set_window(c->udx, 0);
	slot_claim(&c->slot.slot, now_us(c->peers));
}

void
conn_slot_moved(struct conn *c)
{
	c->slot.moved_us = now_us(c->peers);
	slot_moved(&c->slot.slot, c->slot.moved_us);
}

void
conn_slot_leave(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->slot.expiry);
	slot_leave(&c->slot.slot);
}
