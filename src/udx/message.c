/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

/* Strangers may not crowd out what the peer says. */
enum { UNPROVEN_MAX = 8 };

static struct message *
message_new(struct udx *u, const void *p, size_t len)
{
	struct message *m = NULL;

	if (udx_buffered(u) < u->limits->stream_memory)
		m = malloc(sizeof *m + len);
	if (m == NULL)
		return NULL;
	*m = (struct message){.len = (uint16_t)len};
	if (len > 0)
		memcpy(m->bytes, p, len);
	u->stock.held += sizeof *m + len;
	return m;
}

static void
message_free(struct udx *u, struct message *m)
{
	if (m == NULL)
		return;
	u->stock.held -= sizeof *m + m->len;
	free(m);
}

static void
drop_all(struct udx *u, struct message_queue *q)
{
	struct message *m;

	while ((m = STAILQ_FIRST(q)) != NULL) {
		STAILQ_REMOVE_HEAD(q, link);
		message_free(u, m);
	}
}

void
messages_fini(struct udx_stream *s)
{
	drop_all(s->udx, &s->in_messages);
	drop_all(s->udx, &s->out_messages);
	message_free(s->udx, s->lent);
	s->lent = NULL;
}

/* ---- out ---- */

int
udx_send_message(struct udx_stream *s, const void *p, size_t len)
{
	struct message *m;

	if (s->closed)
		return ERR_CLOSED;
	if (len > max_payload(s))
		return ERR_TOO_BIG;
	if (s->out_messages_len == MESSAGES_MAX)
		return ERR_FULL;
	m = message_new(s->udx, p, len);
	if (m == NULL)
		return ERR_MEMORY;
	STAILQ_INSERT_TAIL(&s->out_messages, m, link);
	s->out_messages_len++;
	if (s->connected)
		turn_want(s);
	return 0;
}

bool
message_flush(struct udx_stream *s, struct burst *b)
{
	struct message *m;
	uint8_t *out;

	while ((m = STAILQ_FIRST(&s->out_messages)) != NULL) {
		out = burst_room(b, PACKET_HEADER + (size_t)m->len, 1);
		if (out == NULL)
			return false;
		burst_header(s, out, PACKET_MESSAGE, 0, s->flight.nxt);
		memcpy(out + PACKET_HEADER, m->bytes, m->len);
		STAILQ_REMOVE_HEAD(&s->out_messages, link);
		s->out_messages_len--;
		message_free(s->udx, m);
	}
	return true;
}

/* ---- in ---- */

void
message_in(struct udx_stream *s, const struct packet *p, const struct dgram *dg,
    bool proven)
{
	uint16_t max = proven ? MESSAGES_MAX : UNPROVEN_MAX;
	struct message *m = NULL;

	if (s->in_messages_len < max)
		m = message_new(s->udx, p->payload.p, p->payload.len);
	if (m == NULL) {
		s->udx->stats->messages_dropped++;
		return;
	}
	m->from = dg->from;
	m->sock = dg->sock;
	m->validated = proven;
	STAILQ_INSERT_TAIL(&s->in_messages, m, link);
	s->in_messages_len++;
	udx_tell(s, UDX_EV_MESSAGE);
}

bool
udx_next_message(struct udx_stream *s, struct udx_message *out)
{
	struct message *m = STAILQ_FIRST(&s->in_messages);

	message_free(s->udx, s->lent);
	s->lent = m;
	if (m == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&s->in_messages, link);
	s->in_messages_len--;
	*out = (struct udx_message){
	    .payload = {m->bytes, m->len},
	    .from = m->from,
	    .sock = m->sock,
	    .validated = m->validated,
	};
	return true;
}
