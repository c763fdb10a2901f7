/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

enum { ID_AT = 4 }; /* of the header */

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
	a->relay->partner = b;
	b->relay->partner = a;
}

/* ---- on the way ---- */

/* Leaves through another stream, only the id rewritten. */
static void
forward(struct udx_stream *to, const uint8_t *buf, size_t len)
{
	struct udx *u = to->udx;
	struct dgram_meta meta = {.sock = to->path.sock, .to = to->path.to};
	uint8_t *out = u->world->ops->reserve(u->world, &meta, len);
	struct wr id;

	if (out == NULL) {
		u->stats->tx_refused++;
		return;
	}
	memcpy(out, buf, len);
	id = wr_init(out + ID_AT, sizeof to->path.id);
	wr_le32(&id, to->path.id);
	if (u->world->ops->commit(u->world, len) != 0) {
		u->stats->tx_refused++;
		return;
	}
	to->packets_out++;
	to->bytes_out += len;
	u->stats->tx_datagrams++;
	u->stats->tx_bytes += len;
	u->stats->packets_relayed++;
}

/* The partner is not there yet: whoever speaks first would wait for 1 s. */
static void
keep(struct relay *r, const struct dgram *dg)
{
	struct early_packet *e;

	if (r->early_len == EARLY_RELAYED)
		return;
	e = malloc(sizeof *e + dg->len);
	if (e == NULL)
		return;
	e->len = (uint16_t)dg->len;
	memcpy(e->bytes, dg->buf, dg->len);
	r->early[r->early_len++] = e;
}

static void
drop_early(struct relay *r)
{
	while (r->early_len > 0)
		free(r->early[--r->early_len]);
}

void
relay_connected(struct udx_stream *s)
{
	struct udx_stream *from = s->relay != NULL ? s->relay->partner : NULL;

	if (from == NULL)
		return;
	for (int i = 0; i < from->relay->early_len; i++)
		forward(s, from->relay->early[i]->bytes,
		    from->relay->early[i]->len);
	drop_early(from->relay);
}

/* What a DESTROY of our own would have to say. */
static void
note(struct relay *r, const struct packet *p)
{
	uint32_t next = p->seq;

	if (p->type & (PACKET_DATA | PACKET_END))
		next++;
	if (seq_diff(p->ack, r->seen_ack) > 0)
		r->seen_ack = p->ack;
	if (seq_diff(next, r->seen_seq) > 0)
		r->seen_seq = next;
}

int
relay_recv(struct udx_stream *s, const struct dgram *dg)
{
	struct relay *r = s->relay;
	bool own = s->connected && addr_equal(&dg->from, &s->path.to);
	struct packet p;

	/* What does not decode passes, too: the far end judges. */
	(void)packet_decode(&p, dg->buf, dg->len);
	if (!own) {
		s->source = (struct udx_source){dg->from, dg->sock, true};
		s->has_source = true;
		udx_tell(s, UDX_EV_SOURCE);
	}
	/* The far end takes it from us for the peer's word, so that it must
	 * be; a peer that has moved does not end its stream this way. */
	if (p.type & PACKET_DESTROY && s->connected && !own)
		return stats_drop(s->udx->stats, ERR_SPOOFED);
	s->packets_in++;
	s->bytes_in += dg->len;
	if (own || !s->connected)
		note(r, &p);
	if (!r->partner->connected) {
		keep(r, dg);
		return 0;
	}
	forward(r->partner, dg->buf, dg->len);
	if (p.type & PACKET_DESTROY)
		stream_close(s, ERR_RESET);
	return 0;
}

/* ---- the end ---- */

/* Says to the stream's own peer that it is over, in its partner's words. */
static void
say_over(struct udx_stream *s, const struct udx_stream *partner)
{
	uint32_t seq = s->relay->seen_ack;

	if (!s->connected)
		return;
	if (seq_diff(partner->relay->seen_seq, seq) > 0)
		seq = partner->relay->seen_seq;
	linger_add(s, LINGER_DESTROYED, seq, s->relay->seen_seq);
}

void
relay_part(struct udx_stream *s, int err)
{
	struct udx_stream *partner = s->relay->partner;

	drop_early(s->relay);
	if (partner == NULL)
		return;
	if (err != ERR_RESET) {
		say_over(s, partner);
		say_over(partner, s);
	}
	s->relay->partner = NULL;
	partner->relay->partner = NULL;
	stream_close(partner, ERR_RESET);
}

void
relay_free(struct udx_stream *s)
{
	free(s->relay);
	s->relay = NULL;
}
