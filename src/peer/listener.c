/* SPDX-License-Identifier: ISC */
#include "peer/listener.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"

/* ---- state and events ---- */

/* The only place that changes the state. */
static void
listener_set_state(struct listener *l, enum listener_state state)
{
	assert(state > l->state);
	l->state = state;
}

static void
queue_event(struct listener *l)
{
	event_source_queue(&l->ls->peers->events, &l->events);
}

/* Has the NAT classified in advance while there are listeners: a client may
 * punch at any moment. */
static void
update_readiness(const struct listeners *ls)
{
	punch_keep_ready(ls->peers->base.punch, ls->by_number != NULL);
}

static void
listener_free(struct listener *l)
{
	event_source_remove(&l->ls->peers->events, &l->events);
	HASH_DELETE(hh, l->ls->by_number, l);
	update_readiness(l->ls);
	slot_scope_release(l->slots);
	free(l->allow);
	free(l);
}

static void
take_refusal(struct listener *l, struct peer_event *out)
{
	*out = (struct peer_event){.kind = PEER_REFUSED,
	    .number = l->number,
	    .err = ERR_REFUSED,
	    .internal = l->relays};
	memcpy(out->key, l->refused_key, KEY_LEN);
	l->refusal_pending = false;
	if (l->changed)
		queue_event(l);
}

/* Takes one event of a listener: event_source.h. */
static bool
take_event(struct event_source *source, struct peer_event *out)
{
	struct listener *l = container_of(source, struct listener, events);
	bool has_ended = l->state == LISTENER_ENDED;

	if (l->refusal_pending && !has_ended) {
		take_refusal(l, out);
		return true;
	}
	if (!l->changed && !has_ended)
		return false;
	*out = (struct peer_event){
	    .kind = has_ended ? PEER_UNLISTENED : PEER_LISTENING,
	    .number = l->number,
	    .err = has_ended ? 0 : l->err,
	    .internal = l->relays,
	};
	memcpy(out->key, l->keys->public_key, KEY_LEN);
	if (has_ended) {
		listener_free(l);
		return true;
	}
	out->stored = announced_relays(l->announced)->len;
	l->changed = false;
	return true;
}

void
listener_refuse(struct listener *l, const uint8_t *key)
{
	l->refused++;
	l->refusal_pending = true;
	memcpy(l->refused_key, key, KEY_LEN);
	queue_event(l);
}

static void
on_announced(void *owner, int err)
{
	struct listener *l = owner;

	l->changed = true;
	l->err = err;
	queue_event(l);
}

static void
on_withdrawn(void *owner)
{
	struct listener *l = owner;

	listener_set_state(l, LISTENER_ENDED);
	l->announced = NULL;
	queue_event(l);
}

/* ---- life ---- */

struct listeners *
listeners_new(struct peers *p)
{
	struct listeners *ls = calloc(1, sizeof *ls);

	if (ls == NULL)
		return NULL;
	ls->announcer = announcer_new(p->core, p->base.dht);
	if (ls->announcer == NULL) {
		free(ls);
		return NULL;
	}
	ls->peers = p;
	sessions_init(ls);
	return ls;
}

void
listeners_free(struct listeners *ls)
{
	struct listener *l;

	if (ls == NULL)
		return;
	sessions_fini(ls);
	announcer_free(ls->announcer);
	while ((l = ls->by_number) != NULL) {
		if (l->state == LISTENER_ACTIVE)
			records_unpin(
			    ls->peers->base.records, l->keys->public_key);
		listener_free(l);
	}
	free(ls);
}

int
listener_drop(const struct listeners *ls, int err)
{
	return stats_drop(ls->peers->core->stats, err);
}

static struct listener *
find_listener(const struct listeners *ls, uint32_t number)
{
	struct listener *l;

	HASH_FIND_BYHASHVALUE(
	    hh, ls->by_number, &number, sizeof number, number, l);
	return l;
}

struct listener *
listener_by_number(const struct listeners *ls, uint32_t number)
{
	struct listener *l = find_listener(ls, number);

	return l != NULL && l->state == LISTENER_ACTIVE ? l : NULL;
}

bool
listeners_have(const struct listeners *ls, uint32_t number)
{
	return find_listener(ls, number) != NULL;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

bool
listener_allows(const struct listener *l, const uint8_t *key)
{
	return l->allow_len == 0 || bsearch(key, l->allow, l->allow_len,
					sizeof *l->allow, compare_keys) != NULL;
}

static int
copy_allowed(struct listener *l, const struct peers_listen *spec)
{
	if (spec->allow_len == 0)
		return 0;
	l->allow = calloc(spec->allow_len, sizeof *l->allow);
	if (l->allow == NULL)
		return ERR_MEMORY;
	memcpy(l->allow, spec->allow, spec->allow_len * sizeof *l->allow);
	l->allow_len = spec->allow_len;
	qsort(l->allow, l->allow_len, sizeof *l->allow, compare_keys);
	return 0;
}

static int
start_listener(struct listener *l, const struct peers_listen *spec)
{
	struct announcer_sink sink = {on_announced, on_withdrawn, l};
	struct records *r = l->ls->peers->base.records;
	int err = copy_allowed(l, spec);

	l->slots = slot_scope_new(&l->ls->peers->core->hash_key);
	if (err == 0 && l->slots == NULL)
		err = ERR_MEMORY;
	if (err == 0)
		err = records_pin(r, l->keys->public_key, l);
	if (err != 0)
		return err;
	err = announcer_add(l->ls->announcer, l->keys, sink, &l->announced);
	if (err != 0)
		records_unpin(r, l->keys->public_key);
	return err;
}

int
peers_listen(struct peers *p, const struct peers_listen *spec, uint32_t *number)
{
	struct listeners *ls = p->listeners;
	struct listener *l;
	int err;

	if (HASH_COUNT(ls->by_number) >= p->core->limits->listeners)
		return ERR_LIMIT;
	if ((l = calloc(1, sizeof *l)) == NULL)
		return ERR_MEMORY;
	l->ls = ls;
	l->keys = spec->keys;
	l->ask = spec->ask;
	l->relays = spec->relays;
	l->limits = spec->limits;
	l->names_relay = spec->relay_through != NULL;
	if (l->names_relay)
		memcpy(l->relay_key, spec->relay_through, KEY_LEN);
	l->events.take = take_event;
	l->number = spec->number != 0 ? spec->number : peers_new_number(p);
	l->began_us = p->core->world->now_us;
	HASH_ADD_BYHASHVALUE(
	    hh, ls->by_number, number, sizeof l->number, l->number, l);
	err = l->hh.tbl != NULL ? start_listener(l, spec) : ERR_MEMORY;
	if (err != 0) {
		if (l->hh.tbl != NULL)
			HASH_DELETE(hh, ls->by_number, l);
		slot_scope_release(l->slots);
		free(l->allow);
		free(l);
		return err;
	}
	update_readiness(ls);
	*number = l->number;
	return 0;
}

static void
end_listener(struct listener *l)
{
	sessions_close_offers(l->ls, l->number);
	listener_set_state(l, LISTENER_ENDING);
	l->changed = false;
	records_unpin(l->ls->peers->base.records, l->keys->public_key);
	announcer_del(l->announced);
}

void
peers_unlisten(struct peers *p, uint32_t number)
{
	struct listener *l = listener_by_number(p->listeners, number);

	if (l != NULL)
		end_listener(l);
}

void
peers_unlisten_all(struct peers *p)
{
	struct listener *l = p->listeners->by_number;

	for (; l != NULL; l = l->hh.next)
		if (l->state == LISTENER_ACTIVE)
			end_listener(l);
}

uint32_t
peers_listeners(const struct peers *p)
{
	return HASH_COUNT(p->listeners->by_number);
}

void
peers_renew(struct peers *p)
{
	announcer_renew(p->listeners->announcer);
}

size_t
peers_relays(const struct peers *p, const uint8_t key[KEY_LEN],
    struct addr out[PEERS_RELAYS_MAX])
{
	uint8_t target[HASH_LEN];
	const struct listener *l;

	static_assert(
	    (int)PEERS_RELAYS_MAX == (int)RELAYS_MAX, "all relays of a key");
	key_target(target, key);
	l = records_pinned(p->base.records, target);
	return l != NULL ? announced_addresses(l->announced, out) : 0;
}

void
peers_repace(struct peers *p)
{
	announcer_interval_changed(p->listeners->announcer);
	conns_repace(p);
}

int
peers_call(struct peers *p, const struct router_call *call)
{
	(void)p;
	return call->ticket.command == CMD_PEER_HANDSHAKE
		   ? session_serve(call->server, call)
		   : session_punch(call->server, call);
}

void
peers_answer(struct peers *p, uint32_t number, bool accept)
{
	struct conn *c = peers_conn(p, number);

	if (c != NULL)
		session_decide(p->listeners, c, accept);
}

static const struct listener *
next_in_list(const struct listeners *ls, uint32_t after)
{
	const struct listener *l = find_listener(ls, after);

	if (l != NULL)
		return l->hh.next;
	l = ls->by_number;
	while (l != NULL && l->number <= after)
		l = l->hh.next;
	return l;
}

bool
peers_listener_after(
    const struct peers *p, uint32_t after, struct peers_listener *out)
{
	const struct listener *l = next_in_list(p->listeners, after);

	while (l != NULL && (l->state != LISTENER_ACTIVE || l->relays))
		l = l->hh.next;
	if (l == NULL)
		return false;
	*out = (struct peers_listener){
	    .number = l->number,
	    .key = l->keys->public_key,
	    .relays_len = announced_relays(l->announced)->len,
	    .accepted = l->accepted,
	    .refused = l->refused,
	    .conns_len = slot_scope_len(l->slots),
	    .age_us = p->core->world->now_us - l->began_us,
	};
	return true;
}
