/* SPDX-License-Identifier: ISC */
#include "peer/conn.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"
#include "udx/udx_trace.h"

/* Keep-alive interval of the secret stream while the lifetime of our NAT's
 * mappings is unknown: that of the reference, protocol 03 §7.4. */
enum { KEEPALIVE_S = 5 };

/* Pending events, in the order in which they are reported. */
enum conn_event {
	CONN_EV_OFFER = 1,
	CONN_EV_OPEN = 2,
	CONN_EV_MOVED = 4,
	CONN_EV_READY = 8,
	CONN_EV_CLOSED = 16,
};

/* ---- state and events ---- */

/* The only place that changes the state. */
static void
conn_set_state(struct conn *c, enum conn_state state)
{
	bool was_open = conn_is_open(c);

	assert(state > c->state);
	c->state = state;
	if (state == CONN_CLOSED)
		conn_slot_leave(c);
	/* Sockets for punching are kept ready while a connection is open. */
	if (!was_open && conn_is_open(c))
		punch_path_opened(c->peers->base.punch);
	else if (was_open && !conn_is_open(c))
		punch_path_closed(c->peers->base.punch);
}

void
conn_queue(struct conn *c)
{
	event_source_queue(&c->peers->events, &c->events);
}

static void
queue_event(struct conn *c, enum conn_event event)
{
	if (!conn_is_hidden(c))
		c->events_pending |= event;
	conn_queue(c);
}

void
conn_report_move(struct conn *c)
{
	/* PEER_OPEN, if it is pending, reports the new path itself. */
	if (conn_is_open(c) && (c->events_pending & CONN_EV_OPEN) == 0)
		queue_event(c, CONN_EV_MOVED);
}

static enum peer_event_kind
take_first_event(struct conn *c)
{
	static const struct {
		enum conn_event bit;
		enum peer_event_kind kind;
	} order[] = {
	    {CONN_EV_OFFER, PEER_OFFER},
	    {CONN_EV_OPEN, PEER_OPEN},
	    {CONN_EV_MOVED, PEER_MOVED},
	    {CONN_EV_READY, PEER_READY},
	    {CONN_EV_CLOSED, PEER_CLOSED},
	};
	unsigned i = 0;

	while ((c->events_pending & order[i].bit) == 0)
		i++;
	c->events_pending &= ~(unsigned)order[i].bit;
	return order[i].kind;
}

static void conn_free(struct conn *c);
static void verify_header(struct conn *c);

/* Takes one event of a connection: event_source.h. */
static bool
take_event(struct event_source *source, struct peer_event *out)
{
	struct conn *c = container_of(source, struct conn, events);

	if (c->state == CONN_PROVING)
		verify_header(c);
	if (c->purpose == CONN_FOR_RELAY)
		relay_control_run(c);
	else if (c->purpose == CONN_OF_RELAY_CLIENT)
		relay_service_run(c);
	else
		conn_relay_poll(c);
	if (c->events_pending == 0) {
		/* Not visible to the application: freed without an event. */
		if (c->state == CONN_CLOSED)
			conn_free(c);
		return false;
	}
	*out = (struct peer_event){
	    .kind = take_first_event(c),
	    .number = c->number,
	    .listener = c->listener,
	    .err = c->err,
	    .addr = conn_remote(c),
	    .path = conn_path_kind(c),
	};
	if (out->kind == PEER_OFFER)
		out->addr = c->offered_addr;
	memcpy(out->key, c->key, KEY_LEN);
	if (out->kind == PEER_CLOSED)
		conn_free(c);
	else if (c->events_pending != 0)
		conn_queue(c);
	return true;
}

/* ---- life ---- */

void
conn_record(struct conn *c, const struct dial_step *step)
{
	struct peers *p = c->peers;

	dial_records_note(
	    &p->dial_records, c->dial_record, step, p->core->world->now_us);
}

static bool
init_conn(struct conn *c, const struct conn_spec *spec, int *err)
{
	struct peers *p = c->peers;

	c->udx = udx_stream_new(p->base.udx, c, err);
	if (c->udx == NULL)
		return false;
	c->events.take = take_event;
	c->number = peers_new_number(p);
	c->listener = spec->listener;
	c->visible =
	    spec->listener == 0 && spec->purpose == CONN_FOR_APPLICATION;
	c->purpose = spec->purpose;
	c->own = spec->own;
	memcpy(c->key, spec->key, KEY_LEN);
	memcpy(c->own_key, spec->own_key, KEY_LEN);
	c->settled = spec->settled;
	c->owner = spec->owner;
	c->began_us = p->core->world->now_us;
	conn_punch_init(c);
	conn_paths_init(c);
	conn_migrate_init(c);
	conn_redial_init(c);
	conn_relay_init(c);
	conn_slot_init(c);
	if ((*err = key_index_add(&p->by_key, c)) == 0) {
		HASH_ADD_BYHASHVALUE(
		    hh, p->conns, number, sizeof c->number, c->number, c);
		*err = c->hh.tbl != NULL ? 0 : ERR_MEMORY;
	}
	if (*err != 0) {
		key_index_remove(&p->by_key, c);
		udx_stream_free(c->udx);
	} else if (spec->listener == 0)
		c->dial_record = dial_records_begin(
		    &p->dial_records, c->key, c->number, c->began_us);
	return *err == 0;
}

struct conn *
conn_new(struct peers *p, const struct conn_spec *spec, int *err)
{
	struct conn *c;

	*err = ERR_LIMIT;
	if ((spec->listener == 0 || spec->purpose == CONN_FOR_REDIAL) &&
	    !conn_slot_for_dial(p))
		return NULL;
	*err = ERR_MEMORY;
	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	c->peers = p;
	if (!init_conn(c, spec, err)) {
		free(c);
		return NULL;
	}
	return c;
}

/* Frees the streams, the timers and whatever else may call back. */
static void
free_streams(struct conn *c)
{
	conn_paths_fini(c);
	conn_ipv6_fini(c);
	conn_migrate_fini(c);
	conn_redial_fini(c);
	conn_relay_fini(c);
	relay_service_leave(c);
	secret_free(c->secret);
	c->secret = NULL;
	if (c->udx != NULL)
		udx_stream_free(c->udx);
	c->udx = NULL;
	conn_punch_fini(c);
}

static void
conn_free(struct conn *c)
{
	if (c->state != CONN_CLOSED)
		conn_set_state(c, CONN_CLOSED);
	free_streams(c);
	event_source_remove(&c->peers->events, &c->events);
	key_index_remove(&c->peers->by_key, c);
	HASH_DELETE(hh, c->peers->conns, c);
	free(c);
}

/* Notifies the owner, once, whether the connection has opened or failed. */
static void
notify_owner(struct conn *c, int err)
{
	void (*settled)(void *owner, struct conn *c, int err) = c->settled;

	if (c->state < CONN_OPEN)
		conn_record(c,
		    &(struct dial_step){.kind = DIAL_STEP_FAILED, .err = err});
	c->settled = NULL;
	if (settled != NULL)
		settled(c->owner, c, err);
}

void
conn_disown(struct conn *c)
{
	c->settled = NULL;
}

void
conn_fail(struct conn *c, int err)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->purpose == CONN_FOR_REDIAL && !conn_is_open(c))
		conn_redial_failed(c, err);
	notify_owner(c, err);
	conn_set_state(c, CONN_CLOSED);
	c->err = err;
	free_streams(c);
	c->events_pending = c->visible ? CONN_EV_CLOSED : 0;
	conn_queue(c);
}

void
conn_close(struct conn *c)
{
	notify_owner(c, ERR_CANCELLED);
	conn_free(c);
}

void
conn_offer(struct conn *c, const struct addr *addr)
{
	c->offered_addr = *addr;
	c->visible = true;
	queue_event(c, CONN_EV_OFFER);
}

/* ---- from the handshake to the verified header ---- */

/*
 * Sets the keep-alive interval. A peer that has ended its side sends no
 * keep-alives any more: the mapping of its NAT, whose lifetime we do not know,
 * then depends on its acknowledgements of ours.
 */
static void
set_keepalive(struct conn *c)
{
	uint64_t us = mapping_keep_us(dht_mapping(c->peers->base.dht),
	    KEEPALIVE_S,
	    c->state >= CONN_REMOTE_ENDED ? KEEPALIVE_S : MAPPING_KEEP_HEARD_S);

	/* Detects the loss of a relay soon, protocol 06 §C.3. */
	if (c->purpose == CONN_FOR_RELAY || c->purpose == CONN_OF_RELAY_CLIENT)
		us = KEEPALIVE_S * UINT64_C(1000000);
	secret_set_keepalive(c->secret, (uint32_t)(us / 1000));
}

static void
check_remote_end(struct conn *c)
{
	if (c->state != CONN_OPEN || !secret_ended(c->secret))
		return;
	conn_set_state(c, CONN_REMOTE_ENDED);
	set_keepalive(c);
}

void
conns_repace(struct peers *p)
{
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->secret != NULL)
			set_keepalive(c);
}

static int
start_secret(struct conn *c, const struct noise_secrets *s, bool initiator)
{
	struct secret_keys keys = {.initiator = initiator};
	const struct core *core = c->peers->core;
	int err = ERR_MEMORY;

	memcpy(keys.tx, s->tx, sizeof keys.tx);
	memcpy(keys.rx, s->rx, sizeof keys.rx);
	memcpy(keys.hash, s->hash, sizeof keys.hash);
	c->secret = secret_new(core->world, core->timers, c->udx, &keys);
	sodium_memzero(&keys, sizeof keys);
	if (c->secret != NULL) {
		secret_set_budget(c->secret, &c->peers->frames);
		err = secret_start(c->secret);
	}
	if (err == 0)
		set_keepalive(c);
	return err;
}

int
conn_complete_handshake(struct conn *c, const struct noise_secrets *s,
    bool initiator, uint32_t peer_udx_id)
{
	struct udx_status st;
	int err;

	if (c->state != CONN_NEW)
		return ERR_EXISTS;
	udx_status(c->udx, &st);
	if (st.closed)
		return ERR_RESET;
	if ((err = start_secret(c, s, initiator)) != 0)
		return err;
	conn_set_state(c, CONN_PROVING);
	conn_paths_begin(c);
	c->initiator = initiator;
	c->peer_udx_id = peer_udx_id;
	/* Packets of the peer may have arrived before the answer to our
	 * handshake. They are processed in the next peers_poll(), because the
	 * caller still works on this connection. */
	conn_add_source(c);
	conn_queue(c);
	return 0;
}

void
conn_confirm_path(struct conn *c)
{
	conn_relay_settle(c);
	conn_punch_settle(c);
	notify_owner(c, 0);
}

/* Continues hole punching while the stream is relayed. The dial is complete;
 * the server's session remains, as it forwards the client's messages. */
static void
begin_upgrade(struct conn *c)
{
	if (c->initiator)
		notify_owner(c, 0);
}

static void
open_conn(struct conn *c)
{
	conn_paths_settle(c);
	conn_set_state(c, CONN_OPEN);
	c->visible = !conn_is_hidden(c);
	c->peers->core->stats->conns_opened += !conn_is_hidden(c);
	conn_record_path(c, DIAL_STEP_OPEN, &c->paths.list[c->paths.current]);
	conn_ipv6_settle(c);
	conn_slot_opened(c);
	/* Messages may have been received before the header. */
	conn_migrate_messages(c);
	queue_event(c, CONN_EV_OPEN);
	queue_event(c, CONN_EV_READY);
	/* A server that receives its client's packets does not know yet
	 * whether the client receives its own. */
	if (conn_relay_is_punching(c))
		begin_upgrade(c);
	else if (c->initiator || c->punch.puncher == NULL ||
		 conn_relay_is_used(c))
		conn_confirm_path(c);
	if (c->purpose == CONN_FOR_REDIAL)
		conn_redial_opened(c);
}

/* Reads until the peer's header is complete, and opens the connection. */
static void
verify_header(struct conn *c)
{
	int err = 0;

	secret_peek(c->secret, NULL, &err);
	if (err != 0) {
		conn_fail(c, err);
		return;
	}
	/* The header may have been received on a socket that this connection
	 * may not use: then there is no path to the peer yet. */
	if (secret_opened(c->secret) && conn_has_path(c))
		open_conn(c);
}

/* Closes a connection that both sides have ended, once all is read. */
static void
check_drained(struct conn *c)
{
	if (c->state == CONN_DRAINING && secret_ended(c->secret))
		conn_fail(c, 0);
}

static void
on_udx_closed(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	if (st.err != 0 || !conn_is_open(c)) {
		conn_fail(c, st.err != 0 ? st.err : ERR_RESET);
		return;
	}
	if (c->state < CONN_DRAINING)
		conn_set_state(c, CONN_DRAINING);
	queue_event(c, CONN_EV_READY);
	check_drained(c);
}

void
conn_on_udx_events(struct conn *c, unsigned events)
{
	if (events & UDX_EV_SOURCE) {
		conn_add_source(c);
		conn_ipv6_source(c);
		conn_relay_check_source(c);
	}
	if (events & UDX_EV_READABLE && c->state == CONN_PROVING)
		verify_header(c);
	if (events & UDX_EV_READABLE)
		check_remote_end(c);
	if (events & UDX_EV_MESSAGE)
		conn_migrate_messages(c);
	if (events & UDX_EV_STALLED)
		conn_migrate_stalled(c);
	if (events & UDX_EV_DRAINED)
		conn_paths_drained(c);
	if (conn_is_open(c) && c->punch.puncher != NULL && conn_is_two_way(c) &&
	    !conn_relay_seeks_path(c))
		conn_confirm_path(c);
	if (events & (UDX_EV_READABLE | UDX_EV_WRITABLE) && conn_is_open(c))
		queue_event(c, CONN_EV_READY);
	/* Last: it may free the streams. */
	if (events & UDX_EV_CLOSED && c->state != CONN_CLOSED)
		on_udx_closed(c);
}

/* ---- for the application ---- */

struct bytes
conn_peek(struct conn *c)
{
	struct bytes b;
	int err = 0;

	if (!conn_is_open(c))
		return (struct bytes){0};
	conn_slot_claim(c);
	b = secret_peek(c->secret, NULL, &err);
	if (err != 0) {
		conn_fail(c, err);
		return (struct bytes){0};
	}
	/* The unread bytes may have been empty frames only. */
	if (b.p == NULL)
		check_drained(c);
	return b;
}

void
conn_consume(struct conn *c, size_t len)
{
	if (!conn_is_open(c) || len == 0)
		return;
	conn_slot_moved(c);
	secret_consume(c->secret, len);
	check_remote_end(c);
	check_drained(c);
}

bool
conn_ended(const struct conn *c)
{
	return conn_is_open(c) && secret_ended(c->secret);
}

size_t
conn_write_space(const struct conn *c)
{
	return conn_is_open(c) ? secret_space(c->secret) : 0;
}

ptrdiff_t
conn_write(struct conn *c, const void *p, size_t len)
{
	ptrdiff_t n;

	if (!conn_is_open(c))
		return ERR_CLOSED;
	conn_slot_claim(c);
	n = secret_write(c->secret, p, len);
	if (n > 0)
		conn_slot_moved(c);
	return n;
}

uint64_t
conn_unacked(const struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	return st.closed ? 0 : st.waiting;
}

void
conn_send_empty(struct conn *c)
{
	if (conn_is_open(c))
		secret_send_empty(c->secret);
}

bool
conn_has_exchanged(const struct conn *c)
{
	const uint64_t header_len = FRAME_LENGTH_LEN + HEADER_LEN;
	struct udx_status st;

	if (!conn_is_open(c))
		return false;
	udx_status(c->udx, &st);
	return st.bytes_out > header_len && st.bytes_in > header_len;
}

void
conn_end(struct conn *c)
{
	if (!conn_is_open(c))
		return;
	secret_end(c->secret);
	conn_migrate_watch_peer(c);
}

/* ---- status ---- */

uint32_t
conn_number(const struct conn *c)
{
	return c->number;
}

uint32_t
conn_udx_id(const struct conn *c)
{
	return udx_id(c->udx);
}

void
conn_status(const struct conn *c, struct conn_status *out)
{
	*out = (struct conn_status){
	    .number = c->number,
	    .listener = c->listener,
	    .key = c->key,
	    .own_key = c->own_key,
	    .open = conn_is_open(c),
	    .remote = conn_remote(c),
	    .age_us = c->peers->core->world->now_us - c->began_us,
	};
	if (c->paths.len > 0)
		out->path = c->paths.list[c->paths.current].kind;
	if (c->udx != NULL)
		udx_status(c->udx, &out->udx);
}

struct udx_trace *
conn_trace(struct conn *c, int *err)
{
	*err = ERR_CLOSED;
	return c->udx != NULL ? udx_trace_start(c->udx, err) : NULL;
}

bool
conn_is_redial(const struct conn *c)
{
	return c->purpose == CONN_FOR_REDIAL;
}

void
conn_set_features(struct conn *c, uint64_t features)
{
	c->peer_features =
	    (uint8_t)(features & (PAYLOAD_NATIVE | PAYLOAD_REUSABLE));
}

static bool
is_reusable(const struct conn *c)
{
	return conn_is_open(c) && (c->peer_features & PAYLOAD_REUSABLE) != 0 &&
	       !conn_is_hidden(c) && !conn_ipv6_is_current(c) &&
	       !conn_relay_is_used(c);
}

struct conn *
conn_to_reuse(const struct peers *p, const uint8_t *key)
{
	struct conn *c = key_index_first(&p->by_key, key);

	while (c != NULL && !is_reusable(c))
		c = TAILQ_NEXT(c, same_key);
	return c;
}

struct conn *
peers_conn(const struct peers *p, uint32_t number)
{
	struct conn *c;

	HASH_FIND_BYHASHVALUE(hh, p->conns, &number, sizeof number, number, c);
	return c;
}

/* Returns the connection that follows the one of that number in the list: if it
 * is gone, the first one with a higher number. */
static struct conn *
next_in_list(const struct peers *p, uint32_t after)
{
	struct conn *c = after != 0 ? peers_conn(p, after) : NULL;

	if (c != NULL)
		return c->hh.next;
	c = p->conns;
	while (c != NULL && c->number <= after)
		c = c->hh.next;
	return c;
}

struct conn *
peers_conn_after(const struct peers *p, uint32_t after)
{
	struct conn *c = next_in_list(p, after);

	while (c != NULL && conn_is_hidden(c))
		c = c->hh.next;
	return c;
}
