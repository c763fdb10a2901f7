/* SPDX-License-Identifier: ISC */
#include "peer/peer.h"

#include <stdlib.h>

#include "base/err.h"
#include "peer/conn_migrate.h"
#include "peer/conn_struct.h"
#include "peer/listener.h"
#include "peer/listener_struct.h"
#include "peer/peers_struct.h"

static void
set_frame_limits(struct peers *p)
{
	p->frames.max = p->core->limits->frame_bytes;
	p->frames.prefix_max = p->core->limits->frame_prefix_bytes;
}

struct peers *
peers_new(const struct core *core, const struct peers_base *b)
{
	struct peers *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->core = core;
	p->base = *b;
	p->ipv6.sock = WORLD_NO_SOCK;
	key_index_init(&p->by_key, &core->hash_key);
	TAILQ_INIT(&p->events);
	TAILQ_INIT(&p->lingering);
	followed_relays_init(&p->followed);
	relay_finder_init(&p->finder, p);
	relay_service_init(&p->relaying, core);
	p->core->world->ops->random(
	    p->core->world, p->migrate_secret, sizeof p->migrate_secret);
	frame_budget_init(&p->frames, core->limits->frame_bytes);
	set_frame_limits(p);
	relay_memory_init(
	    &p->relays, core->limits->remembered, &core->hash_key);
	p->slots = slot_scope_new(&core->hash_key);
	p->listeners = listeners_new(p);
	if (p->slots == NULL || p->listeners == NULL ||
	    dial_records_init(&p->dial_records, core->limits->attempts) != 0) {
		peers_free(p);
		return NULL;
	}
	return p;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	relay_finder_fini(&p->finder);
	while (p->conns != NULL)
		conn_close(p->conns);
	relay_service_fini(p);
	listeners_free(p->listeners);
	slot_scope_release(p->slots);
	lingering_sockets_fini(p);
	ipv6_socket_close(p);
	relay_memory_fini(&p->relays);
	dial_records_fini(&p->dial_records);
	free(p);
}

void
peers_limits_changed(struct peers *p)
{
	const struct limits *l = p->core->limits;

	set_frame_limits(p);
	relay_memory_set_max(&p->relays, l->remembered);
	dial_records_set_max(&p->dial_records, l->attempts);
	sessions_limits_changed(p->listeners);
}

void
peers_leave(struct peers *p)
{
	peers_relay_stop(p);
	peers_unlisten_all(p);
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->purpose == CONN_FOR_RELAY && c->relay.control.user != 0)
			continue; /* ends after its user */
		else if (conn_is_open(c))
			conn_end(c);
		else
			conn_fail(c, ERR_CLOSED);
}

/* ---- the network of this machine ---- */

void
peers_moved(struct peers *p)
{
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		conn_migrate_suspect(c);
	relay_finder_renew(&p->finder);
}

void
peers_local_changed(struct peers *p)
{
	if (ipv6_socket_open(p))
		peers_moved(p);
}

bool
peers_has_socket(const struct peers *p, int sock)
{
	return dht_has_socket(p->base.dht, sock) ||
	       (sock == p->ipv6.sock && sock != WORLD_NO_SOCK);
}

void
peers_describe(const struct peers *p, struct payload *out)
{
	local_addrs_describe(p->base.local, p->base.dht, out);
	if (p->ipv6.sock != WORLD_NO_SOCK)
		local_addrs_describe6(p->base.local, p->ipv6.port, out);
}

uint64_t
peers_after_ms(const struct peers *p, uint32_t ms)
{
	return p->core->world->now_us + ms * UINT64_C(1000);
}

struct relay_finder *
peers_finder(struct peers *p)
{
	return &p->finder;
}

/* ---- numbers and events ---- */

uint32_t
peers_new_number(struct peers *p)
{
	/* The counter may wrap while an old number is still in use. */
	do
		p->last_number++;
	while (p->last_number == 0 || peers_conn(p, p->last_number) != NULL ||
	       listeners_have(p->listeners, p->last_number));
	return p->last_number;
}

uint32_t
peers_reserve_number(struct peers *p)
{
	return peers_new_number(p);
}

bool
peers_poll(struct peers *p, struct peer_event *out)
{
	struct udx_stream *stream;
	unsigned events;

	while ((stream = udx_poll(p->base.udx, &events)) != NULL)
		if (udx_is_relay(stream))
			relay_service_on_events(p, stream, events);
		else
			conn_on_udx_events(udx_owner(stream), events);
	return event_source_poll(&p->events, out);
}

const struct dial_record *
peers_dial_record(const struct peers *p, const uint8_t *key, uint32_t before)
{
	return dial_records_before(&p->dial_records, key, before);
}
