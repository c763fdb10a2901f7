/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/burst.h"
#include "udx/scheduler.h"
#include "udx/stream.h"
#include "udx/udx_message.h"

static struct queued_message *
message_new(struct udx *u, const void *p, size_t len)
{
	struct queued_message *m = NULL;

	if (udx_buffered(u) < u->core->limits->stream_memory_bytes)
		m = malloc(sizeof *m + len);
	if (m == NULL)
		return NULL;
	*m = (struct queued_message){.len = (uint16_t)len};
	if (len > 0)
		memcpy(m->bytes, p, len);
	u->chunks.held += sizeof *m + len;
	return m;
}

static void
message_free(struct udx *u, struct queued_message *m)
{
	if (m == NULL)
		return;
	u->chunks.held -= sizeof *m + m->len;
	free(m);
}

static void
free_queue(struct udx *u, struct message_list *q)
{
	struct queued_message *m;

	while ((m = STAILQ_FIRST(q)) != NULL) {
		STAILQ_REMOVE_HEAD(q, link);
		message_free(u, m);
	}
}

void
message_queues_init(struct message_queues *q)
{
	*q = (struct message_queues){0};
	STAILQ_INIT(&q->in);
	STAILQ_INIT(&q->out);
}

void
message_queues_fini(struct udx_stream *s)
{
	free_queue(s->udx, &s->messages.in);
	free_queue(s->udx, &s->messages.out);
	message_free(s->udx, s->messages.lent);
	s->messages.lent = NULL;
}

/* ---- out ---- */

int
udx_send_message(struct udx_stream *s, const void *p, size_t len)
{
	struct message_queues *q = &s->messages;
	struct queued_message *m;

	if (stream_is_closed(s))
		return ERR_CLOSED;
	if (len > stream_payload_max(s))
		return ERR_TOO_BIG;
	if (q->out_len == UDX_MESSAGES_MAX)
		return ERR_FULL;
	m = message_new(s->udx, p, len);
	if (m == NULL)
		return ERR_MEMORY;
	STAILQ_INSERT_TAIL(&q->out, m, link);
	q->out_len++;
	if (stream_path_is_set(&s->path))
		scheduler_add(s);
	return 0;
}

bool
message_flush(struct udx_stream *s, struct burst *b)
{
	struct message_queues *q = &s->messages;
	struct queued_message *m;
	uint8_t *out;
	size_t size;

	while ((m = STAILQ_FIRST(&q->out)) != NULL) {
		size = PACKET_HEADER + (size_t)m->len;
		out = burst_reserve(b, size, 1);
		if (out == NULL)
			return false;
		burst_header(
		    s, out, PACKET_MESSAGE, 0, s->loss.in_flight.nxt, size);
		memcpy(out + PACKET_HEADER, m->bytes, m->len);
		STAILQ_REMOVE_HEAD(&q->out, link);
		q->out_len--;
		message_free(s->udx, m);
	}
	return true;
}

/* ---- in ---- */

void
message_receive(struct udx_stream *s, const struct packet *p,
    const struct dgram *dg, bool validated)
{
	/* Unvalidated sources must not crowd out the peer. */
	uint16_t max =
	    validated ? UDX_MESSAGES_MAX : UDX_UNVALIDATED_MESSAGES_MAX;
	struct message_queues *q = &s->messages;
	struct queued_message *m = NULL;

	if (q->in_len < max)
		m = message_new(s->udx, p->payload.p, p->payload.len);
	if (m == NULL) {
		s->udx->core->stats->messages_dropped++;
		return;
	}
	m->from = dg->from;
	m->sock = dg->sock;
	m->validated = validated;
	STAILQ_INSERT_TAIL(&q->in, m, link);
	q->in_len++;
	stream_notify(s, UDX_EV_MESSAGE);
}

bool
udx_next_message(struct udx_stream *s, struct udx_message *out)
{
	struct message_queues *q = &s->messages;
	struct queued_message *m = STAILQ_FIRST(&q->in);

	message_free(s->udx, q->lent);
	q->lent = m;
	if (m == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&q->in, link);
	q->in_len--;
	*out = (struct udx_message){
	    .payload = {m->bytes, m->len},
	    .from = m->from,
	    .sock = m->sock,
	    .validated = m->validated,
	};
	return true;
}
