/* SPDX-License-Identifier: ISC */
#include "peer/relay_finder.h"

#include <string.h>

#include "base/err.h"
#include "peer/dial_record.h"
#include "peer/peers_struct.h"
#include "peer/relay_control.h"
#include "relay/relay_topic.h"

enum {
	TICK_US = 10 * 1000000,
	NEEDED_US = 30 * 60 * 1000000, /* after a dial without a path */
	/* Between two lookups; with fewer relays than PROVED_MIN the time
	 * starts at the second value and is doubled each time. */
	LOOKUP_US = 30 * 60 * 1000000,
	LOOKUP_AGAIN_US = 60 * 1000000,
	RETRY_MS = 2000, /* for a lookup and a proof */
	PROVED_MIN = 4,
	LACKING_MAX = 5, /* then the times are nearly the same */
	PROVING_MAX = 8,
	/* New relays of one lookup from which on a finer level has enough, and
	 * below which a coarser one has more. */
	LEVEL_FULL = 40,
	LEVEL_EMPTY = 4,
};

/* ---- when relays are needed ---- */

/* Returns true if our NAT assigns a port at random to each destination. */
static bool
nat_is_random(const struct relay_finder *f)
{
	return dht_port_varies(f->peers->base.dht);
}

static bool
may_seek(const struct relay_finder *f)
{
	return f->peers->base.finds_relays && f->peers->base.identity != NULL &&
	       !dht_is_alone(f->peers->base.dht);
}

static bool
is_needed(const struct relay_finder *f)
{
	return may_seek(f) && (f->peers->core->world->now_us < f->needed_us ||
				  nat_is_random(f));
}

/* Seeks relays now, if that is not under way, and for some time. */
static void
seek(struct relay_finder *f)
{
	uint64_t now_us = f->peers->core->world->now_us;

	if (now_us >= f->needed_us && !nat_is_random(f)) {
		f->lacking = 0;
		timer_arm(f->peers->core->timers, &f->timer, now_us);
	}
	f->needed_us = now_us + NEEDED_US;
}

/* Returns true if a dial that ended so might have opened through a relay. */
static bool
has_no_path(int err)
{
	return err == ERR_NO_PATH || err == ERR_PUNCH ||
	       err == ERR_NAT_UNKNOWN || err == ERR_NAT_RANDOM ||
	       err == ERR_ABORTED || err == ERR_TIMEOUT ||
	       err == ERR_RELAY_FULL || err == ERR_RELAY_SPENT;
}

void
relay_finder_note_dial(struct relay_finder *f, int err)
{
	if (has_no_path(err))
		seek(f);
}

void
relay_finder_renew(struct relay_finder *f)
{
	if (f->looked_us == 0)
		return;
	f->lacking = 0;
	f->looked_us = 0;
	timer_arm(f->peers->core->timers, &f->timer,
	    f->peers->core->world->now_us + RETRY_MS * UINT64_C(1000));
}

/* ---- lookups ---- */

/* Draws a shard for this lookup, which others cannot predict. */
static uint8_t
draw_shard(struct relay_finder *f, uint32_t day, uint8_t bits)
{
	struct world *w = f->peers->core->world;
	uint8_t buf[KEY_LEN + 8], hash[HASH_LEN];

	if (f->lookups == 0)
		w->ops->random(w, f->secret, sizeof f->secret);
	memcpy(buf, f->secret, KEY_LEN);
	memcpy(buf + KEY_LEN, &day, sizeof day);
	memcpy(buf + KEY_LEN + 4, &f->lookups, sizeof f->lookups);
	f->lookups++;
	hash_blake2b(hash, buf, sizeof buf);
	return relay_topic_shard(hash, bits);
}

static void
adapt_level(struct relay_finder *f)
{
	if (f->found >= LEVEL_FULL && f->level + 1 < RELAY_LEVELS)
		f->level++;
	else if (f->found < LEVEL_EMPTY && f->level > 0)
		f->level--;
}

static bool
is_own(const struct relay_finder *f, const uint8_t *key)
{
	const struct key_pair *relay = f->peers->base.relay_keys;

	return relay != NULL && memcmp(relay->public_key, key, KEY_LEN) == 0;
}

static void
on_lookup_event(void *owner, const struct records_event *e)
{
	struct relay_finder *f = owner;
	struct addr nodes[RELAY_MEMORY_PER_KEY];
	size_t len = 0;

	if (e->kind == RECORDS_EV_DONE) {
		f->lookup = NULL;
		adapt_level(f);
		timer_arm(f->peers->core->timers, &f->timer,
		    f->peers->core->world->now_us);
	}
	if (e->kind != RECORDS_EV_PEER || is_own(f, e->peer.key) ||
	    !relay_pool_add(&f->pool, e->peer.key))
		return;
	f->found++;
	/* A record proves nothing: it adds to what is known, no more. */
	if (relay_memory_get(&f->peers->relays, e->peer.key, nodes) > 0)
		return;
	while (len < RELAY_MEMORY_PER_KEY && len < peer_relays_len(&e->peer)) {
		nodes[len] = peer_relay(&e->peer, len);
		len++;
	}
	relay_memory_put(&f->peers->relays, e->peer.key, nodes, len);
}

static void
start_lookup(struct relay_finder *f)
{
	struct world *w = f->peers->core->world;
	struct relay_topic t = {.bits = relay_level_bits[f->level],
	    .day = relay_topic_day(w->unix_ms)};
	struct records_sink sink = {.event = on_lookup_event, .owner = f};
	uint8_t topic[HASH_LEN];

	t.shard = draw_shard(f, t.day, t.bits);
	relay_topic_hash(topic, &t);
	f->found = 0;
	f->looked_us = w->now_us;
	if (relay_pool_fresh(&f->pool) >= PROVED_MIN)
		f->lacking = 0;
	else if (f->lacking < LACKING_MAX)
		f->lacking++;
	f->peers->core->stats->relay_lookups++;
	if (records_client_find(
		f->peers->base.dht, CMD_LOOKUP, topic, sink, &f->lookup) != 0)
		f->lookup = NULL;
}

static bool
lookup_is_due(const struct relay_finder *f)
{
	uint64_t wait_us = LOOKUP_US;

	if (relay_pool_fresh(&f->pool) < PROVED_MIN)
		wait_us = (uint64_t)LOOKUP_AGAIN_US << f->lacking;
	return f->lookup == NULL &&
	       (f->looked_us == 0 ||
		   f->peers->core->world->now_us - f->looked_us >= wait_us);
}

/* ---- proofs ---- */

static void
prove_some(struct relay_finder *f)
{
	uint32_t busy = relay_pool_proving(&f->pool);
	uint32_t proved = relay_pool_fresh(&f->pool);
	const uint8_t *key;
	int err = 0;

	while (err == 0 && busy < PROVING_MAX && proved + busy < PROVING_MAX &&
	       (key = relay_pool_take(&f->pool)) != NULL) {
		busy++;
		err = relay_control_prove(f->peers, key);
		if (err != 0)
			relay_pool_put_back(&f->pool, key);
	}
}

void
relay_finder_proved(struct relay_finder *f, const uint8_t relay[KEY_LEN],
    const struct addr *addr, uint64_t rtt_us)
{
	f->peers->core->stats->relays_proved++;
	relay_pool_proved(&f->pool, relay, addr, rtt_us);
}

void
relay_finder_refused(
    struct relay_finder *f, const uint8_t relay[KEY_LEN], uint64_t retry_s)
{
	relay_pool_refused(&f->pool, relay, retry_s);
}

void
relay_finder_failed(struct relay_finder *f, const uint8_t relay[KEY_LEN])
{
	relay_pool_failed(&f->pool, relay);
}

/* ---- the choice ---- */

static const uint8_t *
choose(struct relay_finder *f, const uint8_t *peer)
{
	return relay_pool_choose(
	    &f->pool, f->peers->base.identity->public_key, peer);
}

const uint8_t *
relay_finder_for_dial(struct relay_finder *f, const uint8_t peer[KEY_LEN])
{
	const struct dial_record *last;

	if (!is_needed(f))
		return NULL;
	last = peers_dial_record(f->peers, peer, 0);
	if (!nat_is_random(f) && (last == NULL || !has_no_path(last->err)))
		return NULL;
	return choose(f, peer);
}

const uint8_t *
relay_finder_for_answer(
    struct relay_finder *f, const uint8_t peer[KEY_LEN], bool same_nat)
{
	if (same_nat && may_seek(f))
		seek(f);
	if (!is_needed(f) || (!same_nat && !nat_is_random(f)))
		return NULL;
	return choose(f, peer);
}

uint32_t
relay_finder_retry_ms(const struct relay_finder *f, int err)
{
	return may_seek(f) && has_no_path(err) ? RETRY_MS : 0;
}

/* ---- life ---- */

static void
on_tick(struct timer *t)
{
	struct relay_finder *f = container_of(t, struct relay_finder, timer);

	timer_arm(
	    f->peers->core->timers, t, f->peers->core->world->now_us + TICK_US);
	if (!is_needed(f))
		return;
	if (lookup_is_due(f))
		start_lookup(f);
	prove_some(f);
}

void
relay_finder_init(struct relay_finder *f, struct peers *p)
{
	f->peers = p;
	f->timer.fire = on_tick;
	relay_pool_init(&f->pool, p->core->world);
	timer_arm(p->core->timers, &f->timer, p->core->world->now_us + TICK_US);
}

void
relay_finder_fini(struct relay_finder *f)
{
	if (f->lookup != NULL)
		records_client_cancel(f->lookup); /* arms the timer */
	timer_disarm(f->peers->core->timers, &f->timer);
}
