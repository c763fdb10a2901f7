/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/closing.h"
#include "udx/stream.h"
#include "udx/udx_relay.h"

enum { ID_OFFSET = 4 }; /* in the header */

void
udx_relay(struct udx_stream *a, struct udx_stream *b)
{
	a->relay = calloc(1, sizeof *a->relay);
	b->relay = calloc(1, sizeof *b->relay);
	if (a->relay == NULL || b->relay == NULL) {
		stream_close(a, ERR_MEMORY);
		stream_close(b, ERR_MEMORY);
		return;
	}
	STAILQ_INIT(&a->relay->early);
	STAILQ_INIT(&b->relay->early);
	a->relay->partner = b;
	b->relay->partner = a;
}

bool
udx_is_relay(const struct udx_stream *s)
{
	return s->relay != NULL;
}

void
udx_relay_bind(struct udx_stream *s, const struct addr *host)
{
	s->relay->bound = true;
	s->relay->host = addr_host_key(host);
}

void
udx_relay_set_meter(struct udx_stream *s, struct udx_meter *m)
{
	s->relay->meter = m;
}

/* ---- forwarding ---- */

/* Returns the bytes that IP and UDP headers add, protocol 05 §1. */
static size_t
header_bytes(const struct addr *to)
{
	return to->family == ADDR_V6 ? 48 : 28;
}

/* Sends a datagram on the path of a stream, with only the id rewritten. */
static void
forward_packet(struct udx_stream *to, const uint8_t *buf, size_t len)
{
	struct udx *u = to->udx;
	struct dgram_meta meta = {
	    .sock = to->path.current.sock, .to = to->path.current.to};
	uint8_t *out = u->core->world->ops->reserve(u->core->world, &meta, len);
	struct wr id;

	if (out == NULL) {
		u->core->stats->tx_refused++;
		return;
	}
	memcpy(out, buf, len);
	id = wr_init(out + ID_OFFSET, sizeof to->path.current.id);
	wr_le32(&id, to->path.current.id);
	if (u->core->world->ops->commit(u->core->world, len) != 0) {
		u->core->stats->tx_refused++;
		return;
	}
	to->count.packets_out++;
	to->count.bytes_out += len;
	u->core->stats->tx_datagrams++;
	u->core->stats->tx_bytes += len;
	u->core->stats->packets_relayed++;
	u->core->stats->relayed_bytes += len + header_bytes(&meta.to);
}

/*
 * Keeps a packet until the partner is connected. Were it dropped, its sender
 * would retransmit it only after its timeout of a second.
 */
static void
keep_early(struct relay_half *r, const struct dgram *dg)
{
	struct early_packet *e;

	if (r->early_len == UDX_RELAY_EARLY_PACKETS_MAX)
		return;
	e = malloc(sizeof *e + dg->len);
	if (e == NULL)
		return;
	e->len = (uint16_t)dg->len;
	memcpy(e->bytes, dg->buf, dg->len);
	STAILQ_INSERT_TAIL(&r->early, e, link);
	r->early_len++;
}

static void
drop_early(struct relay_half *r)
{
	struct early_packet *e;

	while ((e = STAILQ_FIRST(&r->early)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->early, link);
		free(e);
	}
	r->early_len = 0;
}

void
relay_half_connected(struct udx_stream *s)
{
	struct udx_stream *from = s->relay != NULL ? s->relay->partner : NULL;
	const struct early_packet *e;

	if (from == NULL)
		return;
	STAILQ_FOREACH (e, &from->relay->early, link)
		forward_packet(s, e->bytes, e->len);
	drop_early(from->relay);
}

/* Notes the numbers that a DESTROY of our own would need. */
static void
note_numbers(struct relay_half *r, const struct packet *p)
{
	uint32_t next = p->seq;

	if (p->type & (PACKET_DATA | PACKET_END))
		next++;
	if (seq_diff(p->ack, r->seen_ack) > 0)
		r->seen_ack = p->ack;
	if (seq_diff(next, r->seen_seq) > 0)
		r->seen_seq = next;
}

/* Returns false if the packet may not be forwarded. */
static bool
is_admitted(const struct relay_half *r, const struct dgram *dg)
{
	const struct udx_path *next = &r->partner->path.current;
	size_t in = dg->len + header_bytes(&dg->from);
	size_t out = stream_path_is_set(&r->partner->path)
			 ? dg->len + header_bytes(&next->to)
			 : in;

	return r->meter == NULL || r->meter->admit(r->meter, in, out);
}

int
relay_half_recv(struct udx_stream *s, const struct dgram *dg)
{
	struct relay_half *r = s->relay;
	bool connected = stream_path_is_set(&s->path);
	bool own = connected && addr_equal(&dg->from, &s->path.current.to);
	struct packet p;

	if (r->bound && !own && addr_host_key(&dg->from) != r->host)
		return stats_drop(s->udx->core->stats, ERR_SPOOFED);
	/* Malformed packets are forwarded as well: the far end decides. */
	(void)packet_decode(&p, dg->buf, dg->len);
	if (!own) {
		stream_path_note_source(&s->path, dg, true);
		stream_notify(s, UDX_EV_SOURCE);
	}
	/* The far end trusts it as sent by its peer, so only that peer's
	 * address counts; a peer that has migrated does not send DESTROY from
	 * its new address. */
	if (p.type & PACKET_DESTROY && connected && !own)
		return stats_drop(s->udx->core->stats, ERR_SPOOFED);
	s->count.packets_in++;
	s->count.path_packets_in += own;
	s->count.bytes_in += dg->len;
	if (own || !connected)
		note_numbers(r, &p);
	/* A DESTROY ends what could cost more. */
	if (!(p.type & PACKET_DESTROY) && !is_admitted(r, dg)) {
		s->udx->core->stats->relayed_unpaid++;
		return 0;
	}
	if (!stream_path_is_set(&r->partner->path)) {
		keep_early(r, dg);
		return 0;
	}
	forward_packet(r->partner, dg->buf, dg->len);
	if (p.type & PACKET_DESTROY)
		stream_close(s, ERR_RESET);
	return 0;
}

/* ---- closing ---- */

/* Sends DESTROY to the stream's own peer, with the numbers of its partner. */
static void
destroy_peer(struct udx_stream *s, const struct udx_stream *partner)
{
	uint32_t seq = s->relay->seen_ack;

	if (!stream_path_is_set(&s->path))
		return;
	if (seq_diff(partner->relay->seen_seq, seq) > 0)
		seq = partner->relay->seen_seq;
	closing_add(s, CLOSING_DESTROYED, seq, s->relay->seen_seq);
}

void
relay_half_close(struct udx_stream *s, int err)
{
	struct udx_stream *partner = s->relay->partner;

	drop_early(s->relay);
	if (partner == NULL)
		return;
	if (err != ERR_RESET) {
		destroy_peer(s, partner);
		destroy_peer(partner, s);
	}
	s->relay->partner = NULL;
	partner->relay->partner = NULL;
	stream_close(partner, ERR_RESET);
}

void
relay_half_free(struct udx_stream *s)
{
	free(s->relay);
	s->relay = NULL;
}
