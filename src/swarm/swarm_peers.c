/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "swarm/swarm_struct.h"

/* ---- the table ---- */

static uint32_t
hash_key(const struct swarm *s, const uint8_t *key)
{
	return hash_bytes(&s->core->hash_key, key, KEY_LEN);
}

struct swarm_peer *
swarm_peer_find(const struct swarm *s, const uint8_t *key)
{
	struct swarm_peer *p;

	HASH_FIND_BYHASHVALUE(hh, s->peers, key, KEY_LEN, hash_key(s, key), p);
	return p;
}

static void
on_retry(struct timer *t)
{
	struct swarm_peer *p = container_of(t, struct swarm_peer, retry);
	struct swarm *s = p->swarm;

	if (p->link != SWARM_LINK_IDLE || !swarm_may_connect(s, p)) {
		swarm_peer_forget(p);
		return;
	}
	swarm_peer_queue(p);
	swarm_pump(s);
}

static void
free_peer(struct swarm_peer *p)
{
	struct swarm *s = p->swarm;

	swarm_peer_unqueue(p);
	timer_disarm(s->core->timers, &p->retry);
	s->explicit_len -= p->explicit_peer;
	HASH_DELETE(hh, s->peers, p);
	free(p);
}

static bool
is_unused(const struct swarm_peer *p)
{
	return p->link == SWARM_LINK_IDLE && !p->banned && !p->explicit_peer;
}

/* Returns the peer that gives way to a new one: one that was never connected
 * and is given up, else one that only waits. */
static struct swarm_peer *
find_victim(const struct swarm *s)
{
	struct swarm_peer *p, *next, *found = NULL;

	HASH_ITER (hh, s->peers, p, next) {
		if (!is_unused(p) || p->proven)
			continue;
		if (p->priority == 0 && !timer_armed(&p->retry))
			return p;
		if (found == NULL && p->attempts > 0)
			found = p;
	}
	return found;
}

static bool
make_room(struct swarm *s)
{
	struct swarm_peer *victim;

	if (HASH_COUNT(s->peers) < s->core->limits->swarm_peers_known)
		return true;
	victim = find_victim(s);
	if (victim == NULL)
		return false;
	free_peer(victim);
	return true;
}

struct swarm_peer *
swarm_peer_get(struct swarm *s, const uint8_t *key)
{
	struct swarm_peer *p = swarm_peer_find(s, key);

	if (p != NULL || !make_room(s))
		return p;
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->swarm = s;
	p->retry.fire = on_retry;
	p->number = ++s->last_peer;
	memcpy(p->key, key, KEY_LEN);
	HASH_ADD_BYHASHVALUE(hh, s->peers, key, KEY_LEN, hash_key(s, key), p);
	if (p->hh.tbl != NULL)
		return p;
	free(p);
	return NULL;
}

void
swarm_peer_forget(struct swarm_peer *p)
{
	if (is_unused(p) && p->priority == 0 && !timer_armed(&p->retry) &&
	    !p->resumes)
		free_peer(p);
}

void
swarm_peers_fini(struct swarm *s)
{
	struct swarm_peer *p, *next;

	HASH_CLEAR(hh_conn, s->by_conn);
	HASH_ITER (hh, s->peers, p, next)
		free_peer(p);
}

bool
swarm_has_peer(const struct swarm *s, const uint8_t *key)
{
	return swarm_peer_find(s, key) != NULL;
}

static const char *
state_name(const struct swarm_peer *p)
{
	static const char *const names[] = {
	    [SWARM_LINK_IDLE] = "idle",
	    [SWARM_LINK_DIALING] = "dialing",
	    [SWARM_LINK_OPEN_DIALED] = "dialed",
	    [SWARM_LINK_OPEN_ACCEPTED] = "accepted",
	};

	if (p->priority != 0)
		return "queued";
	return timer_armed(&p->retry) ? "waiting" : names[p->link];
}

bool
swarm_peer_after(
    const struct swarm *s, uint32_t after, struct swarm_peer_status *out)
{
	const struct swarm_peer *p = s->peers;
	uint64_t now = swarm_now_us(s);

	while (p != NULL && p->number <= after)
		p = p->hh.next;
	if (p == NULL)
		return false;
	*out = (struct swarm_peer_status){
	    .number = p->number,
	    .key = p->key,
	    .state = state_name(p),
	    .conn = p->conn,
	    .attempts = p->attempts,
	    .age_us = p->since_us != 0 ? now - p->since_us : 0,
	    .next_us = timer_armed(&p->retry) && p->retry.due_us > now
			   ? p->retry.due_us - now
			   : 0,
	};
	return true;
}

/* ---- the queue ---- */

void
swarm_peer_unqueue(struct swarm_peer *p)
{
	if (p->priority == 0)
		return;
	TAILQ_REMOVE(&p->swarm->queue[p->priority], p, queued);
	p->swarm->queue_len[p->priority]--;
	p->priority = 0;
}

void
swarm_peer_queue(struct swarm_peer *p)
{
	uint32_t priority = swarm_priority(&p->attempts, p->explicit_peer);

	if (p->priority != 0 || priority == 0)
		return;
	timer_disarm(p->swarm->core->timers, &p->retry);
	p->priority = priority;
	p->swarm->queue_len[priority]++;
	TAILQ_INSERT_TAIL(&p->swarm->queue[priority], p, queued);
}

struct swarm_peer *
swarm_queue_next(struct swarm *s)
{
	struct swarm_peer *p;
	uint32_t skip;

	for (int i = SWARM_PRIORITY_MAX; i > 0; i--) {
		if (s->queue_len[i] == 0)
			continue;
		skip = world_below(s->core->world, s->queue_len[i]);
		TAILQ_FOREACH (p, &s->queue[i], queued)
			if (skip-- == 0)
				return p;
	}
	return NULL;
}

uint32_t
swarm_queue_len(const struct swarm *s)
{
	uint32_t len = 0;

	for (int i = SWARM_PRIORITY_MAX; i > 0; i--)
		len += s->queue_len[i];
	return len;
}

/* ---- topics of a peer ---- */

bool
swarm_peer_in(const struct swarm_peer *p, const struct swarm_topic *t)
{
	for (uint32_t i = 0; i < p->topics_len; i++)
		if (p->topics[i] == t->number)
			return true;
	return false;
}

bool
swarm_peer_has_topic(
    const struct swarm *s, const uint8_t *key, const uint8_t *topic)
{
	const struct swarm_peer *p = swarm_peer_find(s, key);
	const struct swarm_topic *t = swarm_topic_find(s, topic);

	return p != NULL && t != NULL && swarm_peer_in(p, t);
}

bool
swarm_peer_has_topics(const struct swarm *s, const uint8_t *key)
{
	const struct swarm_peer *p = swarm_peer_find(s, key);

	return p != NULL && p->topics_len > 0;
}

static void
note_topic(struct swarm_peer *p, const struct swarm_topic *t)
{
	if (!swarm_peer_in(p, t) && p->topics_len < SWARM_PEER_TOPICS_MAX)
		p->topics[p->topics_len++] = t->number;
}

bool
swarm_peer_is_wanted(const struct swarm_peer *p)
{
	const struct swarm_topic *t;

	if (p->explicit_peer)
		return true;
	TAILQ_FOREACH (t, &p->swarm->topics, link)
		if ((t->roles & SWARM_CLIENT) != 0 && swarm_peer_in(p, t))
			return true;
	return false;
}

static void
drop_topic(struct swarm_peer *p, const struct swarm_topic *t)
{
	for (uint32_t i = 0; i < p->topics_len; i++)
		if (p->topics[i] == t->number)
			p->topics[i--] = p->topics[--p->topics_len];
}

void
swarm_peers_leave_topic(struct swarm *s, const struct swarm_topic *t)
{
	struct swarm_peer *p, *next;

	HASH_ITER (hh, s->peers, p, next) {
		if (!swarm_peer_in(p, t))
			continue;
		drop_topic(p, t);
		if (swarm_peer_is_wanted(p))
			continue;
		swarm_peer_unqueue(p);
		timer_disarm(s->core->timers, &p->retry);
		p->resumes = false;
		swarm_peer_forget(p);
	}
}

/* ---- finding ---- */

/* Counts the peers of the topic that are connected or about to be dialed. */
static uint32_t
count_active(const struct swarm *s, const struct swarm_topic *t)
{
	const struct swarm_peer *p;
	uint32_t len = 0;

	for (p = s->peers; p != NULL; p = p->hh.next)
		len += swarm_peer_in(p, t) &&
		       (p->link != SWARM_LINK_IDLE || p->priority != 0 ||
			   timer_armed(&p->retry));
	return len;
}

/* The limit of a topic counts peers, not replies of nodes. */
static bool
is_over_limit(const struct swarm *s, const struct swarm_topic *t,
    const struct swarm_peer *p)
{
	if (t->limit == 0 ||
	    (p != NULL && swarm_peer_in(p, t) && p->link != SWARM_LINK_IDLE))
		return false;
	return count_active(s, t) >= t->limit;
}

static void
queue_found(struct swarm_peer *p)
{
	uint32_t priority = swarm_priority(&p->attempts, p->explicit_peer);

	if (p->link != SWARM_LINK_IDLE || p->banned || p->priority != 0)
		return;
	if (priority < 2 || !p->client) {
		p->attempts = 0;
		p->proven = false;
		p->client = false;
	}
	swarm_peer_queue(p);
}

void
swarm_found(struct swarm *s, const uint8_t *topic, const uint8_t *key,
    const struct addr *relays, size_t relays_len)
{
	const struct swarm_topic *t = swarm_topic_find(s, topic);
	struct swarm_peer *p = swarm_peer_find(s, key);
	bool known = p != NULL;

	if (t == NULL || s->suspended || (t->roles & SWARM_CLIENT) == 0 ||
	    memcmp(key, s->config.own_key, KEY_LEN) == 0 ||
	    is_over_limit(s, t, p) || (p = swarm_peer_get(s, key)) == NULL)
		return;
	p->relays_len =
	    relays_len < SWARM_RELAYS_MAX ? relays_len : SWARM_RELAYS_MAX;
	for (size_t i = 0; i < p->relays_len; i++)
		p->relays[i] = relays[i];
	note_topic(p, t);
	if (!known)
		swarm_report(s, SWARM_PEER_FOUND, key, 0, 0);
	queue_found(p);
	swarm_pump(s);
}

/* ---- explicit and banned peers ---- */

int
swarm_join_peer(struct swarm *s, const uint8_t *key)
{
	struct swarm_peer *p;

	if (memcmp(key, s->config.own_key, KEY_LEN) == 0)
		return ERR_VALUE;
	p = swarm_peer_get(s, key);
	if (p == NULL)
		return ERR_MEMORY;
	s->explicit_len += !p->explicit_peer;
	p->explicit_peer = true;
	if (p->link == SWARM_LINK_IDLE && !p->banned && !s->suspended)
		swarm_peer_queue(p);
	swarm_pump(s);
	return 0;
}

void
swarm_leave_peer(struct swarm *s, const uint8_t *key)
{
	struct swarm_peer *p = swarm_peer_find(s, key);

	if (p == NULL || !p->explicit_peer)
		return;
	p->explicit_peer = false;
	s->explicit_len--;
	if (swarm_peer_is_wanted(p))
		return;
	swarm_peer_unqueue(p);
	timer_disarm(s->core->timers, &p->retry);
	swarm_peer_forget(p);
}

int
swarm_ban(struct swarm *s, const uint8_t *key, bool banned)
{
	struct swarm_peer *p = swarm_peer_find(s, key);

	if (p == NULL && !banned)
		return 0;
	if (p == NULL && (p = swarm_peer_get(s, key)) == NULL)
		return ERR_MEMORY;
	p->banned = banned;
	if (banned) {
		swarm_peer_unqueue(p);
		timer_disarm(s->core->timers, &p->retry);
	}
	swarm_peer_forget(p);
	return 0;
}
