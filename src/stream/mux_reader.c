/* SPDX-License-Identifier: ISC */
/*
 * Reads messages one step at a time. A step ends with an event, with a reason
 * to wait (then it is repeated) or without a result. A batch is a list of
 * parts, each of them a message without its channel, and may contain batches.
 */
#include <assert.h>

#include "base/err.h"
#include "stream/mux.h"

enum {
	/* A step without a result; besides the results of mux_read(). */
	MUX_CONTINUE = MUX_WAIT + 1,
};

/* ---- queued messages ---- */

/* Copies a message for an offered channel, or the close of that channel. */
static int
enqueue_message(struct mux *m, struct mux_channel *c, bool close, uint64_t type,
    struct bytes body)
{
	int err = mux_queue_push(&m->queue, c->remote, close, type, body);

	if (err == ERR_FULL)
		return MUX_WAIT;
	return err != 0 ? err : MUX_CONTINUE;
}

static int
emit_message(const struct mux_channel *c, uint64_t type, struct bytes body,
    struct mux_event *ev)
{
	*ev = (struct mux_event){.kind = MUX_MESSAGE,
	    .channel = c->local,
	    .type = type,
	    .body = body};
	return MUX_EVENT;
}

static int
emit_closed(struct mux *m, struct mux_channel *c, struct mux_event *ev)
{
	*ev = (struct mux_event){.kind = MUX_CLOSED, .channel = c->local};
	mux_forget(m, c);
	return MUX_EVENT;
}

/* Reads the oldest queued message of a channel that was accepted since. */
static int
read_queue(struct mux *m, struct mux_event *ev)
{
	struct mux_channel *c = NULL;
	struct mux_queued *q;

	STAILQ_FOREACH (q, &m->queue.list, link) {
		c = mux_channel_by_remote(&m->channels, q->remote);
		if (c->state == MUX_OPEN)
			break;
	}
	m->queue.has_accepted = q != NULL;
	if (q == NULL)
		return MUX_CONTINUE;
	mux_queue_lend(&m->queue, q);
	if (q->close)
		return emit_closed(m, c, ev);
	return emit_message(c, q->type, (struct bytes){q->bytes, q->len}, ev);
}

/* ---- control ---- */

static int
add_offer(struct mux *m, uint32_t remote, const struct mux_name *name,
    struct bytes handshake, struct mux_event *ev)
{
	struct mux_channel *c;
	int err = mux_channel_new(&m->channels, name, MUX_OFFERED, &c);

	if (err == ERR_MEMORY)
		return err;
	if (err != 0) {
		mux_control(m, MUX_CONTROL_REJECT, remote);
		return MUX_CONTINUE;
	}
	c->remote = remote;
	*ev = (struct mux_event){.kind = MUX_OFFER,
	    .channel = remote,
	    .name = *name,
	    .body = handshake};
	return MUX_EVENT;
}

/* Handles the peer's open of a channel that we opened, and may have closed
 * since. */
static int
complete_open(struct mux *m, struct mux_channel *c, uint32_t remote,
    struct bytes handshake, struct mux_event *ev)
{
	if (c->state == MUX_CLOSING) {
		/* QUIRK: the reference ignores a close of a channel that it has
		 * not opened yet (protomux, _onclosesession), opens it later
		 * and would keep our id. Other peers ignore a second close. */
		mux_control(m, MUX_CONTROL_CLOSE, c->local);
		mux_forget(m, c);
		return MUX_CONTINUE;
	}
	c->state = MUX_OPEN;
	c->remote = remote;
	*ev = (struct mux_event){
	    .kind = MUX_OPENED, .channel = c->local, .body = handshake};
	return MUX_EVENT;
}

static int
read_open(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_name name;
	struct mux_channel *c;
	struct bytes handshake;

	name.protocol = rd_buffer(r, SIZE_MAX);
	name.id = rd_buffer(r, SIZE_MAX);
	handshake = (struct bytes){r->p, rd_left(r)};
	if (!rd_ok(r) || id == 0 ||
	    id > (uint64_t)m->channels.remote_highest + 1 || id > UINT32_MAX ||
	    mux_channel_by_remote(&m->channels, id) != NULL)
		return ERR_MALFORMED;
	if (id > m->channels.remote_highest)
		m->channels.remote_highest = (uint32_t)id;
	c = mux_channel_by_name(&m->channels, &name, MUX_OPENING, MUX_CLOSING);
	if (c != NULL)
		return complete_open(m, c, (uint32_t)id, handshake, ev);
	return add_offer(m, (uint32_t)id, &name, handshake, ev);
}

static int
read_reject(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_channel *c = mux_channel_by_local(&m->channels, id);

	if (!rd_ok(r) || c == NULL)
		return ERR_MALFORMED;
	if (c->state == MUX_OPENING)
		return emit_closed(m, c, ev);
	if (c->state != MUX_CLOSING)
		return ERR_MALFORMED;
	mux_forget(m, c);
	return MUX_CONTINUE;
}

static int
read_close(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_channel *c = mux_channel_by_remote(&m->channels, id);
	int result;

	if (!rd_ok(r))
		return ERR_MALFORMED;
	if (c == NULL || c->remote_closed)
		return MUX_CONTINUE;
	if (c->state == MUX_OPEN)
		return emit_closed(m, c, ev);
	result = enqueue_message(m, c, true, 0, (struct bytes){0});
	c->remote_closed = result == MUX_CONTINUE;
	return result;
}

static int
read_batch(struct mux *m, const uint8_t *start, struct rd *r)
{
	uint64_t channel = rd_uint(r);

	if (!rd_ok(r) || m->reader.depth == MUX_DEPTH_MAX)
		return ERR_MALFORMED;
	m->reader.batches[m->reader.depth++] = (struct mux_batch){
	    .pos = (uint32_t)(r->p - start),
	    .end = (uint32_t)(r->end - start),
	    .channel = channel,
	};
	return MUX_CONTINUE;
}

/* ---- steps ---- */

/* Reads one message from its type on. Offsets count from `start`. */
static int
read_part(struct mux *m, const uint8_t *start, uint64_t channel, struct rd *r,
    struct mux_event *ev)
{
	uint64_t type = rd_uint(r);
	struct mux_channel *c;
	struct bytes body = {r->p, rd_left(r)};

	if (!rd_ok(r))
		return ERR_MALFORMED;
	if (channel != 0) {
		c = mux_channel_by_remote(&m->channels, channel);
		if (c == NULL || c->remote_closed)
			return MUX_CONTINUE;
		if (c->state == MUX_OPEN)
			return emit_message(c, type, body, ev);
		return enqueue_message(m, c, false, type, body);
	}
	switch (type) {
	case MUX_CONTROL_BATCH:
		return read_batch(m, start, r);
	case MUX_CONTROL_OPEN:
		return read_open(m, r, ev);
	case MUX_CONTROL_REJECT:
		return read_reject(m, r, ev);
	case MUX_CONTROL_CLOSE:
		return read_close(m, r, ev);
	}
	return MUX_CONTINUE;
}

static int
read_first(struct mux *m, struct bytes message, struct mux_event *ev)
{
	struct rd r = rd_init(message.p, message.len);
	uint64_t channel = rd_uint(&r);
	int result = read_part(m, message.p, channel, &r, ev);

	m->reader.started = result != MUX_WAIT;
	return result;
}

/* Reads the next part of the innermost batch. A part of length 0 switches the
 * channel. */
static int
read_batch_part(struct mux *m, struct bytes message, struct mux_event *ev)
{
	struct mux_batch *b = &m->reader.batches[m->reader.depth - 1];
	struct rd r, part;
	uint32_t begin = b->pos;
	uint64_t len;
	int result;

	assert(b->end <= message.len); /* the same message as before */
	if (b->pos == b->end) {
		m->reader.depth--;
		return MUX_CONTINUE;
	}
	r = rd_init(message.p + b->pos, b->end - b->pos);
	len = rd_uint(&r);
	if (len == 0) {
		b->channel = rd_uint(&r);
		b->pos = (uint32_t)(r.p - message.p);
		return rd_ok(&r) ? MUX_CONTINUE : ERR_MALFORMED;
	}
	if (!rd_ok(&r))
		return ERR_MALFORMED;
	/* The reference truncates a part that exceeds its batch. */
	part = rd_init(r.p, len < rd_left(&r) ? len : rd_left(&r));
	b->pos = (uint32_t)(part.end - message.p);
	result = read_part(m, message.p, b->channel, &part, ev);
	if (result == MUX_WAIT)
		b->pos = begin;
	return result;
}

int
mux_read(struct mux *m, struct bytes message, struct mux_event *ev)
{
	int result = m->err != 0 ? m->err : MUX_CONTINUE;

	mux_queue_release(&m->queue);
	if (result == MUX_CONTINUE && m->queue.has_accepted)
		result = read_queue(m, ev);
	while (result == MUX_CONTINUE) {
		if (m->reader.depth == 0 &&
		    (m->reader.started || message.len == 0))
			result = MUX_DONE;
		else if (mux_writer_len(&m->writer) >
			 MUX_OUT_MAX + MUX_REPLIES_MAX)
			result = MUX_WAIT;
		else if (m->reader.depth > 0)
			result = read_batch_part(m, message, ev);
		else
			result = read_first(m, message, ev);
		if (m->err != 0)
			result = m->err;
	}
	if (result == MUX_DONE)
		m->reader.started = false;
	if (result < 0)
		m->err = result;
	return result;
}
